"""The browser of the tests: the Chromium that is there."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--font-render-hinting=none",  # pictures look the same on every machine with the same fonts
    "--force-color-profile=srgb",
    # Whatever a page or the browser itself looks up, no request leaves this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
MISSING = (
    "The tests of the console need Chromium, and there is none. Install it (apt-get install chromium, or "
    ".venv/bin/playwright install chromium), or name the program: ITEMLEDGER_TEST_CHROMIUM=/path/to/chromium"
)


def find_chromium() -> str | None:
    """Return the path of the browser: the one that is named, a distribution's, or Playwright's own."""
    if named := os.environ.get("ITEMLEDGER_TEST_CHROMIUM"):
        return shutil.which(named)
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a headless Chromium with a new, empty profile.

    Without its sandbox, as Playwright's default is: it needs rights that root and containers lack, and all that is
    opened here is our own.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    sys.exit(None if find_chromium() else MISSING)
