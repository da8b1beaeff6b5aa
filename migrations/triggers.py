"""The triggers that keep the history and the API keys: what each must be, whether it is, and how to restore it.

The owner of the database can drop, disable or alter them, and from then on nothing keeps history from being changed. So
a service refuses to start without them, `/readyz` and `itemledger verify log` name what is wrong, and `itemledger
migrate` restores them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, text

#: In microseconds since the epoch, from 1970 to 9999-12-31T23:59:59.999999Z: RFC 3339 cannot write other times. A
#: trigger and not a CHECK: a CHECK could be changed later only by a new table on SQLite, and by a full scan on both.
_BAD_TIME = "NEW.recorded_at < 0 OR NEW.recorded_at > 253402300799999999"
_APPEND_ONLY, _TIME = "events is append-only", "recorded_at is out of range"
#: Without its keys a service would ask for no credential any more.
_KEPT = "API keys are kept for ever: revoke them"


class Trigger(NamedTuple):
    """A trigger, and the statement that creates it."""

    name: str
    table: str
    #: On PostgreSQL the parts in the order in which it writes them: the text is compared with its own.
    definition: str


class Function(NamedTuple):
    """A function of PostgreSQL that a trigger runs."""

    name: str
    body: str


def _sqlite(name: str, when: str, message: str) -> Trigger:
    table = when.split(" ON ")[1].partition(" ")[0]
    return Trigger(name, table, f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _postgresql(name: str, when: str, function: str) -> Trigger:
    table = when.split(" ON ")[1].partition(" ")[0]
    return Trigger(name, table, f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION {function}()")


def _raising(name: str, message: str, code: str) -> Function:
    return Function(name, f" BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '{code}'; END ")


_SQLITE = (
    _sqlite("events_no_update", "UPDATE ON events", _APPEND_ONLY),
    _sqlite("events_no_delete", "DELETE ON events", _APPEND_ONLY),
    # INSERT OR REPLACE deletes rows, but delete triggers run only in connections with `recursive_triggers`. This one
    # checks the row to insert, whatever a connection has set.
    _sqlite(
        "events_no_replace",
        "INSERT ON events WHEN EXISTS (SELECT 1 FROM events WHERE position = NEW.position) "
        "OR EXISTS (SELECT 1 FROM events WHERE item_id = NEW.item_id AND version = NEW.version) "
        "OR EXISTS (SELECT 1 FROM events WHERE command_id = NEW.command_id AND ordinal = NEW.ordinal)",
        _APPEND_ONLY,
    ),
    _sqlite("events_time", f"INSERT ON events WHEN {_BAD_TIME}", _TIME),
    _sqlite("api_keys_no_delete", "DELETE ON api_keys", _KEPT),
    _sqlite("first_api_key_no_delete", "DELETE ON first_api_key", _KEPT),
    _sqlite("first_api_key_no_update", "UPDATE ON first_api_key", _KEPT),
)
FUNCTIONS = (
    _raising("events_append_only", _APPEND_ONLY, "restrict_violation"),
    _raising("events_time", _TIME, "check_violation"),
    _raising("api_keys_kept", _KEPT, "restrict_violation"),
)
_POSTGRESQL = (
    _postgresql("events_no_change", "DELETE OR UPDATE ON events FOR EACH ROW", "events_append_only"),
    _postgresql("events_no_truncate", "TRUNCATE ON events FOR EACH STATEMENT", "events_append_only"),
    _postgresql("events_time", f"INSERT ON events FOR EACH ROW WHEN ({_BAD_TIME})", "events_time"),
    _postgresql("api_keys_no_change", "DELETE ON api_keys FOR EACH ROW", "api_keys_kept"),
    _postgresql("api_keys_no_truncate", "TRUNCATE ON api_keys FOR EACH STATEMENT", "api_keys_kept"),
    _postgresql("first_api_key_no_change", "DELETE OR UPDATE ON first_api_key FOR EACH ROW", "api_keys_kept"),
    _postgresql("first_api_key_no_truncate", "TRUNCATE ON first_api_key FOR EACH STATEMENT", "api_keys_kept"),
)
_TRIGGERS: Mapping[str, tuple[Trigger, ...]] = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}

_SQLITE_FOUND = text("SELECT name, tbl_name, sql, '', true FROM sqlite_master WHERE type = 'trigger'")
_POSTGRESQL_FOUND = text(
    "SELECT tgname, relname, pg_get_triggerdef(pg_trigger.oid, true), lanname || prosrc, tgenabled = 'A' "
    "FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid "
    "JOIN pg_language ON pg_language.oid = prolang WHERE NOT tgisinternal AND pg_table_is_visible(tgrelid)"
)
#: What PostgreSQL adds to a definition or leaves out when it writes it.
_NOISE = re.compile(r"::\w+|[()'\s]")


def create(connection: Connection, table: str) -> None:
    """Create the triggers of `table`, and the functions that they run."""
    for trigger in _TRIGGERS[connection.dialect.name]:
        if trigger.table == table:
            _create(connection, trigger)


def faults(connection: Connection) -> list[str]:
    """Return what is wrong with the triggers, one text for each that is missing, disabled or altered."""
    with connection.begin():
        return [f"{trigger.name} {fault}" for trigger, fault in _faulty(connection)]


def restore(connection: Connection) -> list[str]:
    """Create the triggers again that are missing, disabled or altered; return what was wrong with them."""
    with connection.begin():
        faulty = list(_faulty(connection))
        for trigger, _ in faulty:
            on_table = f" ON {trigger.table}" if connection.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger.name}{on_table}")
            _create(connection, trigger)
    return [f"{trigger.name} {fault}" for trigger, fault in faulty]


def _create(connection: Connection, trigger: Trigger) -> None:
    if connection.dialect.name == "postgresql":
        function = _function_of(trigger)
        connection.exec_driver_sql(
            " ".join(
                (
                    *("CREATE OR REPLACE FUNCTION", f"{function.name}()", "RETURNS trigger LANGUAGE plpgsql AS"),
                    f"$${function.body}$$",
                )
            )
        )
    connection.exec_driver_sql(trigger.definition)
    if connection.dialect.name == "postgresql":
        # ALWAYS, so that session_replication_role = replica does not disable it.
        connection.exec_driver_sql(f"ALTER TABLE {trigger.table} ENABLE ALWAYS TRIGGER {trigger.name}")


def _faulty(connection: Connection) -> Iterator[tuple[Trigger, str]]:
    postgresql = connection.dialect.name == "postgresql"
    normal = _normal if postgresql else str
    rows = connection.execute(_POSTGRESQL_FOUND if postgresql else _SQLITE_FOUND)
    found = {(name, table): (definition, body, enabled) for name, table, definition, body, enabled in rows}
    for trigger in _TRIGGERS[connection.dialect.name]:
        definition, body, enabled = found.get((trigger.name, trigger.table), (None, None, None))
        expected_body = f"plpgsql{_function_of(trigger).body}" if postgresql else ""
        if definition is None:
            yield trigger, "is missing"
        elif not enabled:
            yield trigger, "is disabled"
        elif normal(definition) != normal(trigger.definition) or body != expected_body:
            yield trigger, "was altered"


def _function_of(trigger: Trigger) -> Function:
    return next(one for one in FUNCTIONS if trigger.definition.endswith(f" {one.name}()"))


def _normal(definition: str) -> str:
    return _NOISE.sub("", definition).lower()
