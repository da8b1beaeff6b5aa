"""Errors of read models. The docstring of each class is its message, filled in with the instance's attributes."""

from eventstore.errors import EventStoreError


class ProjectionNotReadyError(EventStoreError):
    """The table of {names} is not built yet, or an older version built it without what this request needs. Retry once it is rebuilt; see GET /projections."""  # noqa: E501

    def __init__(self, *names: str) -> None:
        self.names = ", ".join(names)
