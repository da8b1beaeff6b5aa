"""`itemledger console`: the offline verifier is one file that needs no other and can connect nowhere."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.console.offline.bundle import BundleError, bundle
from tests.api.cli.command import Done, assert_refused, process, without_database


def write(*arguments: object) -> Done:
    return without_database("console", "--offline-verifier", *arguments)


class Elements(HTMLParser):
    """The elements of a page, and the text of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self._inside: list[str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        self._inside = self.inline.get(tag)

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self._inside.append(data)


def test_the_page_is_one_file_whose_policy_allows_its_own_script_and_style_alone(tmp_path: Path) -> None:
    done = write(path := tmp_path / "verifier.html")
    digest = sha256(path.read_bytes()).hexdigest()
    assert (done.returncode, done.stdout) == (0, f"{path}: {path.stat().st_size:,} bytes, SHA-256 {digest}\n")
    page = Elements(path.read_text())
    for _, attributes in page.attributes:
        assert not attributes.keys() & {"src", "srcset", "href", "action", "style", "onclick"}, attributes
    (policy,) = (a["content"] for _, a in page.attributes if a.get("http-equiv") == "Content-Security-Policy")
    directives = dict(part.strip().split(" ", 1) for part in (policy or "").split(";"))
    hashes = {tag: [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts]
              for tag, texts in page.inline.items()}  # fmt: skip
    assert directives == {
        "default-src": "'none'",
        "script-src": " ".join(hashes["script"]),
        "style-src": " ".join(hashes["style"]),
        "worker-src": "blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert [*map(len, hashes.values())] == [1, 1]
    assert not re.search(r"%[A-Z]+%|<!-- [A-Z]", path.read_text())


def test_the_same_version_writes_the_same_file_to_standard_output(tmp_path: Path) -> None:
    assert write(path := tmp_path / "verifier.html").returncode == 0
    done = process("sqlite+aiosqlite:////nowhere/at/all.db", "console", "--offline-verifier", "-")
    assert (done.returncode, done.stdout, done.stderr) == (0, path.read_text(), "")


def test_a_file_is_replaced_only_if_asked(tmp_path: Path) -> None:
    (path := tmp_path / "verifier.html").write_text("mine")
    assert_refused(write(path), "already exists", "--overwrite")
    assert path.read_text() == "mine"
    assert write(path, "--overwrite").returncode == 0
    assert path.read_text().startswith("<!doctype html>")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = write(tmp_path / "none" / "verifier.html")
    assert done.returncode == 2
    assert_refused(done, "none/verifier.html", "No such file or directory")


def test_modules_are_joined_with_what_they_import_first(tmp_path: Path) -> None:
    (tmp_path / "entry.js").write_text(
        'import { f as g, C } from "./one.js";\nimport * as two from "./two.js";\ng(C, two.x);\n'
    )
    (tmp_path / "one.js").write_text('import { x } from "./two.js";\nexport async function f() {}\nexport class C {}\n')
    (tmp_path / "two.js").write_text("const y = 1;\nexport const x = y;\n")
    joined = bundle(tmp_path / "entry.js")
    assert joined.index("two.js") < joined.index("one.js") < joined.index("entry.js")
    assert "const { f: g, C: C } = module1;" in joined
    assert "const two = module0;" in joined
    assert "return { f: f, C: C };" in joined
    assert not re.search(r"^(import|export)", joined, re.MULTILINE)


def test_the_end_of_a_vendored_bundle_is_read(tmp_path: Path) -> None:
    (tmp_path / "entry.js").write_text("var a=1,b=2;export{a as sha,b};\n")
    assert "return { sha: a, b: b };" in bundle(tmp_path / "entry.js")


@pytest.mark.parametrize(
    "source",
    [
        'import x from "./other.js";',
        'import "./other.js";',
        "import { a } from './other.js';",
        'import { a } from "lit";',
        'import { default as a, "b" as c } from "./other.js";',
        "export default 1;",
        "export let a = 1;",
        'export * from "./other.js";',
        'export { a } from "./other.js";\nlet b;',
        "const { a } = b;\nexport const { c } = a;",
        'const a = import("./other.js");',
        "const a = import.meta.url;",
        'var a;import{b}from"./other.js";',
        'const a = "</SCRIPT>";',
        'const a = "<!--";',
        'import { a } from "./missing.js";',
        'import { a } from "./entry.js";\nexport const a = 1;',
    ],
)
def test_a_form_that_cannot_be_joined_is_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "other.js").write_text("export const a = 1;\n")
    (tmp_path / "entry.js").write_text(f"{source}\n")
    with pytest.raises(BundleError):
        bundle(tmp_path / "entry.js")
