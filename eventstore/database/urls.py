"""Database URLs: which are accepted, and how they are shown.

SQLAlchemy splits a URL at the first `@`, so what follows one in a password would be read, and shown, as the host or the
database. Such a URL is refused: in one that is accepted the password is all of the password, and nothing else shows any
of it. An error never shows a value, nor the name of a parameter that a password may contain.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from eventstore.errors import UnsupportedDatabaseError

POSTGRESQL, SQLITE = "postgresql+asyncpg", "sqlite+aiosqlite"
HIDDEN = "***"

_HOST = re.compile(r"[\w.-]+")
#: One of the hosts of the parameter: a directory of sockets, or a name or address, perhaps with a port.
_PARAMETER_HOST = re.compile(r"(/[^@]*|[\w.-]*|\[[0-9A-Fa-f:.]+\])(:\d+)?")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _one_of(*values: str) -> Callable[[str], bool]:
    return values.__contains__


def _anything(_value: str) -> bool:
    return True


#: The parameters of a PostgreSQL URL, each with the check of its value, and whether the value is shown.
_PARAMETERS: dict[str, tuple[Callable[[str], object], bool]] = {
    "host": (lambda text: all(map(_PARAMETER_HOST.fullmatch, text.split(","))), True),
    "port": (lambda text: all(map(_is_port, text.split(","))), True),
    "ssl": (_one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"), True),
    "target_session_attrs": (
        _one_of("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
        True,
    ),
    "gsslib": (_one_of("gssapi", "sspi"), True),
    "prepared_statement_cache_size": (lambda text: text.isascii() and text.isdecimal(), True),
    **dict.fromkeys(
        ("user", "password", "database", "passfile", "service", "servicefile", "krbsrvname"), (_anything, False)
    ),
}
_REPEATABLE = {"host", "port"}
#: Parameters of other drivers that are named in the error, with what to write instead.
_FOREIGN = {
    **dict.fromkeys(("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl"), "Use ssl=, for example ssl=verify-full"),
    **dict.fromkeys(("connect_timeout", "command_timeout", "timeout", "options", "server_settings"), "Remove it"),
    "application_name": "Remove it",
}


def parse(text: str) -> URL:
    """Return the parts of a database URL. Raises UnsupportedDatabaseError, which shows no part of a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UnsupportedDatabaseError("it is not a valid URL") from None
    if url.drivername == SQLITE:
        _check_sqlite(url)
    elif url.drivername == POSTGRESQL:
        _check_postgresql(url, text)
    else:
        raise UnsupportedDatabaseError(f"it names the driver {url.drivername}")
    return url


def redacted(text: str) -> str:
    """Return a database URL without its password, and without any parameter's value that may be secret."""
    try:
        url = parse(text)
    except UnsupportedDatabaseError:
        return HIDDEN
    query = {name: value if _PARAMETERS[name][1] else "hidden" for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def _check_sqlite(url: URL) -> None:
    if url.host or url.port or url.username is not None or url.password is not None:
        raise UnsupportedDatabaseError("three slashes come before a relative path, and four before an absolute one")
    if url.query:
        raise UnsupportedDatabaseError("SQLite has no parameters. Write ? in a path as %3F")
    path = url.database or ""
    if path in ("", ":memory:") or path.startswith("file:") or "\0" in path:
        raise UnsupportedDatabaseError("SQLite needs the path of a file")


def _check_postgresql(url: URL, text: str) -> None:
    if text.count("@") > 1 or ("@" in text and url.username is None):
        raise UnsupportedDatabaseError(
            "there is an @ that does not come before the host. Write @ in a password as %40, / as %2F and ? as %3F"
        )
    if url.host is not None and not (_is_address if f"[{url.host}]" in text else _HOST.fullmatch)(url.host):
        raise UnsupportedDatabaseError("the host is not a valid name or address")
    if url.port is not None and not _is_port(str(url.port)):
        raise UnsupportedDatabaseError("the port is not between 1 and 65535")
    for name, given in url.query.items():
        if name in _FOREIGN:
            raise UnsupportedDatabaseError(f"the parameter {name} is not supported. {_FOREIGN[name]}")
        if name not in _PARAMETERS:  # perhaps part of a password
            raise UnsupportedDatabaseError(f"it has an unknown parameter. The parameters are {', '.join(_PARAMETERS)}")
        values = [given] if isinstance(given, str) else given
        if len(values) > 1 and name not in _REPEATABLE:
            raise UnsupportedDatabaseError(f"the parameter {name} is there twice")
        if not all(map(_PARAMETERS[name][0], values)):
            raise UnsupportedDatabaseError(f"the value of the parameter {name} is not valid")
    try:
        url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        raise UnsupportedDatabaseError("the hosts and ports of its parameters do not belong together") from None
