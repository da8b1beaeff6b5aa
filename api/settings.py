"""Every setting: one frozen Struct, read from the environment here and nowhere else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from api.auth.jwt.jwks_source import JwksSource
from api.durations import Interval
from api.edge.cors import Origin
from api.http.client_address import Network
from api.secret import Secret, SecretUrl
from api.transparency.formats.log_identity import LogKeys, LogOrigin

PREFIX = "ITEMLEDGER_"

Seconds = Annotated[float, Meta(gt=0, le=3600)]
#: How often something may be done.
Quota = Annotated[int, Meta(ge=1, le=1_000_000_000)] | Literal["off"]


class SettingsError(Exception):
    """A setting in the environment is unknown or wrong."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator can choose. A field is read from ITEMLEDGER_ and its name in capitals, but for the first.

    A field whose type is a Secret can be given by a file instead, whose name is in the variable of that name and _FILE.
    A tuple is written with commas.
    """

    #: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER@HOST/DATABASE`; read from DATABASE_URL.
    database_url: SecretUrl = SecretUrl("sqlite+aiosqlite:///./var/itemledger.db")
    #: Writes that may wait; one more is answered 503.
    max_queue: Annotated[int, Meta(ge=1)] = 1024
    #: Commands that share one commit; a batch of more has one for itself.
    max_batch: Annotated[int, Meta(ge=1, le=1000)] = 32
    #: Such batches that may wait besides; one more is answered 503.
    max_batch_queue: Annotated[int, Meta(ge=1)] = 16
    #: Bytes in a request body; more is answered 413.
    max_body: Annotated[int, Meta(ge=1)] = 64 * 1024
    #: Bytes in the body of a batch; more is answered 413.
    max_batch_body: Annotated[int, Meta(ge=1)] = 1024 * 1024
    #: Levels of nesting in a body's JSON; more is answered 400. The decoder goes no deeper than some hundreds.
    max_depth: Annotated[int, Meta(ge=2, le=256)] = 32
    #: Seconds that the head of a request may take to arrive, from when the connection or the request begins.
    head_timeout: Seconds = 10.0
    #: Seconds that a request body may take to arrive; more is answered 408.
    body_timeout: Seconds = 10.0
    #: Seconds in which a client must take an answer, or some ten KiB of a long one.
    answer_timeout: Seconds = 10.0
    #: Bytes of a request's head, about; more is answered 431.
    max_head: Annotated[int, Meta(ge=1024)] = 64 * 1024
    #: Connections of a process; one more is closed at once.
    max_connections: Annotated[int, Meta(ge=1)] = 10_000
    #: Of those, connections from one address, but for this machine's own and trusted proxies; one more is closed.
    max_client_connections: Annotated[int, Meta(ge=1)] = 1000
    #: Requests that a process serves at once, a quarter of them for one client; one more is answered 503.
    max_requests: Annotated[int, Meta(ge=1)] = 2048
    #: Exports that it sends at once, a quarter of them to one client; one more is answered 503.
    max_exports: Annotated[int, Meta(ge=1)] = 32
    #: Bytes of batches' bodies that it holds at once, a quarter of them for one client; for more the answer is 503.
    max_batch_bodies: Annotated[int, Meta(ge=1)] = 32 * 1024 * 1024
    #: Requests a minute of each credential, and of each address without one; more is answered 429.
    rate_limit: Quota = 6000
    #: Exports a minute of each client; more is answered 429.
    export_limit: Quota = 10
    #: Rebuilds a minute that each client may start; more is answered 429.
    rebuild_limit: Quota = 10
    #: Open streams of events; one more is answered 503.
    max_streams: Annotated[int, Meta(ge=0)] = 1000
    #: Of those, streams of one credential, or of one address without one; one more is answered 429.
    max_client_streams: Annotated[int, Meta(ge=1)] = 100
    #: Seconds after which a stream ends, for its client to resume: elsewhere perhaps, if it still may.
    stream_lifetime: Annotated[float, Meta(gt=0, le=86_400)] = 3600.0
    #: The time between two verifications of the projections and snapshots against the log, for example 12h; or off.
    verify_interval: Interval = Interval("24h")
    #: The private keys that sign the log's checkpoints, one a line; none: they are not signed.
    log_key: LogKeys | None = None
    #: The log's name in its checkpoints; by default its key's, or `localhost/log` where there is no key.
    log_origin: LogOrigin | None = None
    #: Addresses or networks of proxies that may say, by `X-Forwarded-For` and `-Proto`, whose requests they pass on.
    trusted_proxies: tuple[Network, ...] = ()
    #: Origins of pages elsewhere that may call the service from a browser.
    cors_origins: tuple[Origin, ...] = ()
    #: Whose access tokens are taken (their `iss`), for whom (their `aud`), and where the keys are that sign them: a JWK
    #: Set at a URL or in a file. All three, or none: then no tokens are taken.
    jwt_issuer: Annotated[str, Meta(min_length=1)] | None = None
    jwt_audience: Annotated[str, Meta(min_length=1)] | None = None
    jwt_jwks: JwksSource | None = None
    #: Where there are no credentials, whether anybody from anywhere is let in, with every scope.
    insecure_no_auth: bool = False
    #: The least severe lines that are logged; those on who was refused, and on who read the history, always are.
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def origin(self) -> str:
        """The log's name in the world: its key's, or the one it was given, or one that says little."""
        return self.log_key.origin if self.log_key else self.log_origin or "localhost/log"


def variable(field: str) -> str:
    """Give the name of the environment variable that `field` is read from."""
    return "DATABASE_URL" if field == "database_url" else PREFIX + field.upper()


def _types(of: Any) -> tuple[type, ...]:
    return tuple(part for part in (of, *get_args(of)) if isinstance(part, type))


_HINTS = get_type_hints(Settings)
#: Variable to field, and the same for the variables that name a secret's file.
_FIELDS = {variable(field): field for field in Settings.__struct_fields__}
_FILES = {
    f"{variable(field)}_FILE": field
    for field in Settings.__struct_fields__
    if any(issubclass(part, Secret) for part in _types(_HINTS[field]))
}
#: All of them are set, or none.
_OF_TOKENS = {field for field in Settings.__struct_fields__ if field.startswith("jwt_")}
_LISTS = {field for field in Settings.__struct_fields__ if getattr(_HINTS[field], "__origin__", None) is tuple}


class Given(NamedTuple):
    """What the environment says of a field."""

    text: str
    #: The variable that says it.
    variable: str


def given(environment: Mapping[str, str] = os.environ) -> dict[str, Given]:
    """Give what is set, by field, unchecked; a secret's file is read.

    Raises SettingsError for a variable that is unknown, doubles another, or names a file that can't be read.
    """
    found: dict[str, Given] = {}
    for name, text in environment.items():
        field = _FIELDS.get(name) or _FILES.get(name)
        if field is not None:
            if field in found:
                raise SettingsError(f"{variable(field)} and {variable(field)}_FILE are both set; one must go")
            found[field] = Given(text if name in _FIELDS else _content(name, text), name)
        elif name.startswith(PREFIX):
            raise SettingsError(f"{name} is not a setting; there are {', '.join(sorted({*_FIELDS, *_FILES}))}")
    return found


def _content(name: str, path: str) -> str:
    """Give what is in a secret's file, without the line's end that editors put there."""
    try:
        return Path(path).read_text().removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text"
        raise SettingsError(f"{name}: {path!r} can't be read: {reason}") from None


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises SettingsError, naming the variable that is unknown or wrong."""
    texts = given(environment)
    values = {field: _parts(text) if field in _LISTS else text for field, (text, _) in texts.items()}
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=lambda kind, text: kind(text))
    except msgspec.ValidationError as error:
        expected, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`").partition("[")[0]
        raise SettingsError(f"{texts[field].variable}: {expected}") from None
    if settings.log_key and settings.log_origin not in (None, settings.log_key.origin):
        raise SettingsError(f"{variable('log_origin')}: the log's key is of another name, {settings.log_key.origin}")
    if _OF_TOKENS & texts.keys() and (missing := sorted(_OF_TOKENS - texts.keys())):
        raise SettingsError(f"{variable(missing[0])}: Expected, where others of ITEMLEDGER_JWT_ are set")
    return settings


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def shown(settings: Settings) -> dict[str, str]:
    """Give every setting's variable with its value as the environment would have it, secrets as `***`."""
    return {variable(field): _text(getattr(settings, field)) for field in Settings.__struct_fields__}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str("" if value is None else value)


def without_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give what of `environment` is no setting, for a process that is told its settings otherwise."""
    ours = {*_FIELDS, *_FILES}
    return {name: text for name, text in environment.items() if name not in ours and not name.startswith(PREFIX)}
