"""Every setting: one frozen Struct, read from the environment here and nowhere else."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from api.auth.jwt.jwks_source import JwksSource
from api.durations import Interval
from api.edge.cors import Origin
from api.http.client_address import Network
from api.secret import Secret, SecretUrl
from api.transparency.formats.log_identity import LogKeys, LogOrigin

PREFIX = "ITEMLEDGER_"
#: What Kubernetes adds for a Service whose name is `itemledger` or begins with it: a name and the form of its value.
_SERVICE_LINKS = (
    (re.compile(PREFIX + r"(\w+_)?SERVICE_HOST"), re.compile(r"[0-9a-fA-F.:]+")),
    (re.compile(PREFIX + r"(\w+_)?SERVICE_PORT(_\w+)?"), re.compile(r"\d+")),
    (re.compile(PREFIX + r"(\w+_)?PORT(_\d+_(TCP|UDP|SCTP))?"), re.compile(r"(tcp|udp|sctp)://\S+")),
    (
        re.compile(PREFIX + r"(\w+_)?PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)"),
        re.compile(r"tcp|udp|sctp|[0-9a-fA-F.:]+"),
    ),
)

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
#: Requests per minute, or no rate limit.
Quota = Annotated[int, Meta(ge=1, le=1_000_000_000)] | Literal["off"]


class SettingsError(Exception):
    """A setting in the environment is unknown or invalid."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator can configure. Each field is read from ITEMLEDGER_ and its name in capitals, except the first.

    A Secret can also be read from a file that the same variable with _FILE appended names. Lists have commas.
    """

    #: Database URL: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER@HOST/DATABASE`. Read from DATABASE_URL.
    database_url: SecretUrl = SecretUrl("sqlite+aiosqlite:///./var/itemledger.db")
    #: Writes that may wait for a commit. Beyond the limit: 503.
    max_queue: Count = 1024
    #: Commands per commit. A batch of more commands gets a commit of its own.
    max_batch: Annotated[int, Meta(ge=1, le=1000)] = 32
    #: Such large batches that may wait for a commit. Beyond the limit: 503.
    max_batch_queue: Count = 16
    #: Request body size in bytes. Beyond the limit: 413.
    max_body: Count = 64 * 1024
    #: Request body size of a batch in bytes. Beyond the limit: 413.
    max_batch_body: Count = 1024 * 1024
    #: Nesting levels of a JSON body. Beyond the limit: 400. The decoder itself supports a few hundred.
    max_depth: Annotated[int, Meta(ge=2, le=256)] = 32
    #: Timeout in seconds for a request's head, from its start or the connection's. After it: the connection is closed.
    head_timeout: Seconds = 10.0
    #: Timeout in seconds for a request body. After it: 408.
    body_timeout: Seconds = 10.0
    #: Timeout in seconds for a client that takes less than about 1 kB/s of a response. After it: connection closed.
    answer_timeout: Seconds = 10.0
    #: Approximate size of a request's head in bytes. Beyond the limit: 431.
    max_head: Annotated[int, Meta(ge=1024)] = 64 * 1024
    #: Header fields of a request, trailers included. Beyond the limit: 431.
    max_header_fields: Annotated[int, Meta(ge=16)] = 100
    #: Length of a request's target (path and query) in bytes. Beyond the limit: 414.
    max_target: Annotated[int, Meta(ge=1024)] = 8192
    #: Open connections per process. Beyond the limit: a new connection is closed at once.
    max_connections: Count = 10_000
    #: Open connections per address, except local clients and trusted proxies. Beyond the limit: closed at once.
    max_client_connections: Count = 1000
    #: Concurrent requests per process, a quarter of them per client. Beyond the limit: 503.
    max_requests: Count = 2048
    #: Concurrent exports per process, a quarter of them per client. Beyond the limit: 503.
    max_exports: Count = 32
    #: Buffered bytes of batch bodies per process, a quarter of them per client. Beyond the limit: 503.
    max_batch_bodies: Count = 32 * 1024 * 1024
    #: Bytes of long responses that clients have not taken, per process, a quarter of them per client. Beyond it: 503.
    max_unsent: Annotated[int, Meta(ge=65536)] = 16 * 1024 * 1024
    #: Requests per minute for each credential, and each address without one; or `off`. Beyond the limit: 429.
    rate_limit: Quota = 6000
    #: Exports per minute for each client; or `off`. Beyond the limit: 429.
    export_limit: Quota = 10
    #: Rebuilds per minute that each client may start; or `off`. Beyond the limit: 429.
    rebuild_limit: Quota = 10
    #: Open event streams per process. Beyond the limit: 503.
    max_streams: Annotated[int, Meta(ge=0)] = 1000
    #: Open event streams for each credential, and each address without one. Beyond the limit: 429.
    max_client_streams: Count = 100
    #: Seconds after which an event stream ends. Its client resumes, perhaps on another process, if still authorized.
    stream_lifetime: Annotated[float, Meta(gt=0, le=86_400)] = 3600.0
    #: The time between two verifications of the projections and snapshots against the log, for example 12h; or off.
    verify_interval: Interval = Interval("24h")
    #: Private keys that sign the log's checkpoints, one per line. Without: checkpoints are not signed.
    log_key: LogKeys | None = None
    #: The log's name in its checkpoints. Default: the name of its key, or `localhost/log` without a key.
    log_origin: LogOrigin | None = None
    #: Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are trusted.
    trusted_proxies: tuple[Network, ...] = ()
    #: Origins of pages that may call the service from a browser (CORS).
    cors_origins: tuple[Origin, ...] = ()
    #: The issuer (`iss`) whose access tokens are accepted. Set all three JWT settings or none; without: no tokens.
    jwt_issuer: Annotated[str, Meta(min_length=1)] | None = None
    #: The audience (`aud`) that access tokens must have.
    jwt_audience: Annotated[str, Meta(min_length=1)] | None = None
    #: The issuer's signing keys: the URL or the file of a JWK Set.
    jwt_jwks: JwksSource | None = None
    #: Whether remote clients are accepted without authentication, with all scopes, while no credentials exist.
    insecure_no_auth: bool = False
    #: Whether the service may run under a PostgreSQL role that could rewrite history although it has one that cannot.
    insecure_role: bool = False
    #: Whether this start believes the clock although the database server's or the last event's time is far from it.
    accept_clock: bool = False
    #: The least severe log level that is written. Refused requests and reads of the history are always logged.
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def origin(self) -> str:
        """The log's name in its checkpoints."""
        return self.log_key.origin if self.log_key else self.log_origin or "localhost/log"


def variable(field: str) -> str:
    """Return the name of the environment variable of `field`."""
    return "DATABASE_URL" if field == "database_url" else PREFIX + field.upper()


def _is_secret(hint: Any) -> bool:
    return any(isinstance(part, type) and issubclass(part, Secret) for part in (hint, *get_args(hint)))


_HINTS = get_type_hints(Settings)
_FIELDS = {variable(field): field for field in Settings.__struct_fields__}
#: Fields by the variable that names a secret's file.
_FILE_FIELDS = {f"{name}_FILE": field for name, field in _FIELDS.items() if _is_secret(_HINTS[field])}
_LIST_FIELDS = {field for field, hint in _HINTS.items() if get_origin(hint) is tuple}
_JWT_FIELDS = {field for field in _HINTS if field.startswith("jwt_")}


def read_variables(environment: Mapping[str, str] = os.environ) -> dict[str, tuple[str, str]]:
    """Return the variable that sets each field, with its text, or that of the file it names; not yet validated.

    An empty variable is an unset one. Raises SettingsError for a variable that is unknown, duplicates another, or names
    an unreadable file.
    """
    variables: dict[str, tuple[str, str]] = {}
    for name, text in environment.items():
        if not text:
            continue
        field = _FIELDS.get(name) or _FILE_FIELDS.get(name)
        if field is not None:
            if field in variables:
                raise SettingsError(f"{variable(field)} and {variable(field)}_FILE are both set. Unset one of them")
            variables[field] = name, (text if name in _FIELDS else _read_secret(name, text))
        elif name.startswith(PREFIX) and not _is_service_link(name, text):
            raise SettingsError(f"{name} is not a setting.{_suggestion(name)}")
    return variables


def _is_service_link(name: str, text: str) -> bool:
    return any(names.fullmatch(name) and values.fullmatch(text) for names, values in _SERVICE_LINKS)


def _suggestion(name: str) -> str:
    from difflib import get_close_matches  # only where a start is refused

    known = sorted({*_FIELDS, *_FILE_FIELDS})
    similar = get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    return f" Did you mean {similar[0]}?" if similar else f" The settings are {', '.join(known)}"


def _read_secret(name: str, path: str) -> str:
    """Return the content of a secret's file, without the newline that editors append."""
    try:
        return Path(path).read_text().removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"{name}: cannot read {path!r}: {reason}") from None


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings. Raises SettingsError, which names the variable that is unknown or invalid."""
    variables = read_variables(environment)
    values = {field: _parts(text) if field in _LIST_FIELDS else text for field, (_, text) in variables.items()}
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=lambda kind, text: kind(text))
    except msgspec.ValidationError as error:
        expected, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`").partition("[")[0]
        raise SettingsError(f"{variables[field][0]}: {expected}") from None
    if settings.log_key and settings.log_origin not in (None, settings.log_key.origin):
        key_origin = settings.log_key.origin
        raise SettingsError(f"{variable('log_origin')} must be {key_origin}, the name of the log's key, or unset")
    if _JWT_FIELDS & variables.keys() and (missing := sorted(_JWT_FIELDS - variables.keys())):
        raise SettingsError(f"{variable(missing[0])} is required when another ITEMLEDGER_JWT_* variable is set")
    return settings


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def to_text(settings: Settings) -> dict[str, str]:
    """Return each variable with its value as the environment would have it, secrets as `***`."""
    return {name: _text(getattr(settings, field)) for name, field in _FIELDS.items()}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str("" if value is None else value)


def without_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment without settings, for a child process that gets its settings another way."""
    ours = {*_FIELDS, *_FILE_FIELDS}
    return {name: text for name, text in environment.items() if name not in ours and not name.startswith(PREFIX)}
