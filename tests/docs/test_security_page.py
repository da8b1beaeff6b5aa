"""Check that the tests, settings, sections and files that docs/security.md names exist."""

import ast
import re
from pathlib import Path

import pytest

from api.settings import Settings, variable

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
RISKS = [line for line in PAGE.splitlines() if re.match(r"\| API\d+ ", line)]
#: Every page whose links are checked.
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def functions(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize(("path", "name"), sorted(set(_TEST.findall(PAGE))))
def test_every_test_that_it_names_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    assert not name or name in functions(ROOT / path)


def test_every_risk_has_a_test() -> None:
    assert [int(re.findall(r"API(\d+)", line)[0]) for line in RISKS] == [*range(1, 11)]
    for line in RISKS:
        assert _TEST.search(line), line


def test_every_setting_that_it_names_exists() -> None:
    settings = {variable(field) for field in Settings.__struct_fields__}
    named = set(re.findall(r"`(ITEMLEDGER_\w+|DATABASE_URL)`", PAGE))
    assert {name.removesuffix("_FILE") for name in named} <= settings
    assert len(named) > 15


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_has_a_target(name: str) -> None:
    page = ROOT / name
    for path, _, anchor in (target.partition("#") for target in re.findall(r"\]\(([^)]*)\)", page.read_text())):
        if path.startswith("https:"):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"
