"""Tampered exports: detected by their lines alone, by the manifest, or by a checkpoint."""

import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from api.export import exported_log, manifest
from api.export.exported_log import LogFiles, UnreadableFileError
from api.export.manifest import Manifest
from api.schemas.event import to_event_document
from eventstore.errors import TamperedError
from eventstore.log.history import StoredEvent
from eventstore.merkle import hashing
from eventstore.merkle.tree_head import TreeHead
from tests.support.stored import hashed, whole_log

SIZE = 60
LOG = whole_log(SIZE)
#: The position of the tampered event.
AT = 30


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported_log, "_CHUNK_LINES", 16)


def head_of(events: list[StoredEvent]) -> TreeHead:
    frontier, _ = hashing.append(0, (), [event.leaf_hash for event in events])
    return TreeHead(len(events), hashing.root(frontier))


def lines(events: list[StoredEvent]) -> bytes:
    return msgspec.json.Encoder().encode_lines(list(map(to_event_document, events)))


def describe(path: Path, events: list[StoredEvent], **changes: object) -> None:
    """Write the manifest of an export of `events`, before any tampering."""
    content, head = lines(events), head_of(LOG[: events[-1].position])
    original = Manifest(
        file=path.name,
        format="jsonl",
        filter={},
        count=len(events),
        first_position=events[0].position,
        last_position=events[-1].position,
        log=manifest.LogHead(head.size, head.root.hex()),
        bytes=len(content),
        sha256=sha256(content).hexdigest(),
    )
    manifest.path_of(path).write_bytes(manifest.encode(replace(original, **changes)))


def verify(*files: Path, heads: tuple[TreeHead, ...] = ()) -> TreeHead:
    return exported_log.verify(files, heads, lambda _: None)


def fault(*files: Path, heads: tuple[TreeHead, ...] = ()) -> tuple[int, str]:
    with pytest.raises(TamperedError) as raised:
        verify(*files, heads=heads)
    return raised.value.position, raised.value.reason


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_an_export_is_the_log(path: Path) -> None:
    path.write_bytes(lines(LOG))
    heads = tuple(head_of(LOG[:size]) for size in (0, 1, 16, 17, SIZE))
    assert verify(path) == verify(path, heads=heads) == heads[-1]
    describe(path, LOG)
    assert verify(path, heads=heads) == heads[-1]


def test_an_empty_file_is_an_empty_log(path: Path) -> None:
    path.write_bytes(b"")
    assert verify(path) == head_of([])
    assert fault(path, heads=(head_of(LOG),)) == (1, "it is missing: a checkpoint covers 60 events")


def test_consecutive_exports_are_one_log(tmp_path: Path) -> None:
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    for file, events in ((first, LOG[:25]), (second, LOG[25:])):
        file.write_bytes(lines(events))
    describe(second, LOG[25:], filter={"after": 25})
    assert verify(first, second, heads=(head_of(LOG[:30]),)) == head_of(LOG)
    assert fault(second, first) == (1, "expected position 1, found 26")


#: By column, a change of its value.
CHANGES: dict[str, Callable[[StoredEvent], StoredEvent]] = {
    "item_id": lambda event: replace(event, item_id=31),
    "version": lambda event: replace(event, version=4),
    "type": lambda event: replace(event, type="item.changed.v2"),
    "data": lambda event: replace(event, data='{"price":"3"}'),
    "recorded_at": lambda event: replace(event, recorded_at=event.recorded_at - 5),
    "actor": lambda event: replace(event, actor="anonymouse"),
    "credential": lambda event: replace(event, credential="key:a"),
    "command_id": lambda event: replace(event, command_id="command-31"),
    "ordinal": lambda event: replace(event, ordinal=1),
    "correlation_id": lambda event: replace(event, correlation_id=None),
    "causation_id": lambda event: replace(event, causation_id="x"),
    "fingerprint": lambda event: replace(event, fingerprint=bytes(31) + b"x"),
    "leaf_hash": lambda event: replace(event, leaf_hash=bytes(32)),
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_value_is_detected_at_its_position(path: Path, column: str) -> None:
    events = [*LOG[: AT - 1], CHANGES[column](LOG[AT - 1]), *LOG[AT:]]
    path.write_bytes(lines(events))
    assert fault(path) == (AT, "its content does not match its stored hash")


@pytest.mark.parametrize("column", [column for column in CHANGES if column != "leaf_hash"])
def test_a_change_with_a_recomputed_hash_is_detected_by_a_later_checkpoint(path: Path, column: str) -> None:
    events = [*LOG[: AT - 1], hashed(CHANGES[column](LOG[AT - 1])), *LOG[AT:]]
    path.write_bytes(lines(events))
    heads = head_of(LOG[:20]), head_of(LOG[:AT]), head_of(LOG)
    position, reason = fault(path, heads=heads)
    if column in ("item_id", "version", "recorded_at"):
        assert position == AT  # impossible, whatever the hash
    else:
        assert (position, reason) == (
            21,
            "the tree root at 30 events does not match the checkpoint: an event between 21 and 30 was changed",
        )
    describe(path, LOG)
    assert fault(path)[0] in (1, AT)
    describe(path, events)  # an attacker can rewrite the manifest too, but not the root, which is the log's
    assert fault(path)[0] in (1, AT)


FILES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int, str]] = {
    "a line removed": (lambda all: all[: AT - 1] + all[AT:], AT, "expected position 30, found 31"),
    "a line twice": (lambda all: all[:AT] + all[AT - 1 :], AT + 1, "expected position 31, found 30"),
    "two swapped": (
        lambda all: [*all[: AT - 1], all[AT], all[AT - 1], *all[AT + 1 :]],
        AT,
        "expected position 30, found 31",
    ),
    "the beginning cut": (lambda all: all[1:], 1, "expected position 1, found 2"),
    "an empty line": (
        lambda all: [*all[: AT - 1], b"\n", *all[AT - 1 :]],
        AT,
        "its line is not an event: Input data was truncated",
    ),
    "a space": (
        lambda all: [line.replace(b":", b": ", 1) if b'position":30,' in line else line for line in all],
        AT,
        "its line differs from the canonical form of an export",
    ),
    "a member twice": (
        lambda all: [line.replace(b'{"', b'{"actor":"eve","', 1) if b'position":30,' in line else line for line in all],
        AT,
        "its line differs from the canonical form of an export",
    ),
    "a time with more digits": (
        lambda all: [line.replace(b'Z"', b'0Z"') if b'position":30,' in line else line for line in all],
        AT,
        "its line differs from the canonical form of an export",
    ),
    "the last line cut off": (
        lambda all: [*all[:-1], all[-1][:-1]],
        SIZE,
        "its line differs from the canonical form of an export",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_tampered_file_is_detected(path: Path, case: str) -> None:
    change, position, reason = FILES[case]
    path.write_bytes(b"".join(change(lines(LOG).splitlines(keepends=True))))
    assert fault(path) == (position, reason)


def test_a_truncated_file_is_detected_by_the_manifest_or_a_checkpoint(path: Path) -> None:
    path.write_bytes(lines(LOG[:50]))
    assert verify(path) == head_of(LOG[:50])  # nothing here shows that more events existed
    assert fault(path, heads=(head_of(LOG),)) == (51, "it is missing: a checkpoint covers 60 events")
    describe(path, LOG)
    assert fault(path) == (51, f"{path} has 50 events, but its manifest says 60")


def test_the_manifest_of_a_part_contains_the_size_of_the_log(path: Path) -> None:
    head = head_of(LOG)
    path.write_bytes(lines(LOG[:30]))
    describe(path, LOG[:30], filter={"before": 31}, log=manifest.LogHead(head.size, head.root.hex()))
    assert verify(path) == head_of(LOG[:30])
    exported = LogFiles([path])
    assert (exported.heads, exported.size) == ([], SIZE)
    describe(path, LOG[:30])
    assert (LogFiles([path]).heads, LogFiles([path]).size) == ([head_of(LOG[:30])], 30)


def test_a_file_with_another_first_position_than_its_manifest_is_detected(path: Path) -> None:
    path.write_bytes(lines(LOG))
    changes = {"filter": {"after": 5, "before": 66}, "first_position": 6, "last_position": 65}
    describe(path, LOG, **changes, log=manifest.LogHead(100, "0" * 64))
    assert fault(path) == (1, f"{path} begins at position 1, but its manifest says 6")


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 59},
        {"first_position": 2},
        {"last_position": 59},
        {"first_position": None, "last_position": None},
        {"log": manifest.LogHead(100, "0" * 64)},
        {"log": manifest.LogHead(59, "0" * 64)},
        {"filter": {"before": 60}},
        {"filter": {"after": 1}},
        {"filter": {"after": "one"}},
        {"count": 0, "first_position": None, "last_position": None},
    ],
)
def test_an_inconsistent_manifest_is_rejected(path: Path, changes: dict[str, object]) -> None:
    path.write_bytes(lines(LOG))
    describe(path, LOG, **changes)
    with pytest.raises(UnreadableFileError, match=r"manifest\.json is not a valid manifest: "):
        verify(path)


@pytest.mark.parametrize("described", [False, True], ids=["alone", "with its manifest"])
def test_converted_line_ends_are_told_apart_from_tampering(path: Path, described: bool) -> None:
    if described:
        describe(path, LOG)
    path.write_bytes(lines(LOG).replace(b"\n", b"\r\n"))
    with pytest.raises(UnreadableFileError, match=r"its line ends were converted from LF to CRLF.*Restore LF"):
        verify(path)
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    assert verify(path) == head_of(LOG)
    path.write_bytes(lines(LOG).replace(b"}\n", b"} \n"))
    assert fault(path) == (1, "its line differs from the canonical form of an export")


def test_any_changed_byte_is_detected(path: Path) -> None:
    chance = random.Random(20261124)
    content = lines(LOG)
    for _ in range(500):
        at = chance.randrange(len(content))
        byte = chance.choice([other for other in range(256) if other != content[at]])
        path.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
        with pytest.raises((TamperedError, UnreadableFileError)):
            verify(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "csv"}, "is a csv export"),
        ({"filter": {"type": "item.created.v1"}}, "is a filtered export"),
    ],
)
def test_another_format_or_a_filtered_export_cannot_be_verified(
    path: Path, changes: dict[str, object], words: str
) -> None:
    path.write_bytes(lines(LOG))
    describe(path, LOG, **changes)
    with pytest.raises(UnreadableFileError, match=words):
        verify(path)


@pytest.mark.parametrize("content", [b"Dear reader,\n", b"\x89PNG\r\n\x1a\n", b"[1]\n", b"\n"])
def test_other_files_are_rejected(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="is not a JSON Lines export"):
        verify(path)


def test_the_error_names_an_invalid_manifest_and_a_missing_file(path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"log\.jsonl: No such file"):
        verify(path)
    path.write_bytes(lines(LOG))
    manifest.path_of(path).write_bytes(b"{}")
    with pytest.raises(UnreadableFileError, match=r"manifest\.json is not a valid manifest: "):
        verify(path)
