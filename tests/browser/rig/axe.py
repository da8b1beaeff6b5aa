"""Accessibility: axe-core finds no violation of WCAG 2.2 A and AA, in every look of the page."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

_AXE = Path(__file__).parents[3] / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """() => axe.run(document, {
    resultTypes: ["violations"],
    runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
})"""

#: How a page can be shown: options of a browser context.
LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 360, "height": 800}},
    "still": {"reduced_motion": "reduce"},
}
#: Run a test in each of them.
every_look = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


@cache
def _source() -> str:
    return _AXE.read_text()


def assert_accessible(page: Page) -> None:
    """Fail with a list of what axe-core finds. It is not part of the page: its content security policy stays."""
    page.evaluate(_source())
    found = page.evaluate(_RUN)["violations"]
    assert not found, "\n".join(line for violation in found for line in _lines(violation))


def _lines(violation: dict[str, Any]) -> Iterator[str]:
    yield f"{violation['impact']}: {violation['id']}: {violation['help']} ({violation['helpUrl']})"
    for node in violation["nodes"]:
        yield f"    {' '.join(map(str, node['target']))}: {node['html']}"
        yield f"        {' '.join(node['failureSummary'].split())}"
