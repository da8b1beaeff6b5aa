"""Every response forbids browsers to cache, frame or sniff it, and to send a referrer."""

import pytest

from tests.support.clients.http import JSON, call, part
from tests.support.service import InProcess

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
ASKED = {
    ("POST", "/items"): 201,
    ("GET", "/items/1"): 200,
    ("HEAD", "/items/1"): 200,
    ("GET", "/items"): 200,
    ("OPTIONS", "/items"): 204,
    ("PUT", "/items"): 405,
    ("GET", "/nowhere"): 404,
    ("GET", "/items/99"): 404,
    ("GET", "/items?limit=x"): 400,
    ("GET", "/livez"): 200,
    ("GET", "/openapi.json"): 200,
    ("GET", "/docs"): 200,
    ("GET", "/docs/start.js"): 200,
    ("GET", "/console"): 200,
    ("DELETE", "/items/1"): 204,
}


async def test_every_response_has_the_security_headers(small: InProcess) -> None:
    for (method, target), status in ASKED.items():
        body = part(b'{"name":"a","price":1}' if method == "POST" else b"")
        answer = await call(small.app, method, target, body, headers=list(JSON.items()))
        assert answer is not None
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers.get_list("content-security-policy")[0].startswith(POLICY)
        kept = "no-cache" if target.startswith(("/docs", "/console")) else "no-store"
        assert answer.headers.get_list("cache-control") == [kept], target
        assert "strict-transport-security" not in answer.headers
        assert len(set(answer.headers)) == len(answer.headers.multi_items()), "a header is repeated"


async def test_a_304_is_not_cached_either(small: InProcess) -> None:
    etag = (await small.client.post("/items", json={"name": "a", "price": 1})).headers["etag"]
    answer = await small.client.get("/items/1", headers={"if-none-match": etag})
    assert (answer.status_code, answer.headers["cache-control"]) == (304, "no-store")


@pytest.mark.parametrize("target", ["/livez", "/nowhere", "/items?limit=x"])
async def test_over_tls_browsers_are_told_to_use_only_tls(small: InProcess, target: str) -> None:
    answer = await call(small.app, "GET", target, scheme="https")
    assert answer is not None
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
