"""Why the route checks and the boundary exist: what FasterAPI 0.2.14 itself does with the routes that they refuse.

If a test here fails after an upgrade, its rule may no longer be needed.
"""

import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any

import httpx
import pytest
from FasterAPI import Depends, Faster, HTTPException
from msgspec import Struct

from tests.support.clients.http import DISCONNECT, JSON, call, part

ran: list[object] = []


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    ran.clear()
    yield
    ran.clear()


class Body(Struct, forbid_unknown_fields=True):
    name: str


DEFAULT = Body("default")


async def only_ann() -> str:
    raise HTTPException(401, "who are you?")


async def session() -> Any:
    yield "a session"


async def plain(body: Body) -> dict[str, str]:
    ran.append(body)
    return {"name": body.name}


async def by_default(body: Body = DEFAULT) -> dict[str, str]:
    ran.append(body)
    return {"name": body.name}


async def guarded(who: Annotated[str, Depends(only_ann)] = "anonymous") -> dict[str, str]:
    return {"who": who}


async def unguarded(who: "Annotated[str, Depends(only_ann)]" = "anonymous", other: "Missing" = None) -> dict[str, str]:  # type: ignore[name-defined]  # noqa: F821
    return {"who": who}


async def one_name(item_id: str) -> dict[str, str]:
    return {"id": item_id}


async def other_name(id: str) -> dict[str, str]:
    return {"id": id}


async def nothing() -> dict[str, str]:
    return {}


async def with_session(session: Annotated[str, Depends(session)]) -> dict[str, str]:
    return {"session": type(session).__name__}


def in_the_loop() -> dict[str, bool]:
    return {"loop": threading.current_thread() is threading.main_thread()}


def served(*routes: tuple[str, str, Callable[..., Any]]) -> Faster:
    app = Faster(openapi_url=None, docs_url=None, redoc_url=None)
    for method, path, handler in routes:
        getattr(app, method.lower())(path)(handler)
    return app


async def ask(app: Callable[..., Awaitable[None]], method: str, path: str, *messages: Any) -> httpx.Response:
    answer = await call(app, method, path, *(messages or (part(b""),)), headers=list(JSON.items()))
    assert answer is not None
    return answer


async def test_a_default_makes_an_invalid_body_a_success() -> None:
    strict, lax = served(("POST", "/x", plain)), served(("POST", "/x", by_default))
    for body in (b"{", b'{"name":1}', b"[]"):
        assert (await ask(strict, "POST", "/x", part(body))).status_code == 422
        answer = await ask(lax, "POST", "/x", part(body))
        assert (answer.status_code, answer.json()) == (200, {"name": "default"})


async def test_one_unresolvable_annotation_drops_authentication() -> None:
    assert (await ask(served(("GET", "/x", guarded)), "GET", "/x")).status_code == 401
    answer = await ask(served(("GET", "/x", unguarded)), "GET", "/x")
    assert (answer.status_code, answer.json()) == (200, {"who": "anonymous"})


async def test_two_names_at_one_position_make_the_second_fail() -> None:
    app = served(("GET", "/x/{item_id}", one_name), ("GET", "/x/{id}/y", other_name))
    assert (await ask(app, "GET", "/x/1")).status_code == 200
    assert (await ask(app, "GET", "/x/1/y")).status_code == 500


async def test_a_literal_beside_a_parameter_hides_it() -> None:
    app = served(("GET", "/x/{item_id}", one_name), ("GET", "/x/special/y", nothing))
    assert (await ask(app, "GET", "/x/special")).status_code == 404


async def test_a_star_in_a_path_matches_the_parameter_without_a_value() -> None:
    assert (await ask(served(("GET", "/x/{item_id}", one_name)), "GET", "/x/*")).status_code == 500


async def test_a_generator_is_injected_as_it_is() -> None:
    answer = await ask(served(("GET", "/x", with_session)), "GET", "/x")
    assert answer.json() == {"session": "async_generator"}


async def test_a_plain_function_runs_on_the_event_loop() -> None:
    assert (await ask(served(("GET", "/x", in_the_loop)), "GET", "/x")).json() == {"loop": True}


async def test_a_body_that_ends_in_a_disconnect_counts_as_complete() -> None:
    body = b'{"name":"cut"}'
    await call(
        served(("POST", "/x", plain)), "POST", "/x", part(body, more=True), DISCONNECT, headers=list(JSON.items())
    )
    assert ran == [Body("cut")]


async def test_no_path_supports_head_options_or_405() -> None:
    app = served(("GET", "/x", nothing))
    for method in ("HEAD", "OPTIONS", "POST"):
        assert (await ask(app, method, "/x")).status_code == 404
    for path in ("/x/", "//x"):
        assert (await ask(app, "GET", path)).status_code == 200
