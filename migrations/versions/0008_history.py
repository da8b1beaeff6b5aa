"""What auditors find events by: who did it, and what it belongs to.

In the one transaction of all steps, like every index before: the service is stopped while its schema changes, and a
step that fails leaves nothing behind.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEXES = (("actor", "position"), ("actor", "type", "position"), ("correlation_id", "position"))


def upgrade() -> None:
    for columns in _INDEXES:
        op.create_index(f"ix_events_{'_'.join(columns)}", "events", columns)


def downgrade() -> None:
    for columns in reversed(_INDEXES):
        op.drop_index(f"ix_events_{'_'.join(columns)}", "events")
