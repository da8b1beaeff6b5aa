"""No event has a time that RFC 3339 can't write: from 1970 to the year 9999.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

#: In microseconds since the epoch; the last one is 9999-12-31T23:59:59.999999Z.
_TIMES = "NEW.recorded_at NOT BETWEEN 0 AND 253402300799999999"

#: Triggers, and no CHECK: that would mean a new table on SQLite, and on both databases a look at every event. Those
#: that are there stay, whatever their times.
_REFUSE = {
    "sqlite": (
        f"CREATE TRIGGER events_time BEFORE INSERT ON events WHEN {_TIMES} "
        "BEGIN SELECT RAISE(ABORT, 'recorded_at is out of range'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION events_time() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'recorded_at is out of range' USING ERRCODE = 'check_violation'; END $$",
        f"CREATE TRIGGER events_time BEFORE INSERT ON events FOR EACH ROW WHEN ({_TIMES}) "
        "EXECUTE FUNCTION events_time()",
        # As for those of the first step.
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_time",
    ),
}
_ALLOW = {
    "sqlite": ("DROP TRIGGER events_time",),
    "postgresql": ("DROP TRIGGER events_time ON events", "DROP FUNCTION events_time()"),
}


def upgrade() -> None:
    for statement in _REFUSE[op.get_context().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for statement in _ALLOW[op.get_context().dialect.name]:
        op.execute(statement)
