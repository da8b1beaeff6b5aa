"""What the service's role may do on PostgreSQL: enough to serve, not enough to rewrite history."""

from collections.abc import Mapping
from itertools import groupby

from sqlalchemy import Connection, inspect, text

from projections import PROJECTIONS

#: By table. A new one has its line here; those of projections are all alike.
RIGHTS: Mapping[str, str] = {
    "events": "SELECT, INSERT",
    "log_head": "SELECT, UPDATE",
    "log_tiles": "SELECT, INSERT",
    "snapshots": "SELECT, INSERT",
    "log_checkpoint": "SELECT, UPDATE",
    "projections": "SELECT, UPDATE",
    "rebuilds": "SELECT, UPDATE",
    "verifications": "SELECT, INSERT, UPDATE",
    "api_keys": "SELECT, INSERT, UPDATE",
    "alembic_version": "SELECT",
    **{projection.table.name: "SELECT, INSERT, UPDATE, DELETE" for projection in PROJECTIONS},
}

#: Whatever gives it the right: it is a superuser, is or can become the owner, or belongs to a role that may. To update
#: there are rights for single columns, too.
_CAN_CHANGE_HISTORY = text(
    "SELECT pg_has_role(:role, relowner, 'MEMBER') OR has_table_privilege(:role, oid, 'DELETE, TRUNCATE, TRIGGER') "
    "OR has_any_column_privilege(:role, oid, 'UPDATE') FROM pg_class WHERE oid = 'events'::regclass"
)
_CAN_ENTER = text("SELECT has_schema_privilege(:role, current_schema(), 'USAGE')")


class RightsError(Exception):
    """A role can't be given the service's rights; the message says why."""


def grant(connection: Connection, role: str) -> list[tuple[str, list[str]]]:
    """Give `role` the service's rights on every table, and no other; tell which, each with its tables.

    Raises RightsError where the database knows no such role, or the role could change history nevertheless.
    """
    if connection.dialect.name != "postgresql":
        raise RightsError("SQLite knows no roles: whoever can write to the file can change what is in it")
    with connection.begin():
        if not connection.scalar(text("SELECT true FROM pg_roles WHERE rolname = :role"), {"role": role}):
            raise RightsError(f"there is no role {role!r}: create it first, with CREATE ROLE ... LOGIN")
        quoted = connection.dialect.identifier_preparer.quote(role)
        # The table of a new projection is not there yet: its rebuild gives it the rights that another projection's has.
        names = RIGHTS.keys() & set(inspect(connection).get_table_names())
        there = sorted(names, key=lambda name: (RIGHTS[name], name))
        if not connection.scalar(_CAN_ENTER, {"role": role}):
            schema = connection.dialect.identifier_preparer.quote(connection.scalar(text("SELECT current_schema()")))
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {quoted}")
        given = [(rights, list(tables)) for rights, tables in groupby(there, RIGHTS.__getitem__)]
        for rights, tables in given:
            connection.exec_driver_sql(f"REVOKE ALL ON {', '.join(tables)} FROM {quoted}")
            connection.exec_driver_sql(f"GRANT {rights} ON {', '.join(tables)} TO {quoted}")
        if connection.scalar(_CAN_CHANGE_HISTORY, {"role": role}):
            raise RightsError(
                f"{role} could change events all the same: as a superuser, as their owner or through a role"
            )
    return given
