"""Alembic's entry: runs the steps over the connection that `migrations` hands in, within its transaction."""

from alembic import context

import projections  # noqa: F401  (its tables belong to the same metadata)
from eventstore.log.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
