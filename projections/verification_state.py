"""The result of each projection's last verification."""

from sqlalchemy import Column, Table, Text

from eventstore.log.tables import BigInt, metadata

verifications = Table(
    "verifications",
    metadata,
    Column("name", Text, primary_key=True),
    Column("started_at", BigInt, nullable=False),
    Column("finished_at", BigInt, nullable=False),
    Column("verdict", Text, nullable=False),
)
