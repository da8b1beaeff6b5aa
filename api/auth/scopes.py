"""What a credential may be good for: the scopes, one of which each route asks for."""

from collections.abc import Iterable
from enum import Enum, StrEnum


class Scope(StrEnum):
    """A right that a credential can have. Its value is how credentials and clients write it (RFC 6749, section 3.3)."""

    ITEMS_READ = "items:read"
    ITEMS_WRITE = "items:write"
    EVENTS_READ = "events:read"
    EVENTS_EXPORT = "events:export"
    PROJECTIONS_REBUILD = "projections:rebuild"
    KEYS_ADMIN = "keys:admin"


class Unscoped(Enum):
    """What a route asks for in place of a scope."""

    #: Any credential that is good: the route says nothing but what every client needs to know.
    ANY_CREDENTIAL = "any credential"
    #: Nothing at all: whoever asks is answered.
    OPEN = "no credential"


def as_scopes(names: Iterable[str]) -> tuple[Scope, ...]:
    """Give the scopes among `names`, each once and in one order; a name that is none gives no right."""
    wanted = set(names)
    return tuple(scope for scope in Scope if scope in wanted)
