"""Each setting is read from its environment variable. An unknown or invalid one is refused by name."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.auth.jwt.jwks_source import JwksSource
from api.durations import Interval
from api.edge.cors import Origin
from api.http.client_address import Network
from api.logs import encoded
from api.secret import Secret, SecretUrl
from api.settings import Settings, SettingsError, from_environment, to_text, without_settings
from api.transparency.formats.log_identity import LogKeys, LogOrigin

URL = "postgresql+asyncpg://me:swordfish@db.example/items?host=a:1&host=b:2&password=swordfish"
KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
#: Secrets that can be any text.
SECRETS = {field for field, kind in Settings.__annotations__.items() if "Secret" in str(kind)}

VARIABLES: dict[str, tuple[str, str, object]] = {
    "database_url": ("DATABASE_URL", URL, SecretUrl(URL)),
    "max_queue": ("ITEMLEDGER_MAX_QUEUE", "7", 7),
    "max_batch": ("ITEMLEDGER_MAX_BATCH", "1000", 1000),
    "max_batch_queue": ("ITEMLEDGER_MAX_BATCH_QUEUE", "3", 3),
    "max_body": ("ITEMLEDGER_MAX_BODY", "1", 1),
    "max_batch_body": ("ITEMLEDGER_MAX_BATCH_BODY", "1", 1),
    "max_depth": ("ITEMLEDGER_MAX_DEPTH", "2", 2),
    "body_timeout": ("ITEMLEDGER_BODY_TIMEOUT", "0.5", 0.5),
    "verify_interval": ("ITEMLEDGER_VERIFY_INTERVAL", "off", Interval("off")),
    "max_client_streams": ("ITEMLEDGER_MAX_CLIENT_STREAMS", "1", 1),
    "max_streams": ("ITEMLEDGER_MAX_STREAMS", "0", 0),
    "stream_lifetime": ("ITEMLEDGER_STREAM_LIFETIME", "0.5", 0.5),
    "max_requests": ("ITEMLEDGER_MAX_REQUESTS", "1", 1),
    "max_exports": ("ITEMLEDGER_MAX_EXPORTS", "1", 1),
    "max_client_connections": ("ITEMLEDGER_MAX_CLIENT_CONNECTIONS", "1", 1),
    "max_batch_bodies": ("ITEMLEDGER_MAX_BATCH_BODIES", "1", 1),
    "max_head": ("ITEMLEDGER_MAX_HEAD", "1024", 1024),
    "max_unsent": ("ITEMLEDGER_MAX_UNSENT", "65536", 65536),
    "max_header_fields": ("ITEMLEDGER_MAX_HEADER_FIELDS", "16", 16),
    "max_target": ("ITEMLEDGER_MAX_TARGET", "1024", 1024),
    "max_connections": ("ITEMLEDGER_MAX_CONNECTIONS", "1", 1),
    "head_timeout": ("ITEMLEDGER_HEAD_TIMEOUT", "0.5", 0.5),
    "answer_timeout": ("ITEMLEDGER_ANSWER_TIMEOUT", "0.5", 0.5),
    "rate_limit": ("ITEMLEDGER_RATE_LIMIT", "100", 100),
    "export_limit": ("ITEMLEDGER_EXPORT_LIMIT", "1", 1),
    "rebuild_limit": ("ITEMLEDGER_REBUILD_LIMIT", "off", "off"),
    "trusted_proxies": ("ITEMLEDGER_TRUSTED_PROXIES", "10.0.0.0/8, ::1", (Network("10.0.0.0/8"), Network("::1"))),
    "cors_origins": ("ITEMLEDGER_CORS_ORIGINS", "https://app.example", (Origin("https://app.example"),)),
    "log_key": ("ITEMLEDGER_LOG_KEY", KEY, LogKeys(KEY)),
    "log_origin": ("ITEMLEDGER_LOG_ORIGIN", "PeterNeumann", LogOrigin("PeterNeumann")),
    "jwt_issuer": ("ITEMLEDGER_JWT_ISSUER", "https://issuer.example", "https://issuer.example"),
    "jwt_audience": ("ITEMLEDGER_JWT_AUDIENCE", "items", "items"),
    "jwt_jwks": ("ITEMLEDGER_JWT_JWKS", "keys.json", JwksSource("keys.json")),
    "insecure_no_auth": ("ITEMLEDGER_INSECURE_NO_AUTH", "true", True),
    "insecure_role": ("ITEMLEDGER_INSECURE_ROLE", "true", True),
    "accept_clock": ("ITEMLEDGER_ACCEPT_CLOCK", "true", True),
    "log_level": ("ITEMLEDGER_LOG_LEVEL", "debug", "debug"),
}
INVALID = {
    "ITEMLEDGER_MAX_QUEUE": ["0", "-1", "many", "1.5", " 7", "nan", "1_0", "None"],
    "ITEMLEDGER_MAX_BATCH": ["0", "1001", "x", "9" * 30],
    "ITEMLEDGER_MAX_BATCH_QUEUE": ["0", "few"],
    "ITEMLEDGER_MAX_BODY": ["0", "64k"],
    "ITEMLEDGER_MAX_BATCH_BODY": ["0", "1m"],
    "ITEMLEDGER_MAX_DEPTH": ["1", "257", "deep"],
    "ITEMLEDGER_BODY_TIMEOUT": ["0", "-1", "nan", "soon", "-inf", "1e400"],
    "ITEMLEDGER_VERIFY_INTERVAL": ["0s", "-1h", "24", "1y", "Off", "never", " 1h", "36601d"],
    "ITEMLEDGER_MAX_CLIENT_STREAMS": ["0", "all"],
    "ITEMLEDGER_MAX_STREAMS": ["-1", "all"],
    "ITEMLEDGER_STREAM_LIFETIME": ["0", "-1", "inf", "86401", "ever"],
    "ITEMLEDGER_MAX_REQUESTS": ["0", "x"],
    "ITEMLEDGER_MAX_BATCH_BODIES": ["0", "64m"],
    "ITEMLEDGER_MAX_EXPORTS": ["0", "all"],
    "ITEMLEDGER_MAX_CLIENT_CONNECTIONS": ["0", "all"],
    "ITEMLEDGER_MAX_HEAD": ["0", "1023", "64k"],
    "ITEMLEDGER_MAX_UNSENT": ["0", "65535", "16m"],
    "ITEMLEDGER_MAX_HEADER_FIELDS": ["0", "15", "many"],
    "ITEMLEDGER_MAX_TARGET": ["0", "1023", "8k"],
    "ITEMLEDGER_MAX_CONNECTIONS": ["0", "many"],
    "ITEMLEDGER_HEAD_TIMEOUT": ["0", "inf", "3601"],
    "ITEMLEDGER_ANSWER_TIMEOUT": ["0", "never"],
    "ITEMLEDGER_RATE_LIMIT": ["0", "-1", "Off", "on", "1e9x", "1000000001"],
    "ITEMLEDGER_EXPORT_LIMIT": ["0", "none"],
    "ITEMLEDGER_REBUILD_LIMIT": ["0", "none"],
    "ITEMLEDGER_TRUSTED_PROXIES": ["*", "localhost", "10.0.0.1/8", "10.0.0.0/8;::1", "10.0.0.0/8,", "::1/129"],
    "ITEMLEDGER_CORS_ORIGINS": [
        *("*", "null", "app.example", "https://app.example/", "https://*.example", "HTTPS://app.example"),
        *(
            "https://me@app.example",
            "https://app.example:0",
            "https://a.example,",
            "https://a.example;https://b.example",
        ),
    ],
    "ITEMLEDGER_LOG_KEY": ["swordfish", KEY[:-1], f"{KEY}\n{KEY.replace('Peter', 'Paul')}"],
    "ITEMLEDGER_LOG_ORIGIN": ["example.com/my log", "a+b"],
    "ITEMLEDGER_INSECURE_NO_AUTH": ["yes", "2", "on"],
    "ITEMLEDGER_LOG_LEVEL": ["loud", "INFO", "info\n", "xinfo"],
}


def test_every_setting_has_its_variable_here() -> None:
    assert set(VARIABLES) == set(Settings.__struct_fields__)


#: Set together or not at all: tested in tests/api/auth/test_jwks.py.
TOGETHER = {"jwt_issuer", "jwt_audience", "jwt_jwks"}


@pytest.mark.parametrize("field", sorted(VARIABLES.keys() - TOGETHER))
def test_a_setting_is_read_from_its_variable_alone(field: str) -> None:
    variable, text, value = VARIABLES[field]
    settings = from_environment({variable: text, "PATH": "/bin"})
    assert msgspec.structs.asdict(settings) == {**msgspec.structs.asdict(Settings()), field: value}


def test_all_settings_have_defaults_that_are_valid() -> None:
    assert from_environment({}) == Settings()
    msgspec.convert(msgspec.structs.asdict(Settings()), Settings)


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("ITEMLEDGER_MAX_QUEUES", "Did you mean ITEMLEDGER_MAX_QUEUE?"),
        ("ITEMLEDGER_max_queue", "Did you mean ITEMLEDGER_MAX_QUEUE?"),
        ("ITEMLEDGER_MAX_QUEUE_FILE", "Did you mean ITEMLEDGER_MAX_QUEUE?"),
        ("ITEMLEDGER_LOG_KEYFILE", "Did you mean ITEMLEDGER_LOG_KEY_FILE?"),
        ("ITEMLEDGER_", "The settings are "),
        ("ITEMLEDGER_DATABASE_URL", "The settings are DATABASE_URL, DATABASE_URL_FILE, "),
    ],
)
def test_an_unknown_variable_with_the_prefix_is_refused_by_name(variable: str, advice: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable} is not a setting\. {re.escape(advice)}"):
        from_environment({variable: "1"})


#: What the Services `itemledger`, `itemledger-db` and `itemledger-max` of a namespace add to each of its containers.
SERVICE_LINKS = {
    "ITEMLEDGER_SERVICE_HOST": "10.96.12.7",
    "ITEMLEDGER_SERVICE_PORT": "8000",
    "ITEMLEDGER_SERVICE_PORT_HTTP": "8000",
    "ITEMLEDGER_PORT": "tcp://10.96.12.7:8000",
    "ITEMLEDGER_PORT_8000_TCP": "tcp://10.96.12.7:8000",
    "ITEMLEDGER_PORT_8000_TCP_PROTO": "tcp",
    "ITEMLEDGER_PORT_8000_TCP_PORT": "8000",
    "ITEMLEDGER_PORT_8000_TCP_ADDR": "10.96.12.7",
    "ITEMLEDGER_DB_SERVICE_HOST": "fd00::7",
    "ITEMLEDGER_DB_SERVICE_PORT_POSTGRESQL_RW": "5432",
    "ITEMLEDGER_DB_PORT": "tcp://[fd00::7]:5432",
    "ITEMLEDGER_DB_PORT_5432_TCP_ADDR": "fd00::7",
    "ITEMLEDGER_MAX_PORT_53_UDP": "udp://10.96.12.8:53",
    "ITEMLEDGER_MAX_PORT_53_UDP_PROTO": "udp",
}


def test_what_kubernetes_adds_for_a_service_of_our_name_is_passed_over() -> None:
    assert from_environment({**SERVICE_LINKS, "ITEMLEDGER_MAX_QUEUE": "7"}) == Settings(max_queue=7)
    ours = {name for variable, _, _ in VARIABLES.values() for name in (variable, f"{variable}_FILE")}
    assert not [name for name in ours if re.search(r"_PORT|_SERVICE", name)], "a Service could set it"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ITEMLEDGER_PORT", "8000"),
        ("ITEMLEDGER_SERVICE_HOST", "every.example"),
        ("ITEMLEDGER_SERVICE_PORT", "http"),
        ("ITEMLEDGER_PORT_8000", "tcp://10.96.12.7:8000"),
        ("ITEMLEDGER_SERVICE", "10.96.12.7"),
        ("ITEMLEDGER_MAX_REPORT", "tcp://10.96.12.7:8000"),
    ],
)
def test_what_only_resembles_it_is_refused(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable} is not a setting\."):
        from_environment({variable: text})


def test_an_empty_variable_is_an_unset_one() -> None:
    names = [name for variable, _, _ in VARIABLES.values() for name in (variable, f"{variable}_FILE")]
    assert from_environment(dict.fromkeys(names, "")) == Settings()
    assert from_environment({"DATABASE_URL": URL, "DATABASE_URL_FILE": ""}).database_url == SecretUrl(URL)


@pytest.mark.parametrize(("variable", "text"), [(name, text) for name, texts in INVALID.items() for text in texts])
def test_an_invalid_value_is_refused_by_name(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable}: "):
        from_environment({variable: text})


def test_the_log_has_the_name_of_its_key() -> None:
    with pytest.raises(
        SettingsError, match=r"^ITEMLEDGER_LOG_ORIGIN must be PeterNeumann, the name of the log's key, or unset$"
    ):
        from_environment({"ITEMLEDGER_LOG_KEY": KEY, "ITEMLEDGER_LOG_ORIGIN": "example.com/log"})
    assert from_environment({"ITEMLEDGER_LOG_KEY": KEY, "ITEMLEDGER_LOG_ORIGIN": "PeterNeumann"}).log_key


@pytest.mark.parametrize("field", sorted(SECRETS))
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_can_be_read_from_a_file(field: str, end: str, tmp_path: Path) -> None:
    variable, text, value = VARIABLES[field]
    (tmp_path / "secret").write_bytes((text + end).encode())
    settings = from_environment({f"{variable}_FILE": str(tmp_path / "secret")})
    assert getattr(settings, field) == value


def test_a_secret_is_set_only_once(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(URL)
    for order in (1, -1):
        both = [("DATABASE_URL", URL), ("DATABASE_URL_FILE", str(tmp_path / "secret"))][::order]
        with pytest.raises(SettingsError, match=r"^DATABASE_URL and DATABASE_URL_FILE are both set"):
            from_environment(dict(both))


@pytest.mark.parametrize("case", ["missing", "a directory", "no text", "NUL in the name"])
def test_an_unreadable_file_of_a_secret_is_refused_by_name(case: str, tmp_path: Path) -> None:
    (tmp_path / "a directory").mkdir()
    (tmp_path / "no text").write_bytes(b"swordfish\xff")
    path = {"NUL in the name": "a\0b"}.get(case, str(tmp_path / case))
    with pytest.raises(SettingsError, match=r"^DATABASE_URL_FILE: cannot read .*: ") as refused:
        from_environment({"DATABASE_URL_FILE": path})
    assert "swordfish" not in str(refused.value)


@pytest.mark.parametrize("field", sorted(SECRETS))
def test_a_secret_is_hidden_wherever_it_is_written(field: str) -> None:
    settings = msgspec.structs.replace(Settings(), **{field: type(VARIABLES[field][2])(URL)})  # type: ignore[call-arg]
    texts: list[Any] = [repr(settings), str(settings), f"{settings!r:s}", to_text(settings)]
    texts += [encoded(None, "", {"event": "a line of the log", "settings": settings, "it": getattr(settings, field)})]
    for text in map(str, texts):
        assert "swordfish" not in text
        assert "***" in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "postgresql+asyncpg://me:***@db.example/items?host=a%3A1&host=b%3A2&password=hidden"),
        ("sqlite+aiosqlite:///a@b.db", "sqlite+aiosqlite:///a%40b.db"),
        ("not a url, but swordfish", "***"),
        ("postgresql+asyncpg://me:swordfish@host:port/", "***"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert repr(SecretUrl(url)) == str(SecretUrl(url)) == shown


def test_secrets_are_equal_by_their_text() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a").reveal() == "a"


def test_the_shown_text_is_read_as_the_same_settings() -> None:
    settings = from_environment({variable: text for variable, text, _ in VARIABLES.values()})
    again = {name: text for name, text in to_text(settings).items() if text and "***" not in text}
    assert to_text(from_environment({"DATABASE_URL": URL, "ITEMLEDGER_LOG_KEY": KEY, **again})) == to_text(settings)


def test_a_child_process_can_get_the_environment_without_settings() -> None:
    ours = {name: "" for variable, _, _ in VARIABLES.values() for name in (variable, f"{variable}_FILE")}
    assert without_settings({**ours, "ITEMLEDGER_ANYTHING": "", "PATH": "/bin"}) == {"PATH": "/bin"}
