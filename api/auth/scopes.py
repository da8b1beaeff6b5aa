"""The scopes of credentials. Each route requires one of them."""

from collections.abc import Iterable
from enum import Enum, StrEnum


class Scope(StrEnum):
    """A right that a credential can have. The value is its name for clients (RFC 6749, section 3.3)."""

    ITEMS_READ = "items:read"
    ITEMS_WRITE = "items:write"
    EVENTS_READ = "events:read"
    EVENTS_EXPORT = "events:export"
    PROJECTIONS_REBUILD = "projections:rebuild"
    KEYS_ADMIN = "keys:admin"


#: Requests with these scopes are logged at every level, and refused while they cannot be.
HISTORY = (Scope.EVENTS_READ, Scope.EVENTS_EXPORT)
AUDITED = frozenset({*HISTORY, Scope.KEYS_ADMIN})


class Unscoped(Enum):
    """What a route requires instead of a scope."""

    ANY_CREDENTIAL = "any credential"  # the route returns only what every client needs to know
    OPEN = "no credential"


def as_scopes(names: Iterable[str]) -> tuple[Scope, ...]:
    """Return the scopes among `names`, each once, in a fixed order. Unknown names are ignored."""
    requested = set(names)
    return tuple(scope for scope in Scope if scope in requested)
