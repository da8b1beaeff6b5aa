"""The rights of the service's role on PostgreSQL: enough to serve, not enough to rewrite history."""

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, inspect, text

from migrations.role_check import excess, has_service_role, powers, risks
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
    "rebuild_requests": "SELECT, INSERT, UPDATE",
    "verifications": "SELECT, INSERT, UPDATE",
    "api_keys": "SELECT, INSERT, UPDATE",
    "first_api_key": "SELECT, INSERT",
    "alembic_version": "SELECT",
    **{projection.table.name: "SELECT, INSERT, UPDATE, DELETE" for projection in PROJECTIONS},
}

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
        _refuse(role, powers(connection, role, RIGHTS))
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
        _refuse(role, excess(connection, role, RIGHTS))
    return granted


def _refuse(role: str, reasons: list[str]) -> None:
    if reasons:
        raise RightsError(f"{role} could change more than the service needs to: {'; '.join(reasons)}")


class ConnectedRole(NamedTuple):
    """The role that this process connects as."""

    name: str
    #: In words, each way in which it could change more than the service needs to.
    risks: list[str]
    #: Whether the database was prepared for a service with a role of its own.
    separate: bool

    @property
    def reasons(self) -> str:
        """The risks as one text."""
        return "; ".join(self.risks)


def connected_role(connection: Connection) -> ConnectedRole:
    """Return the role that `connection` authenticated as. PostgreSQL only.

    Not the current role: a session can reset that.
    """
    with connection.begin():
        name: str = connection.scalar(text("SELECT session_user"))
        return ConnectedRole(name, risks(connection, name, RIGHTS), has_service_role(connection))
