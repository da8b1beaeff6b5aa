"""Cross-origin requests: only pages of listed origins may call, and none with a cookie."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.conftest import judged
from tests.support.service import InProcess

HERE, THERE = "https://app.example", "http://localhost:5173"
STRANGERS = ["https://evil.example", "https://app.example.evil.example", "https://app.example:444", "null", "*", ""]
ALLOW_ORIGIN = "access-control-allow-origin"


@pytest.fixture
async def listed(sqlite_url: str) -> AsyncIterator[InProcess]:
    async with InProcess.over(sqlite_url, cors_origins=(HERE, THERE)) as running:
        yield judged(running)


def of_cors(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if name.startswith("access-control") or name == "vary"
    }


async def preflight(service: InProcess, origin: str, path: str = "/items/1") -> httpx.Response:
    asked = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization,if-match"}
    return await service.client.options(path, headers={"origin": origin, **asked})


@pytest.mark.parametrize("origin", [HERE, THERE])
@pytest.mark.parametrize(("path", "status"), [("/items", 200), ("/items/99", 404), ("/nowhere", 404)])
async def test_a_page_of_a_listed_origin_may_read_every_response(
    listed: InProcess, origin: str, path: str, status: int
) -> None:
    answer = await listed.client.get(path, headers={"origin": origin})
    assert answer.status_code == status
    assert answer.headers[ALLOW_ORIGIN] == origin
    assert answer.headers["vary"] == "origin"
    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    assert {"etag", "location", "link", "log-position", "x-request-id", "retry-after"} <= set(exposed)


async def test_a_preflight_lists_the_allowed_methods_and_headers(listed: InProcess) -> None:
    answer = await preflight(listed, HERE)
    assert (answer.status_code, answer.headers[ALLOW_ORIGIN]) == (204, HERE)
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"]
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "x-request-id"} <= set(
        allowed
    )
    assert answer.headers["access-control-max-age"] == "600"


@pytest.mark.parametrize("origin", STRANGERS)
async def test_pages_of_other_origins_may_not(listed: InProcess, origin: str) -> None:
    assert of_cors(await listed.client.get("/items", headers={"origin": origin})) == {"vary": "origin"}
    assert of_cors(await preflight(listed, origin)) == {"vary": "origin"}


async def test_no_response_allows_credentials_or_any_origin(listed: InProcess) -> None:
    for answer in (await listed.client.get("/items", headers={"origin": HERE}), await preflight(listed, HERE)):
        assert "access-control-allow-credentials" not in answer.headers
        assert "*" not in of_cors(answer).values()


async def test_without_listed_origins_no_header_is_added(small: InProcess) -> None:
    for answer in (await small.client.get("/items", headers={"origin": HERE}), await preflight(small, HERE)):
        assert of_cors(answer) == {}


async def test_a_preflight_of_an_unknown_path_is_not_found(listed: InProcess) -> None:
    assert (await preflight(listed, HERE, "/nowhere")).status_code == 404
