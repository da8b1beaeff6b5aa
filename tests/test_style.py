"""Reject the worst words: CONTRIBUTING.md asks for plain English, and this test keeps the most frequent lapses out."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: A docstring says what a function does in the imperative of a plain verb: Return, Raise, Check, Write, Read.
OPENING = re.compile(r"(Give|Tell|Say)s?\b")
#: The start of a docstring of JavaScript, and its first words.
JSDOC = re.compile(r"/\*\*[\s*]*([^\n]*)")
#: Words without an actor, and archaisms. "there is no", "is no longer" and "is no more" are plain.
BANNED = re.compile(
    r"\b(whoever|anew|but for|gone on with|held against|(?<!there )is no (?!longer\b|more\b))", re.IGNORECASE
)

ROOMS = ("api", "benchmarks", "commands", "eventstore", "migrations", "projections", "tests")
#: The console's own files; libraries in vendor/ are written by others.
CONSOLE = [
    path
    for suffix in ("css", "html", "js", "mjs")
    for path in (ROOT / "api" / "console").rglob(f"*.{suffix}")
    if path.parent.name != "vendor"
]
FILES = sorted(
    {
        *CONSOLE,
        *(path for room in ROOMS for path in (ROOT / room).rglob("*.py")),
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "Makefile",
        ROOT / "pyproject.toml",
        ROOT / ".ci" / "run",
        ROOT / ".ci" / "vendor.mjs",
    }
    - {Path(__file__)}
)


def lines(source: str, *, python: bool) -> Iterator[tuple[int, str]]:
    """Return each line of prose with its number: of Python, the strings and comments; of all else, every line."""
    if not python:
        yield from enumerate(source.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield from enumerate(token.string.splitlines(), token.start[0])


def complaints(source: str, *, python: bool) -> Iterator[str]:
    """Return what is wrong with the words of a file, each with its line."""
    for number, line in lines(source, python=python):
        if found := BANNED.search(line):
            yield f"{number}: {found[0]!r} in {line.strip()!r}"
    if python:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node) or ""
                if OPENING.match(docstring):
                    yield f"{getattr(node, 'lineno', 1)}: a docstring begins with {docstring.split()[0]!r}"
    else:
        for comment in JSDOC.finditer(source):
            if OPENING.match(comment[1]):
                yield f"{source.count(chr(10), 0, comment.start()) + 1}: a docstring begins with {comment[1]!r}"


def test_the_console_is_looked_at() -> None:
    assert {path.suffix for path in CONSOLE} == {".css", ".html", ".js", ".mjs"}
    assert len(CONSOLE) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_in_plain_english(path: Path) -> None:
    assert list(complaints(path.read_text(), python=path.suffix == ".py")) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('"""Give the sum."""\n', 1),
        ('def total() -> int:\n    """Say it."""\n    return 1  # made anew by whoever asks\n', 2),
        ('x = "it is no key"\n', 1),
        ('"""Return what is no longer valid, where there is no more."""\n', 0),
    ],
)
def test_the_test_sees_what_it_is_for(source: str, count: int) -> None:
    assert len(list(complaints(source, python=True))) == count


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("/** Give the sum. */\n", 1),
        ("/**\n * Tell it.\n *\n * @param {string} text\n */\nconst a = `${b} is no key`;\n", 2),
        ("/* made anew */\n", 1),
        ("/** Return what is no longer valid. */\nexport const whole = 'given';\n", 0),
    ],
)
def test_it_also_sees_it_in_the_console(source: str, count: int) -> None:
    assert len(list(complaints(source, python=False))) == count
