"""The principal of a request: its actor and the scopes that it has."""

from msgspec import Struct

from api.auth.scopes import Scope

ANONYMOUS = "anonymous"


class Principal(Struct, frozen=True):
    """The holder of a credential, or `anonymous`."""

    #: The name in the events that it causes: a key's holder, `jwt:` and a token's subject, or `anonymous`.
    actor: str
    scopes: frozenset[Scope]
    #: What the events say that it was done with: `key:` and the key's id, `jwt:` and the issuer; None for `anonymous`.
    credential: str | None = None
    #: The same, but of the key that it descends from by rotation: one holder's idempotency keys stay valid.
    original_credential: str | None = None
    key_id: str | None = None  # the id of the API key, for logs
    expires_at: float | None = None  # when the credential expires, in seconds since the epoch; None if it does not

    @property
    def holder(self) -> str | None:
        """The actor that a credential belongs to; None without one."""
        return None if self.actor == ANONYMOUS else self.actor


NOBODY = Principal(ANONYMOUS, frozenset())  # a request without a credential, on a route that needs none
ANYBODY = Principal(ANONYMOUS, frozenset(Scope))  # a request without a credential, while none exist


class CredentialError(Exception):
    """A credential is not valid. `reason` is for the log: the client is not told why."""

    def __init__(self, reason: str, key_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.key_id = key_id
