"""On SQLite, an INSERT OR REPLACE replaces no event, whatever a connection has set.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

#: Rows that are replaced are deleted, but triggers see that only in connections with `recursive_triggers`. This one
#: sees what is inserted, and refuses what would have to replace something.
_NO_REPLACE = """
CREATE TRIGGER events_no_replace BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
    OR EXISTS (SELECT 1 FROM events WHERE item_id = NEW.item_id AND version = NEW.version)
    OR EXISTS (SELECT 1 FROM events WHERE command_id = NEW.command_id AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END
"""


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.execute(_NO_REPLACE)


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.execute("DROP TRIGGER events_no_replace")
