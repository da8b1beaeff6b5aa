"""Why a role of PostgreSQL could rewrite history, whatever rights `rights` grants it."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, text

#: Predefined roles that reach past the tables' grants, and how. Others can only read, or cannot change a row:
#: pg_read_server_files, pg_read_all_data, pg_maintain, pg_monitor, pg_signal_backend, pg_checkpoint.
_POWERS: Mapping[str, str] = {
    "pg_execute_server_program": "runs programs as the server",
    "pg_write_server_files": "writes the server's files",
    "pg_write_all_data": "writes to every table",
}
#: Before PostgreSQL 16 a role with CREATEROLE can make itself a member of every role but superusers.
_CREATEROLE_LIMITED = 160000

#: The role itself and every role that it can become: a member can SET ROLE, whether it inherits or not.
_REACHABLE = """
    WITH me AS (SELECT oid FROM pg_roles WHERE rolname = :role),
    reachable AS (SELECT r.* FROM pg_roles AS r, me WHERE pg_has_role(me.oid, r.oid, 'MEMBER'))
"""
_ATTRIBUTES = text(
    " ".join(
        (
            _REACHABLE,
            "SELECT rolname, rolsuper, rolcreaterole FROM reachable",
            "WHERE rolsuper OR rolcreaterole OR rolname = ANY(:powers) ORDER BY rolname <> :role, rolname",
        )
    )
)
#: The owner of a table can drop its triggers; the owner of a trigger's function can replace that.
_OWNED = text(
    " ".join(
        (
            _REACHABLE,
            """
            , owned (place, object, owner) AS (
                SELECT 1, 'the database ' || datname, datdba FROM pg_database WHERE datname = current_database()
                UNION ALL
                SELECT 2, 'the schema ' || nspname, nspowner FROM pg_namespace WHERE nspname = current_schema()
                UNION ALL
                SELECT 3, 'the table ' || relname, relowner FROM pg_class
                WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relname = ANY(:tables)
                UNION ALL
                SELECT 4, 'the function ' || proname, proowner FROM pg_proc
                WHERE oid IN (SELECT tgfoid FROM pg_trigger WHERE tgrelid = to_regclass('events') AND NOT tgisinternal)
            )
            SELECT rolname, object FROM owned JOIN reachable ON reachable.oid = owned.owner
            ORDER BY rolname <> :role, rolname, place, object
            """,
        )
    )
)
_GRANTED = text(
    """
    SELECT relname, privilege FROM pg_class
    CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS privilege
    WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relname = ANY(:tables) AND
        CASE privilege WHEN 'UPDATE' THEN has_any_column_privilege(:role, pg_class.oid, privilege)
        ELSE has_table_privilege(:role, pg_class.oid, privilege) END
    ORDER BY relname, privilege
    """
)
_CAN_CREATE = text("SELECT current_schema() WHERE has_schema_privilege(:role, current_schema(), 'CREATE')")
#: Whether any role but the owner has been granted to append: the service has a role of its own.
_HAS_SERVICE_ROLE = text(
    "SELECT EXISTS (SELECT FROM pg_class CROSS JOIN aclexplode(relacl) "
    "WHERE pg_class.oid = to_regclass('events') AND grantee <> relowner AND privilege_type = 'INSERT')"
)


def risks(connection: Connection, role: str, rights: Mapping[str, str]) -> list[str]:
    """Return in words each way in which `role` could change more than `rights`, the privileges of each table, allow.

    A role that has powers has every privilege, too, so only the powers are named.
    """
    return powers(connection, role, rights) or excess(connection, role, rights)


def powers(connection: Connection, role: str, tables: Iterable[str]) -> list[str]:
    """Return what `role` is, owns or is a member of, by which it needs no grants to change the tables."""
    attributes = connection.execute(_ATTRIBUTES, {"role": role, "powers": list(_POWERS)}).all()
    if any(name == role and is_superuser for name, is_superuser, _ in attributes):
        return ["it is a superuser"]
    limited = int(connection.scalar(text("SHOW server_version_num")) or 0) >= _CREATEROLE_LIMITED
    found = []
    for name, is_superuser, can_create_roles in attributes:
        if is_superuser:
            found.append(f"it is a member of {name}, a superuser")
        elif name in _POWERS:
            found.append(f"it is a member of {name}, which {_POWERS[name]}")
        elif can_create_roles and not limited:
            found.append("it has CREATEROLE" if name == role else f"it is a member of {name}, which has CREATEROLE")
    for owner, rows in groupby(connection.execute(_OWNED, {"role": role, "tables": list(tables)}), itemgetter(0)):
        owned = _some(object_ for _, object_ in rows)
        found.append(f"it owns {owned}" if owner == role else f"it is a member of {owner}, which owns {owned}")
    return found


def excess(connection: Connection, role: str, rights: Mapping[str, str]) -> list[str]:
    """Return the privileges that `role` has been granted beyond `rights`."""
    found = []
    privileges = [
        f"{privilege} on {table}"
        for table, privilege in connection.execute(_GRANTED, {"role": role, "tables": list(rights)})
        if privilege not in rights[table]
    ]
    if privileges:
        found.append(f"it has {_some(privileges)}, directly, by another role or by PUBLIC")
    if schema := connection.scalar(_CAN_CREATE, {"role": role}):
        found.append(f"it has CREATE on the schema {schema}, directly, by another role or by PUBLIC")
    return found


def has_service_role(connection: Connection) -> bool:
    """Return whether the service has been given a role of its own."""
    return bool(connection.scalar(_HAS_SERVICE_ROLE))


def _some(names: Iterable[str]) -> str:
    """Return the first names, and the number of the others."""
    first, others = (all_names := list(names))[:3], len(all_names) - 3
    return ", ".join(first) + (f" and {others} more" if others > 0 else "")
