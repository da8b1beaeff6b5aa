"""What a page must not do: log an error or a warning, throw, lose a request, or ask another host."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

#: A request that the page itself gave up, by AbortController or because it was left.
_GIVEN_UP = "net::ERR_ABORTED"
#: Requests that leave nothing.
_LOCAL = ("about", "blob", "data", "file")


class Watch:
    """Collect what is wrong with all pages of a context, and with their workers."""

    def __init__(self, context: BrowserContext) -> None:
        self.problems: list[str] = []
        #: The origins that the pages may ask: those of the services that the test opens.
        self.origins: set[str] = set()
        self._expected: list[str] = []
        self._tolerated: list[str] = []
        self._context = context
        context.on("console", self._on_console)
        context.on("weberror", self._on_web_error)
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_request_failed)

    def expect(self, pattern: str) -> None:
        """Accept problems that match a regular expression, and fail if there is none by the end of the test.

        Chromium logs every answer of 400 and more: `expect("status of 412")`.
        """
        self._expected.append(pattern)

    def tolerate(self, pattern: str) -> None:
        """Accept problems that match a regular expression, and that may or may not occur, as during a restart."""
        self._tolerated.append(pattern)

    def tolerate_outage(self) -> None:
        """Accept what a page sees while its service stops and starts: connections refused and reset."""
        self.tolerate(r"net::ERR_(CONNECTION_|INCOMPLETE_CHUNKED|EMPTY_RESPONSE|NETWORK_CHANGED|SOCKET_)")
        self.tolerate("status of 503")

    def finish(self) -> None:
        """Fail if there was a problem that no pattern accepts, or if an expected one is missing."""
        for page in self._context.pages:
            if not page.is_closed():
                page.title()  # a round trip, after which all earlier reports have arrived
        accepted = (*self._expected, *self._tolerated)
        wrong = [text for text in self.problems if not any(re.search(pattern, text) for pattern in accepted)]
        wrong += [
            f"expected, and did not happen: {pattern}"
            for pattern in self._expected
            if not any(re.search(pattern, text) for text in self.problems)
        ]
        assert not wrong, "\n".join(["The page did what it must not do:", *wrong])

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console {message.type}: {message.text} ({message.location['url']})")

    def _on_web_error(self, error: WebError) -> None:
        self.problems.append(f"uncaught: {error.error}")

    def _on_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in _LOCAL and f"{url.scheme}://{url.netloc}" not in self.origins:
            self.problems.append(f"request to another host: {request.url}")

    def _on_request_failed(self, request: Request) -> None:
        if request.failure != _GIVEN_UP:
            self.problems.append(f"request failed: {request.method} {request.url}: {request.failure}")
