"""The offline verifier, opened from its file: what it says of files that are intact, tampered with, or not enough."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.cli.exit_codes import FOUND
from api.transparency.formats.checkpoint import Checkpoint
from tests.api.cli.command import without_database
from tests.browser.rig.axe import every_look
from tests.browser.rig.watch import Watch
from tests.vectors.build import load
from tests.vectors.exports import LOG, SIZE, described, lines_of, root_of
from tests.vectors.notes import FOREIGN, KEY, ORIGIN

PROOFS = load("proof_files")
KEY_TEXT = str(KEY.verifier)
EXPORT = lines_of(LOG)
LINES = EXPORT.splitlines(keepends=True)


def checkpoint(size: int, root: bytes | None = None) -> str:
    return Checkpoint(ORIGIN, size, root or root_of(size)).write([KEY])


@dataclass
class Verifier:
    """The page, and the folder with the user's files."""

    page: Page
    folder: Path

    def files(self, contents: dict[str, bytes | str]) -> list[Path]:
        for name, content in contents.items():
            (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return [self.folder / name for name in contents]

    def choose(self, contents: dict[str, bytes | str], key: str = "") -> None:
        self.page.get_by_label("Choose files").set_input_files(self.files(contents))
        expect(self.page.get_by_role("list", name="Recognised files").get_by_role("listitem")).to_have_count(
            len(contents)
        )
        self.page.get_by_label("The log's public key").fill(key)

    def verify(self, contents: dict[str, bytes | str], key: str = "") -> list[str]:
        """Return the headlines of what is found."""
        self.choose(contents, key)
        self.page.get_by_role("button", name="Verify").click()
        expect(self.page.get_by_role("heading", name="Result")).to_be_focused()
        return self.page.locator("article h3").all_inner_texts()

    def details(self) -> str:
        return "\n".join(self.page.locator("article li").all_inner_texts())


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verifier") / "verifier.html"
    assert without_database("console", "--offline-verifier", path).returncode == 0
    return path


@pytest.fixture
def verifier(page: Page, written: Path, tmp_path: Path) -> Verifier:
    page.goto(written.as_uri())
    return Verifier(page, tmp_path)


def test_an_intact_log_is_verified_with_its_manifest_checkpoints_and_key(verifier: Verifier) -> None:
    files: dict[str, bytes | str] = {
        "log.jsonl": EXPORT,
        "log.jsonl.manifest.json": described(LOG),
        "monday.checkpoint": checkpoint(7),
        "friday.checkpoint": checkpoint(SIZE),
        "log.pub": f"{KEY_TEXT}\n",
    }
    assert verifier.verify(files) == [f"INTACT: the log of {SIZE} events"]
    details = verifier.details()
    assert f"Root of the tree: {root_of(SIZE).hex()}" in details
    assert f"Checkpoint of {ORIGIN} at size 7 (monday.checkpoint): signature verified" in details
    assert f"Checkpoint of {ORIGIN} at size {SIZE} (friday.checkpoint): signature verified" in details
    assert "log.jsonl: matches log.jsonl.manifest.json" in details


def test_what_was_not_checked_is_said(verifier: Verifier) -> None:
    assert verifier.verify({"log.jsonl": EXPORT}) == [f"INTACT: the log of {SIZE} events"]
    assert "a truncated or fully rewritten log cannot be detected" in verifier.details()
    assert "no manifest was given" in verifier.details()
    verifier.page.get_by_role("button", name="Remove all files").click()
    expect(verifier.page.get_by_role("list", name="Recognised files")).to_have_text("")
    verifier.verify({"log.jsonl": EXPORT, "c": checkpoint(SIZE)})
    assert "signature not checked: no public key was given" in verifier.details()


def changed(line: bytes) -> bytes:
    return line.replace(b"anonymous", b"anonymouse")


#: What is wrong: the files, the key, and the first headline.
CASES: dict[str, tuple[dict[str, bytes | str], str, str]] = {
    "a changed line": (
        {"log.jsonl": b"".join([*LINES[:9], changed(LINES[9]), *LINES[10:]])},
        "",
        "TAMPERED WITH at position 10: its content does not match its stored hash",
    ),
    "swapped lines": (
        {"log.jsonl": b"".join([*LINES[:9], LINES[10], LINES[9], *LINES[11:]])},
        "",
        "TAMPERED WITH at position 10: expected position 10, found 11",
    ),
    "the manifest of another file": (
        {"log.jsonl": EXPORT, "log.jsonl.manifest.json": described(LOG, sha256="0" * 64)},
        "",
        f"TAMPERED WITH at position {SIZE}: log.jsonl does not match the SHA-256 in its manifest",
    ),
    "the end cut": (
        {"log.jsonl": b"".join(LINES[:15]), "log.jsonl.manifest.json": described(LOG)},
        "",
        "TAMPERED WITH at position 16: log.jsonl has 15 events, but its manifest says 20",
    ),
    "the end cut, and a checkpoint": (
        {"log.jsonl": b"".join(LINES[:15]), "kept": checkpoint(SIZE)},
        KEY_TEXT,
        "TAMPERED WITH at position 16: it is missing: a checkpoint covers 20 events",
    ),
    "cut within a line": (
        {"log.jsonl": EXPORT[:-40]},
        "",
        f"TAMPERED WITH at position {SIZE}: its line differs from the canonical form of an export",
    ),
    "a checkpoint that contradicts the log": (
        {"log.jsonl": EXPORT, "early": checkpoint(7), "kept": checkpoint(15, bytes(32))},
        KEY_TEXT,
        "TAMPERED WITH at position 8: the tree root at 15 events does not match the checkpoint: "
        "an event between 8 and 15 was changed",
    ),
    "checkpoints that contradict each other": (
        {"a.checkpoint": checkpoint(7), "b.checkpoint": checkpoint(7, bytes(32))},
        KEY_TEXT,
        "CONTRADICTION: a.checkpoint and b.checkpoint have different roots of the same 7 events",
    ),
    "the key of another log": (
        {"log.jsonl": EXPORT, "kept": checkpoint(SIZE)},
        str(FOREIGN.verifier),
        f"NOT VERIFIABLE: kept: the checkpoint is of {ORIGIN}, not of other.example.com/log",
    ),
    "a key that is not one": (
        {"log.jsonl": EXPORT},
        KEY_TEXT[:-1],
        "NOT VERIFIABLE: A public key: a public key must be NAME+ID+BASE64",
    ),
    "a changed checkpoint": (
        {"log.jsonl": EXPORT, "kept": checkpoint(SIZE).replace("\n20\n", "\n19\n")},
        KEY_TEXT,
        f"NOT VERIFIABLE: kept: the signature of {ORIGIN} does not match the text",
    ),
    "CRLF": (
        {"log.jsonl": EXPORT.replace(b"\n", b"\r\n")},
        "",
        "NOT VERIFIABLE: log.jsonl: its line ends were converted from LF to CRLF",
    ),
    "selected events": (
        {"log.jsonl": EXPORT, "log.jsonl.manifest.json": described(LOG, filter={"actor": "eve"})},
        "",
        "NOT VERIFIABLE: log.jsonl.manifest.json is of a filtered export",
    ),
    "a picture": ({"picture.png": b"\x89PNG\r\n\x1a\n\xff"}, "", "NOT VERIFIABLE: picture.png: it is not text"),
    "a private key": ({"log.key": KEY.write()}, "", "NOT VERIFIABLE: log.key: it is a PRIVATE key"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_named(verifier: Verifier, case: str) -> None:
    files, key, headline = CASES[case]
    found = verifier.verify(files, key)
    assert found[0].startswith(headline)
    assert "INTACT" not in " ".join(found)
    tone = {"TAMPERED": "bad", "CONTRADICTION:": "bad", "NOT": "unknown"}[headline.split(" ")[0]]
    assert verifier.page.locator("article").first.get_attribute("class") == tone


def test_files_of_parts_are_one_log_in_any_order(verifier: Verifier) -> None:
    files: dict[str, bytes | str] = {"a": b"".join(LINES[8:]), "z": b"".join(LINES[:8]), "kept": checkpoint(SIZE)}
    assert verifier.verify(files, KEY_TEXT) == [f"INTACT: the log of {SIZE} events"]


def proof_case(kind: str, name: str) -> str:
    return next(str(case["text"]) for case in PROOFS[kind] if case["name"] == name)


def test_proofs_are_verified_in_both_forms(verifier: Verifier) -> None:
    as_json, as_text = proof_case("inclusion", "an event"), proof_case("inclusion", "text")
    found = verifier.verify({"event-4.json": as_json, "event-4.tlog-proof": as_text}, PROOFS["public_key"])
    proven = f"PROVEN: event 4 is in the log {ORIGIN} at size 7"
    assert found == [f"{proven} (event-4.json)", f"{proven} (event-4.tlog-proof)"]
    assert "Checkpoint: signature verified" in verifier.details()
    assert "recorded_at: 2026-11-24T08:00:00.000004Z" in verifier.details()


@pytest.mark.parametrize("name", ["a hash changed", "another event", "another root"])
def test_a_proof_that_fails_is_named(verifier: Verifier, name: str) -> None:
    (found,) = verifier.verify({"p.json": proof_case("inclusion", name)}, PROOFS["public_key"])
    assert found.startswith("NOT PROVEN that event 4 is in the log")


def test_an_event_dropped_with_a_proof_must_be_the_proven_one(verifier: Verifier) -> None:
    proof, event = proof_case("inclusion", "an event"), LINES[3].rstrip()
    files: dict[str, bytes | str] = {"p.json": proof, "e.json": event}
    assert verifier.verify(files, PROOFS["public_key"])[0].startswith("PROVEN")
    verifier.page.get_by_role("button", name="Remove all files").click()
    expect(verifier.page.get_by_role("list", name="Recognised files")).to_have_text("")
    (found,) = verifier.verify({**files, "e.json": changed(event)}, PROOFS["public_key"])
    assert found.endswith("it is the proof of a different event, or the event was changed")


def test_a_consistency_proof_is_verified_between_checkpoints(verifier: Verifier) -> None:
    case = next(case for case in PROOFS["consistency"] if case["name"] == "grown")
    files: dict[str, bytes | str] = {"old": case["old"], "grown.json": case["text"]}
    found = verifier.verify({**files, "new": case["new"]}, PROOFS["public_key"])
    assert found[0] == f"CONSISTENT: the log {ORIGIN} at size 7 begins with the log at size 3 (grown.json)"
    verifier.page.get_by_role("button", name="Remove all files").click()
    expect(verifier.page.get_by_role("list", name="Recognised files")).to_have_text("")
    found = verifier.verify({**files, "new": checkpoint(7, bytes(32))}, PROOFS["public_key"])
    assert found[0].startswith("NOT CONSISTENT")


def test_a_verification_can_be_cancelled(verifier: Verifier) -> None:
    # A worker that never answers: only the user can stop it.
    verifier.page.evaluate(
        """() => { document.getElementById("program").text = "addEventListener('message', () => {})"; }"""
    )
    verifier.choose({"log.jsonl": EXPORT})
    verifier.page.get_by_role("button", name="Verify").click()
    expect(verifier.page.get_by_role("progressbar")).to_be_visible()
    verifier.page.get_by_role("button", name="Cancel").press("Enter")
    expect(verifier.page.locator("article h3")).to_have_text("Cancelled: nothing was verified.")


def test_files_can_be_dropped_anywhere(verifier: Verifier) -> None:
    verifier.page.evaluate(
        """(text) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], "log.jsonl"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        EXPORT.decode(),
    )
    expect(verifier.page.get_by_role("listitem")).to_have_text("log.jsonl: exported events")
    verifier.page.get_by_role("button", name="Verify").click()
    expect(verifier.page.locator("article h3")).to_have_text(f"INTACT: the log of {SIZE} events")


def test_the_page_can_be_used_by_keyboard_alone(verifier: Verifier) -> None:
    page = verifier.page
    page.keyboard.press("Tab")
    expect(page.get_by_label("Choose files")).to_be_focused()
    page.get_by_label("Choose files").set_input_files(verifier.files({"log.jsonl": EXPORT}))
    for target in (
        page.get_by_role("button", name="Remove all files"),
        page.get_by_label("The log's public key"),
        page.get_by_role("button", name="Verify"),
    ):
        expect(page.get_by_role("button", name="Remove all files")).to_be_visible()
        page.keyboard.press("Tab")
        expect(target).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Result")).to_be_focused()


def test_the_page_can_connect_nowhere(verifier: Verifier, watch: Watch) -> None:
    watch.expect("Content Security Policy")
    watch.expect(": csp$")  # the browser itself gave the request up
    watch.origins.add("http://127.0.0.1:9")
    attempts = """async (url) => {
      const blocked = [];
      document.addEventListener("securitypolicyviolation", (violation) => {
        blocked.push(violation.effectiveDirective);
      });
      await fetch(url).catch(() => 0);
      document.body.append(Object.assign(new Image(), { src: url }));
      document.head.append(Object.assign(document.createElement("script"), { textContent: "window.ran = true" }));
      while (blocked.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
      return [blocked.sort(), window.ran === undefined];
    }"""
    assert verifier.page.evaluate(attempts, "http://127.0.0.1:9/") == [
        ["connect-src", "img-src", "script-src-elem"],
        True,
    ]


@every_look
def test_the_page_is_accessible_before_and_after(verifier: Verifier, axe: Callable[[], None]) -> None:
    axe()
    forged = b"".join([*LINES[:9], changed(LINES[9]), *LINES[10:]])
    files: dict[str, bytes | str] = {"log.jsonl": forged, "a": b"\xff", "kept": checkpoint(7), "other": checkpoint(7)}
    verifier.verify(files, KEY_TEXT)
    axe()
    verifier.page.get_by_role("button", name="Remove all files").click()
    verifier.verify({"p.json": proof_case("inclusion", "an event")}, PROOFS["public_key"])
    axe()
    width = verifier.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "the page scrolls sideways"


def test_the_command_line_agrees(verifier: Verifier) -> None:
    files: dict[str, bytes | str] = {"log.jsonl": CASES["a changed line"][0]["log.jsonl"]}
    (headline,) = verifier.verify(files)
    done = without_database("verify", "log", *verifier.files(files), "--json")
    assert done.returncode == FOUND
    fault = json.loads(done.stdout)["fault"]
    assert headline == f"TAMPERED WITH at position {fault['position']}: {fault['reason']}"
