"""The lines of requests: the bytes that structlog would have written, in its order, in few writes, none lost."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs

from api import logs
from api.logs import RequestLine, log_request

TEXT = st.text(max_size=20) | st.sampled_from(["\n", "\x7f", "\x9b2J", "\u2028", "é", '"}\n{"', "😀", "\\u007f", "\0"])
FIELDS = st.fixed_dictionaries(
    {
        "request_id": TEXT,
        "actor": TEXT,
        "credential": TEXT | st.none(),
        **dict.fromkeys(("address", "method"), TEXT),
        "route": TEXT | st.none(),
        "status": st.none() | st.sampled_from([0, 200, 503]),
        "code": TEXT | st.none(),
        "position": st.none() | st.integers(0, 2**63 - 1),
        "duration_ms": st.floats(0, 1e9),
        "level": st.sampled_from(["info", "warning"]),
        "timestamp": st.datetimes(timezones=st.just(UTC)),
    },
    optional={
        "reason": TEXT,
        "key_id": TEXT | st.none(),
        "scope": TEXT,
        "path": TEXT,
        "filter": st.dictionaries(TEXT, TEXT | st.integers(0, 9) | st.booleans()),
    },
)


class Stream(io.BytesIO):
    """The binary stream under a text stream, `text`. Records each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.text = io.TextIOWrapper(self, write_through=True)

    def write(self, data: Any) -> int:
        self.writes.append(bytes(data))
        return len(data)


@pytest.fixture
def stream() -> Iterator[Stream]:
    """The stream that the logs of the test go to."""
    stream = Stream()
    logs.configure("info", stream.text)
    yield stream
    logs.configure("info")
    structlog.reset_defaults()


def line(request_id: str = "a", **fields: Any) -> RequestLine:
    required = {"actor": "anonymous", "address": "127.0.0.1", "method": "GET", "route": "/livez", "status": 200}
    return RequestLine(
        request_id=request_id, **{**required, "code": None, "position": None, "duration_ms": 0.1, **fields}
    )


def ids(written: bytes) -> list[str]:
    """Return the ids of requests, and the names of other events."""
    return [(found := json.loads(text)).get("request_id", found["event"]) for text in written.splitlines()]


@given(FIELDS)
def test_a_line_is_byte_for_byte_what_structlog_would_write(fields: dict[str, Any]) -> None:
    time = fields["timestamp"].isoformat().replace("+00:00", "Z")
    given = {name: value for name, value in fields.items() if name not in ("level", "timestamp")}
    ordered = {name: given[name] for name in RequestLine.__struct_fields__ if name in given}
    expected = logs.encoded(None, "", {**ordered, "event": "request", "level": fields["level"], "timestamp": time})
    assert logs._encoded(RequestLine(**fields)) == expected


@pytest.mark.parametrize("microsecond", [0, 1, 120_000])
def test_times_are_those_of_structlog(microsecond: int, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, microsecond, UTC)
    ours = json.loads(logs._encoded(line(timestamp=now)))["timestamp"]

    class Fixed(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now

    monkeypatch.setattr("structlog.processors.datetime.datetime", Fixed, raising=True)
    stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", {})
    assert ours == stamped["timestamp"]


async def test_lines_that_are_logged_soon_after_each_other_are_few_writes(stream: Stream) -> None:
    for number in range(500):
        log_request(line(str(number)), at_any_level=False)
    logs.drain()
    assert [name for written in stream.writes for name in ids(written)] == [str(number) for number in range(500)]
    assert len(stream.writes) < 50


def test_all_lines_come_in_order(stream: Stream) -> None:
    log_request(line("a"), at_any_level=False)
    structlog.get_logger().info("by structlog")
    log_request(line("b"), at_any_level=False)
    logging.getLogger("uvicorn.error").info("by the standard library")
    log_request(line("c"), at_any_level=False, audited=True)
    logs.drain()
    assert ids(b"".join(stream.writes)) == ["a", "by structlog", "b", "by the standard library", "c"]


async def test_threads_lose_no_line(stream: Stream) -> None:
    def other() -> None:
        for number in range(500):
            structlog.get_logger().info(f"other {number}")

    writing = asyncio.create_task(asyncio.to_thread(other))
    for number in range(500):
        log_request(line(str(number)), at_any_level=False)
        if number % 7 == 0:
            await asyncio.sleep(0)
    await writing
    logs.drain()
    written = ids(b"".join(stream.writes))
    assert [name for name in written if not name.startswith("other")] == [str(number) for number in range(500)]
    assert [name for name in written if name.startswith("other")] == [f"other {number}" for number in range(500)]


async def test_a_level_hides_the_lines_of_requests_but_for_those_at_any_level(stream: Stream) -> None:
    logs.configure("error", stream.text)
    for name, at_any_level in (("hidden", False), ("must", True)):
        log_request(line(name), at_any_level=at_any_level)
        log_request(line(name, level="warning"), at_any_level=at_any_level)
    logs.drain()
    assert ids(b"".join(stream.writes)) == ["must", "must"]


@pytest.mark.parametrize("level", ["info", "warning"])
async def test_at_a_terminal_a_line_is_text(
    level: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(logs, "audit", structlog.wrap_logger(None, wrapper_class=type(logs.audit.bind())))  # not cached
    try:
        logs.configure("warning")
        log_request(line("hidden"), at_any_level=False)
        log_request(line("a", level=level, reason="no credential"), at_any_level=True)
        logs.drain()
        written = capsys.readouterr().out
        assert written.count("\n") == 1
        for text in ("request_id", "'a'", "no credential", level):
            assert text in written
        assert "scope" not in written
        assert str(UNSET) not in written
    finally:
        logs.configure("info")
        structlog.reset_defaults()


@pytest.mark.parametrize("end", ["pass", "sys.exit()", "raise RuntimeError"])
def test_the_end_of_a_process_loses_no_line(end: str) -> None:
    """Not even where the event loop ends in the turn in which it was logged."""
    code = f"""
import asyncio, sys
from api import logs
from tests.api.test_request_lines import line

async def main() -> None:
    logs.log_request(line("last"), at_any_level=False)
    {end}

logs.configure("info")
asyncio.new_event_loop().run_until_complete(main())
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    assert ids(done.stdout) == ["last"]


def test_every_field_but_the_optional_ones_is_written() -> None:
    optional = {"cut", "reason", "key_id", "scope", "path", "filter"}
    assert set(json.loads(logs._encoded(line()))) == {f.name for f in structs.fields(RequestLine)} - optional
