"""Who makes a request, and what they may do."""

from msgspec import Struct

from api.auth.scopes import Scope

ANONYMOUS = "anonymous"


class Principal(Struct, frozen=True):
    """Whoever showed a credential, or nobody in particular."""

    #: As every event they cause names them: a key's holder, `jwt:` and a token's subject, or `anonymous`.
    actor: str
    scopes: frozenset[Scope]
    #: The id of the API key they showed, for logs.
    key_id: str | None = None
    #: Until when the credential is good, in seconds since the epoch; None: for as long as nobody ends it.
    expires_at: float | None = None

    @property
    def credential(self) -> str | None:
        """The holder of the credential that was shown, None where there was none."""
        return None if self.actor == ANONYMOUS else self.actor


#: Whoever shows no credential where none is asked for.
NOBODY = Principal(ANONYMOUS, frozenset())
#: Whoever shows no credential where there are none.
ANYBODY = Principal(ANONYMOUS, frozenset(Scope))


class CredentialError(Exception):
    """A credential that is not good. `reason` is for the log: a client learns only that it is not."""

    def __init__(self, reason: str, key_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.key_id = key_id
