"""Vectors of exported files, with their manifests and checkpoints: intact, tampered with, not verifiable."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from api.export import manifest
from api.export.manifest import LogHead, Manifest
from api.schemas.event import to_event_document
from eventstore.log.history import StoredEvent
from tests.support.stored import hashed, whole_log
from tests.vectors.proof_files import mth

SIZE = 20
LOG = whole_log(SIZE)
#: The position of the tampered event.
AT = 10
_CANONICAL = "its line differs from the canonical form of an export"


def build() -> dict[str, Any]:
    """Return the lines of a log, and cases: files, heads that the log must have had, and the verdict on them.

    A file is a list of runs of lines of the log, `[first, last]`, and of other bytes in base64.
    """
    return {
        "log": lines_of(LOG).decode().splitlines(),
        "cases": [*_intact(), *_tampered_lines(), *_tampered_events(), *_with_manifests(), *_unreadable()],
    }


def lines_of(events: Sequence[StoredEvent]) -> bytes:
    return msgspec.json.Encoder().encode_lines(list(map(to_event_document, events)))


def root_of(size: int) -> bytes:
    return mth([event.leaf_hash for event in LOG[:size]])


def described(events: Sequence[StoredEvent], content: bytes | None = None, **changes: Any) -> str:
    """Return the manifest of a file."""
    content = lines_of(events) if content is None else content
    last = events[-1].position
    original = Manifest(
        file="log.jsonl",
        format="jsonl",
        filter={},
        count=len(events),
        first_position=events[0].position,
        last_position=last,
        log=LogHead(last, root_of(last).hex()),
        bytes=len(content),
        sha256=sha256(content).hexdigest(),
    )
    return manifest.encode(replace(original, **changes)).decode()


File = bytes | tuple[bytes, str]


def _case(
    name: str, files: Sequence[File], kind: str, *, heads: Sequence[int | tuple[int, bytes]] = (), **expected: Any
) -> dict[str, Any]:
    """Return a case. A head is a size, with the root that it has, or another one."""
    written = [
        {"content": _runs(content), "manifest": text}
        for content, text in (file if isinstance(file, tuple) else (file, None) for file in files)
    ]
    known = [(head, root_of(head)) if isinstance(head, int) else head for head in heads]
    return {
        "name": name,
        "files": written,
        "heads": [{"size": size, "root": root.hex()} for size, root in known],
        "expected": {"kind": kind, **expected},
    }


def _runs(content: bytes) -> list[list[int] | str]:
    original = {line: number for number, line in enumerate(lines_of(LOG).splitlines(keepends=True), 1)}
    runs: list[list[int] | str] = []
    for line in content.splitlines(keepends=True):
        number = original.get(line)
        if number is None:
            runs.append(b64encode(line).decode())
        elif runs and isinstance(run := runs[-1], list) and run[1] == number - 1:
            run[1] = number
        else:
            runs.append([number, number])
    return runs


def content_of(vectors: dict[str, Any], runs: list[Any]) -> bytes:
    """Return the bytes of a file of a case."""
    lines = [f"{line}\n".encode() for line in vectors["log"]]
    return b"".join(b64decode(run) if isinstance(run, str) else b"".join(lines[run[0] - 1 : run[1]]) for run in runs)


def _intact() -> Iterator[dict[str, Any]]:
    whole: dict[str, Any] = {"size": SIZE, "root": root_of(SIZE).hex(), "unknown_types": {}}
    yield _case("a log", [lines_of(LOG)], "intact", **whole)
    yield _case("a log with checkpoints", [lines_of(LOG)], "intact", heads=[0, 1, 7, 16, 19, SIZE, SIZE], **whole)
    yield _case("a log with its manifest", [(lines_of(LOG), described(LOG))], "intact", **whole)
    yield _case("nothing", [b""], "intact", size=0, root=root_of(0).hex(), unknown_types={})
    parts = [(lines_of(LOG[:8]), described(LOG[:8])), (lines_of(LOG[8:]), described(LOG[8:], filter={"after": 8}))]
    yield _case("two files", parts, "intact", heads=[8], **whole)
    bounded = described(LOG[:8], filter={"before": "9"}, log=LogHead(SIZE, root_of(SIZE).hex()))
    first: dict[str, Any] = {"size": 8, "root": root_of(8).hex(), "unknown_types": {}}
    yield _case("the first part of a longer log", [(lines_of(LOG[:8]), bounded)], "intact", **first)
    future = [hashed(replace(LOG[0], type="item.moved.v7", data='{"to":1}'))]
    future_root = future[0].leaf_hash.hex()
    yield _case(
        "a type of the future",
        [lines_of(future)],
        "intact",
        size=1,
        root=future_root,
        unknown_types={"item.moved.v7": 1},
    )


def _tampered(
    name: str, files: Sequence[File], position: int, reason: str, heads: Sequence[int | tuple[int, bytes]] = ()
) -> dict[str, Any]:
    return _case(name, files, "tampered", heads=heads, position=position, reason=reason)


def _tampered_lines() -> Iterator[dict[str, Any]]:
    all = lines_of(LOG).splitlines(keepends=True)
    before, line, after = all[: AT - 1], all[AT - 1], all[AT:]
    yield _tampered("a line removed", [b"".join(before + after)], AT, "expected position 10, found 11")
    yield _tampered("a line twice", [b"".join([*before, line, line, *after])], AT + 1, "expected position 11, found 10")
    swapped = [*before, after[0], line, *after[1:]]
    yield _tampered("two lines swapped", [b"".join(swapped)], AT, "expected position 10, found 11")
    yield _tampered("the beginning cut", [b"".join(all[1:])], 1, "expected position 1, found 2")
    yield _tampered("an empty line", [b"".join([*before, b"\n", line, *after])], AT, "its line")
    yield _tampered("an empty line at the end", [b"".join([*all, b"\n"])], SIZE + 1, "its line")
    yield _tampered("a space", [b"".join([*before, line.replace(b":", b": ", 1), *after])], AT, _CANONICAL)
    repeated = line.replace(b'{"', b'{"actor":"eve","', 1)
    yield _tampered("a member twice", [b"".join([*before, repeated, *after])], AT, _CANONICAL)
    broken = line.replace(b"anonymous", b"anonym\xffus")
    yield _tampered("a byte that is not UTF-8", [b"".join([*before, broken, *after])], AT, "its line")
    yield _tampered("the last newline missing", [b"".join(all)[:-1]], SIZE, _CANONICAL)
    yield _tampered("the last line cut", [b"".join(all)[:-40]], SIZE, "its line")
    yield _tampered("two lines in one", [b"".join([*before, line[:-1] + after[0], *after[1:]])], AT, "")
    rounded = line.replace(b'"position":10', b'"position":18446744073709551616')
    yield _tampered("a position beyond all numbers", [b"".join([*before, rounded, *after])], AT, "")
    missing = "it is missing: a checkpoint covers 20 events"
    yield _tampered("the end cut", [b"".join(all[:15])], 16, missing, heads=[SIZE])
    yield _tampered("nothing left", [b""], 1, missing, heads=[SIZE])


def _tampered_events() -> Iterator[dict[str, Any]]:
    original = LOG[AT - 1]
    stale = "its content does not match its stored hash"
    for column, value in (
        *(("item_id", 1), ("version", 9), ("type", "item.deleted.v1"), ("data", '{"price":"1"}')),
        *(("recorded_at", original.recorded_at + 1), ("actor", "eve"), ("credential", "key:other"), ("ordinal", 1)),
        *(("command_id", "other"), ("correlation_id", "other"), ("causation_id", "other"), ("fingerprint", b"x" * 32)),
        ("leaf_hash", bytes(32)),
    ):
        events = [*LOG[: AT - 1], replace(original, **{column: value}), *LOG[AT:]]
        yield _tampered(f"another {column}", [lines_of(events)], AT, stale)
    for name, changes, reason in (
        ("a version left out", {"version": 2}, "expected version 1 of item 10, found 2"),
        ("a version twice", {"item_id": 7, "version": 3}, "expected version 4 of item 7, found 3"),
        ("an item that was never created", {"item_id": 8, "version": 1}, "it belongs to item 8"),
        ("an item of the future", {"item_id": 11, "version": 1}, "it belongs to item 11"),
        ("item 0", {"item_id": 0, "version": 1}, "it belongs to item 0"),
        (
            "an item beyond the exact numbers",
            {"item_id": 2**60 + 1, "version": 1},
            "it belongs to item 1152921504606846977",
        ),
        ("an earlier time", {"recorded_at": LOG[0].recorded_at}, "its time is before the previous event's time"),
        (
            "data with a space",
            {"data": '{"name": "a","price":"1","in_stock":true}'},
            "its data is not that of an event",
        ),
        ("data of another type", {"data": "{}"}, "its data is not that of an event"),
    ):
        events = [*LOG[: AT - 1], hashed(replace(original, **changes)), *LOG[AT:]]
        yield _tampered(f"{name}, with its hash", [lines_of(events)], AT, reason)
    forged = [*LOG[: AT - 1], hashed(replace(original, actor="eve")), *LOG[AT:]]
    between = "the tree root at {} events does not match the checkpoint: an event between {} and {} was changed"
    yield _tampered("a rewritten event", [lines_of(forged)], 8, between.format(15, 8, 15), heads=[7, 15, SIZE])
    yield _tampered("a rewritten event, at once", [lines_of(forged)], 10, between.format(10, 10, 10), heads=[9, 10])
    yield _tampered(
        "a wrong checkpoint of the end", [lines_of(LOG)], 1, between.format(20, 1, 20), heads=[(SIZE, bytes(32))]
    )
    yield _tampered(
        "a wrong checkpoint of the empty log", [lines_of(LOG)], 0, between.format(0, 0, 0), heads=[(0, bytes(32))]
    )
    yield _tampered(
        "two checkpoints of one size", [lines_of(LOG)], 1, "the tree root at 7 events", heads=[7, (7, bytes(32))]
    )
    first = "its content does not match its stored hash"
    twice = [*LOG[: AT - 1], replace(original, actor="eve"), *LOG[AT:]]
    yield _tampered("the first of two faults counts", [lines_of(twice)], AT, first, heads=[7, (SIZE, bytes(32))])
    yield _tampered(
        "a checkpoint before the fault", [lines_of(twice)], 1, between.format(9, 1, 9), heads=[(9, bytes(32))]
    )


def _with_manifests() -> Iterator[dict[str, Any]]:
    content = lines_of(LOG)
    short = (lines_of(LOG[:15]), described(LOG))
    yield _tampered("a manifest of more events", [short], 16, "but its manifest says 20")
    other = (content, described(LOG, sha256="0" * 64))
    yield _tampered("a manifest of another file", [other], SIZE, "does not match the SHA-256 in its manifest")
    moved: dict[str, Any] = {
        "filter": {"after": 5, "before": 26},
        "first_position": 6,
        "last_position": 25,
        "log": LogHead(100, "0" * 64),
    }
    yield _tampered("a manifest of other positions", [(content, described(LOG, **moved))], 1, "but its manifest says 6")
    rooted = described(LOG, log=LogHead(SIZE, "0" * 64))
    yield _tampered("a manifest of another log", [(content, rooted)], 1, "does not match the checkpoint")
    parts = [(lines_of(LOG[8:]), described(LOG[8:], filter={"after": 8})), (lines_of(LOG[:8]), described(LOG[:8]))]
    yield _tampered("two files in the wrong order", parts, 1, "expected position 1, found 9")


def _unreadable() -> Iterator[dict[str, Any]]:
    content = lines_of(LOG)
    yield _case("CRLF", [content.replace(b"\n", b"\r\n")], "unreadable", reason="converted from LF to CRLF")
    pair = (content.replace(b"\n", b"\r\n"), described(LOG))
    yield _case("CRLF, with its manifest", [pair], "unreadable", reason="converted from LF to CRLF")
    for name, other in (
        ("a letter", b"Dear reader,\n"),
        ("a picture", b"\x89PNG\r\n\x1a\n"),
        ("an array", b"[1]\n"),
        ("an empty line alone", b"\n"),
    ):
        yield _case(name, [other], "unreadable", reason="is not a JSON Lines export")
    yield _case("a letter at the end", [content, b"Dear reader,\n"], "unreadable", reason="is not a JSON Lines export")
    contradictions: tuple[dict[str, Any], ...] = (
        {"count": 19},
        {"first_position": 2},
        {"last_position": 19},
        {"first_position": None, "last_position": None},
        {"log": LogHead(100, "0" * 64)},
        {"log": LogHead(19, "0" * 64)},
        {"filter": {"before": 20}},
        {"filter": {"after": 1}},
        {"filter": {"after": "one"}},
        {"count": 0, "first_position": None, "last_position": None},
        {"count": -1},
        {"sha256": "0"},
        {"log": LogHead(20, "XYZ")},
    )
    for changes in contradictions:
        wrong = described(LOG, **changes)
        yield _case(f"a manifest with {changes}", [(content, wrong)], "unreadable", reason="is not a valid manifest")
    yield _case("a manifest that is not JSON", [(content, "{")], "unreadable", reason="is not a valid manifest")
    yield _case("a manifest that is a list", [(content, "[]")], "unreadable", reason="is not a valid manifest")
    yield _case("CSV", [(content, described(LOG, format="csv"))], "unreadable", reason="csv export")
    selected = described(LOG, filter={"type": "item.created.v1"})
    yield _case("selected events", [(content, selected)], "unreadable", reason="filtered export")
