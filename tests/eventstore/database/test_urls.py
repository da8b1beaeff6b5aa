"""Database URLs: what is accepted, how it is shown, and that no part of a password ever is."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.database.engine import open_database
from eventstore.database.urls import parse, redacted
from eventstore.errors import UnsupportedDatabaseError

BASE = "postgresql+asyncpg://"
#: Words that occur in passwords alone, joined by what may end, quote or begin a part of a URL.
WORDS = ("swordfish", "TrueLove", "zx81")
JOINTS = ("@", "/", ":", "#", "?", "&", "=", "%", "%40", "%2F", "[", "]", "+", ";", ",", "\\", " ", "\n", "é", "")
PLACES = (
    "me:{}@db.example/items",
    "me:{}@db.example:5432/items?ssl=require",
    ":{}@db.example/items",
    "me:{}@/items?host=/run/postgresql",
    "me:{}@[::1]/items",
    "me:{}@",
    "me:{}/items",
    "me@db.example/items?password={}",
    "db.example/items?user=me&password={}&ssl=require",
    "me:{}@db.example/items?sslpassword={}",
    "me:{}@db.example/items?ssl={}",
    "me:{}@db.example:{}/items?host={}",
)
PASSWORDS = st.lists(st.sampled_from(JOINTS + WORDS), min_size=1, max_size=8).map("".join)


@given(PASSWORDS, st.sampled_from(PLACES), st.sampled_from((BASE, "postgresql://", "sqlite+aiosqlite://", "")))
def test_no_part_of_a_password_is_shown_whatever_it_contains(password: str, place: str, driver: str) -> None:
    text = driver + place.replace("{}", password)
    shown = redacted(text)
    try:
        parse(text)
    except UnsupportedDatabaseError as error:
        shown += str(error)
    if driver != "sqlite+aiosqlite://" or "@" in place:  # SQLite has no passwords, and its paths are shown
        assert not [word for word in WORDS if word in shown], (text, shown)


@given(PASSWORDS)
def test_a_password_that_is_percent_encoded_is_the_password(password: str) -> None:
    text = f"{BASE}me:{quote(password, safe='')}@db.example/items"
    assert parse(text).password == password
    assert redacted(text) == f"{BASE}me:***@db.example/items"


@pytest.mark.parametrize(
    "text",
    [
        "me:p%40ss@db.example/items?ssl=verify-full&target_session_attrs=read-write",
        "me@/items?host=h1:1&host=h2:2",
        "me@/items?host=h1,h2&port=1,2",
        "me@/items?host=/run/postgresql",
        "me@[fd00::7]:5432/items",
        "/items",
        "me@db.example",
        "me@db.example/items?prepared_statement_cache_size=0&passfile=/run/secrets/pgpass",
        "me:a/b#c?d:e@db.example/items",
    ],
)
def test_a_supported_url_is_accepted(text: str) -> None:
    open_database(BASE + text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("me:p@ss@db.example/items", "write @ in a password as %40"),
        ("m/e:pass@db.example/items", "write @ in a password as %40"),
        ("me@db.example/items?sslmode=require", "use ssl="),
        ("me@db.example/items?connect_timeout=3", "connect_timeout is not supported"),
        ("me@db.example/items?tls=yes", "unknown parameter"),
        ("me@db.example/items?ssl=yes", "value of the parameter ssl"),
        ("me@db.example/items?target_session_attrs=both", "target_session_attrs"),
        ("me@db.example/items?prepared_statement_cache_size=many", "prepared_statement_cache_size"),
        ("me@db.example/items?ssl=require&ssl=disable", "twice"),
        ("me@/items?host=a&host=b:1", "do not belong together"),
        ("me@db.example/items?port=x", "value of the parameter port"),
        ("me@db.example:0/items", "between 1 and 65535"),
        ("me@db.example:65536/items", "between 1 and 65535"),
        ("me@db.example:port/items", "not a valid URL"),
        ("me@[::1/items", "not a valid"),
        ("me@[nonsense]/items", "the host is not a valid name or address"),
        ("me@db$example/items", "the host is not a valid name"),
    ],
)
def test_an_odd_url_is_refused_in_one_sentence_that_says_what_to_do(text: str, reason: str) -> None:
    with pytest.raises(UnsupportedDatabaseError) as refused:
        open_database(BASE + text)
    assert reason.casefold() in str(refused.value).casefold()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sqlite+aiosqlite://data/items.db", "four before an absolute one"),
        ("sqlite+aiosqlite://me:secret@/items.db", "four before an absolute one"),
        ("sqlite+aiosqlite:///items.db?mode=ro", "no parameters"),
        ("sqlite+aiosqlite:///a%00b.db", "path of a file"),
        ("mysql+aiomysql://me:secret@db.example/items", "driver mysql+aiomysql"),
        ("nonsense", "not a valid URL"),
        ("", "not a valid URL"),
    ],
)
def test_an_odd_url_of_another_driver_is_refused_likewise(text: str, reason: str) -> None:
    with pytest.raises(UnsupportedDatabaseError) as refused:
        open_database(text)
    assert reason in str(refused.value)
    assert "secret" not in str(refused.value)
