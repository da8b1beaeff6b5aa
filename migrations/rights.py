"""The rights of the service's role on PostgreSQL: enough to serve, not enough to rewrite history."""

from collections.abc import Mapping
from itertools import groupby

from sqlalchemy import Connection, inspect, text

from projections import PROJECTIONS

#: By table. A new table needs a line here; those of projections are all alike.
RIGHTS: Mapping[str, str] = {
    "events": "SELECT, INSERT",
    "log_head": "SELECT, UPDATE",
    "log_tiles": "SELECT, INSERT",
    "snapshots": "SELECT, INSERT",
    "log_checkpoint": "SELECT, UPDATE",
    "projections": "SELECT",
    "rebuilds": "SELECT, UPDATE",
    "verifications": "SELECT, INSERT, UPDATE",
    "api_keys": "SELECT, INSERT, UPDATE",
    "first_api_key": "SELECT, INSERT",
    "alembic_version": "SELECT",
    **{projection.table.name: "SELECT, INSERT, UPDATE, DELETE" for projection in PROJECTIONS},
}

#: Whatever the right comes from: the role is a superuser, is or can become the owner, or is a member of a role that has
#: it. UPDATE can be granted for single columns, too.
_CAN_CHANGE_HISTORY = text(
    "SELECT pg_has_role(:role, relowner, 'MEMBER') OR has_table_privilege(:role, oid, 'DELETE, TRUNCATE, TRIGGER') "
    "OR has_any_column_privilege(:role, oid, 'UPDATE') FROM pg_class WHERE oid = 'events'::regclass"
)
_CAN_ENTER = text("SELECT has_schema_privilege(:role, current_schema(), 'USAGE')")


class RightsError(Exception):
    """A role cannot be granted the service's rights; the message says why."""


def grant(connection: Connection, role: str) -> list[tuple[str, list[str]]]:
    """Grant `role` the service's rights on every table, and revoke all others; return the tables by their rights.

    Raises RightsError where the database has no such role, or the role could change history nevertheless.
    """
    if connection.dialect.name != "postgresql":
        raise RightsError("SQLite has no roles: every process that can write to the file can change its content")
    with connection.begin():
        if not connection.scalar(text("SELECT true FROM pg_roles WHERE rolname = :role"), {"role": role}):
            raise RightsError(f"the role {role!r} does not exist: create it first, with CREATE ROLE ... LOGIN")
        quote = connection.dialect.identifier_preparer.quote
        quoted = quote(role)
        # A new projection has no table before its rebuild, which copies the rights of another projection's table.
        names = RIGHTS.keys() & set(inspect(connection).get_table_names())
        if not connection.scalar(_CAN_ENTER, {"role": role}):
            schema = quote(connection.scalar(text("SELECT current_schema()")))
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {quoted}")
        by_rights = groupby(sorted(names, key=lambda name: (RIGHTS[name], name)), RIGHTS.__getitem__)
        granted = [(rights, list(tables)) for rights, tables in by_rights]
        for rights, tables in granted:
            connection.exec_driver_sql(f"REVOKE ALL ON {', '.join(tables)} FROM {quoted}")
            connection.exec_driver_sql(f"GRANT {rights} ON {', '.join(tables)} TO {quoted}")
        if connection.scalar(_CAN_CHANGE_HISTORY, {"role": role}):
            raise RightsError(f"{role} could still change events: as a superuser, as their owner or by another grant")
    return granted
