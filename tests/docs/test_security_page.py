"""What docs/security.md points to is there: tests, settings, sections, files."""

import ast
import re
from pathlib import Path

import pytest

from api.settings import Settings, variable

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
RISKS = [line for line in PAGE.splitlines() if re.match(r"\| API\d+ ", line)]
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


def test_every_setting_is_in_the_readme() -> None:
    cells = re.findall(r"(?m)^\| (`[A-Z_]+`[^|]*)\|", (ROOT / "README.md").read_text())
    table = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert table == {variable(field) for field in Settings.__struct_fields__}


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["SECURITY.md", "docs/security.md"])
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    for path, _, anchor in (target.partition("#") for target in re.findall(r"\]\(([^)]*)\)", page.read_text())):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"
