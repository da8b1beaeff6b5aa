"""Authentication: what each route requires, how credentials are checked, and what is accepted without one."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from structlog.testing import CapturingLogger

from api.app import ROUTES
from api.auth import authenticator
from api.auth.api_keys import store
from api.auth.api_keys.format import _checksum, new_key
from api.auth.scopes import Scope, Unscoped
from api.edge.cors import Origin
from api.edge.routing import Route
from api.http.idempotency import command_id
from eventstore.log.tables import events
from tests.api.conftest import RequestLogs, judged
from tests.support.clients.http import JSON, call, check_problem, unchanged_log
from tests.support.clients.keys import as_read, bearer, make_key
from tests.support.service import InProcess

BY_NAME = {f"{route.method} {route.path}": route for route in ROUTES}
GUARDED = {name: route for name, route in BY_NAME.items() if route.scope is not Unscoped.OPEN}
PEN = {"name": "Fountain pen", "price": 24.5}


class Guarded:
    """A service with keys: for all scopes, for each scope, for all but each scope, one revoked and one expired."""

    def __init__(self, running: InProcess) -> None:
        self.running = running
        self.keys: dict[str, str] = {}

    async def fill(self) -> None:
        """Create the keys."""
        database = self.running.services.database
        self.keys["all"] = (await make_key(database, "all")).text
        for scope in Scope:
            self.keys[scope] = (await make_key(database, f"only-{scope.name}", scope)).text
            others = [other for other in Scope if other is not scope]
            self.keys[f"not {scope}"] = (await make_key(database, f"not-{scope.name}", *others)).text
        revoked = await make_key(database, "revoked")
        await database.write(lambda connection: store.revoke(connection, revoked.key.id, "test"))
        self.keys["revoked"] = revoked.text
        self.keys["expired"] = (await make_key(database, "expired", lifetime=1)).text
        as_read(self.running)

    async def ask(self, method: str, path: str, authorization: str | None, **options: Any) -> httpx.Response:
        """Send a request with this `Authorization` header, or none."""
        headers = {} if authorization is None else {"authorization": authorization}
        return await self.running.client.request(method, path, headers=headers, **options)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(shared_url: str) -> AsyncIterator[Guarded]:
    async with InProcess.over(shared_url) as running:
        service = Guarded(judged(running))
        await service.fill()
        yield service


@pytest.fixture
def lines(request_logs: RequestLogs) -> CapturingLogger:
    return request_logs.audit


def concrete(route: Route) -> str:
    """Return a path of the route, with the examples of its parameters."""
    path = route.path
    for name, schema in route.path_schemas.items():
        path = path.replace(f"{{{name}}}", str(schema["examples"][0]))
    return path


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", GUARDED)
async def test_no_protected_route_answers_without_a_valid_credential(guarded: Guarded, name: str) -> None:
    route = GUARDED[name]
    invalid = [guarded.keys["revoked"], guarded.keys["expired"], new_key(), "itl_x", "x.y.z"]
    async with unchanged_log(guarded.running.services.database):
        answer = await guarded.ask(route.method, concrete(route), None)
        check_problem(answer, 401, "credential-required")
        assert answer.headers["www-authenticate"] == "Bearer"
        for credential in invalid:
            answer = await guarded.ask(route.method, concrete(route), f"Bearer {credential}")
            check_problem(answer, 401, "credential-invalid")
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert credential not in answer.text


@pytest.mark.parametrize("name", [name for name, route in GUARDED.items() if isinstance(route.scope, Scope)])
async def test_a_route_accepts_its_scope_and_names_a_missing_one(guarded: Guarded, name: str) -> None:
    route = GUARDED[name]
    assert isinstance(route.scope, Scope)
    async with unchanged_log(guarded.running.services.database):
        answer = await guarded.ask(route.method, concrete(route), f"Bearer {guarded.keys[f'not {route.scope}']}")
        problem = check_problem(answer, 403, "insufficient-scope")
        assert problem["detail"] == f"The credential lacks the scope {route.scope}"
        assert answer.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{route.scope}"'
    # An invalid query shows that authorization succeeded, without running the route.
    answer = await guarded.ask(route.method, concrete(route) + "?none=1", f"Bearer {guarded.keys[route.scope]}")
    check_problem(answer, 400, "invalid-query")


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - {n for n, r in GUARDED.items() if isinstance(r.scope, Scope)}))
async def test_other_routes_accept_any_credential_or_none(guarded: Guarded, name: str) -> None:
    route = BY_NAME[name]
    answer = await guarded.ask(route.method, concrete(route), f"Bearer {guarded.keys[Scope.EVENTS_EXPORT]}")
    assert answer.status_code == 200
    if route.scope is Unscoped.OPEN:
        for authorization in (None, "nonsense", f"Bearer {guarded.keys['revoked']}"):
            assert (await guarded.ask(route.method, concrete(route), authorization)).status_code == 200


async def test_a_rejected_request_is_answered_before_its_query_and_body_are_read(guarded: Guarded) -> None:
    app = guarded.running.app
    reader = ("authorization", f"Bearer {guarded.keys[Scope.ITEMS_READ]}")
    # The body never arrives: a server that waited for it would hang.
    headers = [*JSON.items(), ("content-length", "9")]
    async with asyncio.timeout(300):
        for more, status in (([], 401), ([("authorization", "Bearer x")], 401), ([reader], 403)):
            answer = await call(app, "POST", "/items?none=1", headers=[*headers, *more])
            assert answer is not None
            assert answer.status_code == status


async def test_events_name_the_holder_of_the_key_and_no_client_can_change_that(guarded: Guarded) -> None:
    database = guarded.running.services.database
    key = f"Bearer {guarded.keys[Scope.ITEMS_WRITE]}"
    answer = await guarded.ask("POST", "/items", key, json={**PEN, "actor": "all"})
    check_problem(answer, 422, "invalid-body")
    answer = await guarded.running.client.post(
        "/items", json=PEN, headers={"authorization": key, "x-actor": "all", "from": "all", "idempotency-key": "k"}
    )
    assert answer.status_code == 201
    position = int(answer.headers["log-position"])
    row = (await database.read(select(events).where(events.c.position == position)))[0]
    assert (row.actor, row.command_id) == (
        "only-ITEMS_WRITE",
        command_id("only-ITEMS_WRITE", row.credential, "POST", "/items", "k"),
    )


async def test_an_idempotency_key_belongs_to_its_actor(guarded: Guarded) -> None:
    async def create(key: str) -> httpx.Response:
        headers = {**bearer(guarded.keys[key]), "idempotency-key": "shared"}
        return await guarded.running.client.post("/items", json=PEN, headers=headers)

    first, other, again = [await create(key) for key in ("all", Scope.ITEMS_WRITE, "all")]
    assert first.json()["id"] == again.json()["id"] != other.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in other.headers


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Basic dXNlcjpwYXNz",
        "Token {key}",
        "{key}",
        "Bearer{key}",
        "Bearer {key} ",
        "Bearer {key},",
        "Bearer {key}, Bearer {key}",
        "Bearer, {key}",
        'Bearer "{key}"',
        "Bearer\t{key}",
        "Bearer {key}=",
        "Bearer {KEY}",
        "Bearer " + "a" * 8193,
        "Bearer " + "a" * 100_000,
    ],
)
async def test_a_header_of_another_form_is_rejected(guarded: Guarded, authorization: str) -> None:
    key = guarded.keys["all"]
    filled = authorization.replace("{key}", key).replace("{KEY}", key.swapcase())
    answer = await call(guarded.running.app, "GET", "/items", headers=[("authorization", filled)])
    assert answer is not None
    check_problem(answer, 401, "credential-invalid")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_case_insensitive(guarded: Guarded, scheme: str) -> None:
    assert (await guarded.ask("GET", "/items", f"{scheme} {guarded.keys['all']}")).status_code == 200


async def test_two_headers_are_rejected_even_if_both_are_valid(guarded: Guarded) -> None:
    one = ("authorization", f"Bearer {guarded.keys['all']}")
    for headers in ([one, one], [one, ("authorization", "Bearer x")], [("authorization", ""), one]):
        answer = await call(guarded.running.app, "GET", "/items", headers=headers)
        assert answer is not None
        check_problem(answer, 401, "credential-invalid")


async def test_a_credential_is_only_read_from_its_header(guarded: Guarded) -> None:
    key = guarded.keys["all"]
    for query in (f"access_token={key}", f"key={key}", f"authorization=Bearer%20{key}"):
        check_problem(await guarded.ask("GET", f"/items?{query}", None), 401, "credential-required")
    for name in ("x-api-key", "proxy-authorization", "cookie", "x-authorization"):
        answer = await guarded.running.client.get("/items", headers={name: f"Bearer {key}"})
        check_problem(answer, 401, "credential-required")


HEADERS = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=80).map(lambda rest: b"Bearer " + rest),
    st.text('eyJ0.-_~+/=itl 0aZ,"', max_size=120).map(lambda rest: b"Bearer " + rest.encode()),
    st.builds(lambda rest: f"Bearer itl_0a1b2c3d_{rest}".encode(), st.text("0aZ_", max_size=60)),
    st.builds(lambda parts: b"Bearer " + b".".join(parts), st.lists(st.binary(max_size=40), max_size=5)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(HEADERS, min_size=1, max_size=3))
async def test_an_arbitrary_header_is_rejected(guarded: Guarded, lines: list[bytes]) -> None:
    headers = [("authorization", line.decode("latin-1")) for line in lines]
    answer = await call(guarded.running.app, "GET", "/items", headers=headers)
    assert answer is not None
    check_problem(answer, 401, "credential-invalid")


async def test_a_rejection_is_logged_with_its_reason_and_never_with_the_secret(
    guarded: Guarded, lines: CapturingLogger
) -> None:
    unknown = new_key()
    wrong = guarded.keys["all"][:-1] + ("0" if guarded.keys["all"][-1] != "0" else "1")
    for credential in (unknown, wrong, guarded.keys["revoked"], guarded.keys["expired"], "abc.def.ghi"):
        await guarded.ask("GET", "/items", f"Bearer {credential}")
    await guarded.ask("GET", "/items", None)
    await guarded.ask("GET", "/items", "Basic c2VjcmV0OnNlY3JldA==")
    await guarded.ask("POST", "/items", f"Bearer {guarded.keys[Scope.ITEMS_READ]}")
    rejected = [line.kwargs for line in lines.calls]
    assert {line.method_name for line in lines.calls} == {"warning"}
    assert [line.get("reason") for line in rejected] == [
        "unknown key",
        "malformed key",
        "revoked key",
        "expired key",
        "token: no issuer is configured",
        "no credential",
        "malformed header",
        None,
    ]
    assert {line["address"] for line in rejected} == {"127.0.0.1"}
    assert [line["actor"] for line in rejected] == ["anonymous"] * 7 + ["only-ITEMS_READ"]
    assert rejected[0]["key_id"] == unknown[4:12]
    assert rejected[-1].items() >= {"code": "insufficient-scope", "scope": "items:write", "route": "/items"}.items()
    logged = json.dumps(rejected)
    for secret in (*(key[13:] for key in (*guarded.keys.values(), unknown, wrong)), "c2VjcmV0", "abc.def"):
        assert secret not in logged


async def test_a_wrong_secret_and_an_unknown_id_have_the_same_response(guarded: Guarded) -> None:
    other_secret = new_key()
    known_id = f"itl_{guarded.keys['all'][4:12]}_"
    wrong = known_id + other_secret[13:-6]
    wrong += _checksum(wrong.encode())  # well-formed, with the id of another key
    answers = [await guarded.ask("GET", "/items", f"Bearer {key}") for key in (wrong, other_secret)]
    bodies = [re.sub(r'"request_id":"[^"]*"', "", answer.text) for answer in answers]
    assert bodies[0] == bodies[1]
    assert {answer.status_code for answer in answers} == {401}


def peer(running: InProcess, address: str | None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(running.app, client=(address, 1))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


OUTSIDE = ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "127.0.0.1.example", "localhost", "", "10.0.0.1", None]


async def test_without_credentials_only_local_requests_are_accepted(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url) as running:
        for here in ("127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"):
            async with peer(running, here) as client:
                assert (await client.get("/items")).status_code == 200
        for address in OUTSIDE:
            async with peer(running, address) as client:
                check_problem(await client.get("/items"), 401, "credential-required")
                assert (await client.get("/livez")).status_code == 200
        # A credential is still checked.
        check_problem(await running.client.get("/items", headers=bearer(new_key())), 401, "credential-invalid")


ELSEWHERE = [
    *({"host": name} for name in ("items.example", "items.example:8000", "127.0.0.1.example", "localhost.example")),
    *({"host": name} for name in ("192.0.2.1", "")),
    *({"origin": name} for name in ("https://items.example", "http://127.0.0.1.example:8000", "null", "localhost", "")),
    *({name: "127.0.0.1"} for name in ("x-forwarded-for", "x-real-ip", "forwarded")),
    # A browser's request for an image, a script or a link of another site's page has no Origin.
    *({"sec-fetch-site": "cross-site", "sec-fetch-mode": mode} for mode in ("no-cors", "navigate", "cors")),
    {"sec-fetch-site": "cross-site", "origin": "https://items.example"},
    {"sec-fetch-site": "cross-site", "host": "127.0.0.1:8000"},
]


async def test_without_credentials_foreign_pages_and_proxies_are_rejected(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url) as running:
        client, database = running.client, running.services.database
        async with unchanged_log(database):
            for headers in ELSEWHERE:
                check_problem(await client.post("/items", json=PEN, headers=headers), 401, "credential-required")
        key = await make_key(database)
        for headers in ELSEWHERE:
            assert (await client.get("/items", headers={**headers, **bearer(key.text)})).status_code == 200


async def test_without_credentials_all_names_of_this_machine_are_accepted(sqlite_url: str) -> None:
    names = ("localhost", "LOCALHOST:8000", "127.0.0.1", "127.1.2.3:1", "[::1]:8000", "items.localhost")
    origins = ("http://localhost:3000", "https://[::1]", "https://app.example")
    # A page of this machine on another port, a page of a listed origin, and an address that the user typed.
    of_browsers: list[dict[str, str]] = [
        *({"sec-fetch-site": "cross-site", "origin": origin} for origin in origins),
        *({"sec-fetch-site": site} for site in ("none", "same-origin", "same-site")),
    ]
    async with InProcess.over(sqlite_url, cors_origins=(Origin("https://app.example"),)) as running:
        for headers in (*({"host": name} for name in names), *({"origin": origin} for origin in origins), *of_browsers):
            assert (await running.client.get("/items", headers=headers)).status_code == 200, headers


async def test_a_page_of_another_site_reads_nothing_even_if_it_could_not_see_it(
    sqlite_url: str, request_logs: RequestLogs
) -> None:
    async with InProcess.over(sqlite_url) as running:
        for path in ("/items", "/events", "/events/export", "/events/stream", "/audit/items", "/projections"):
            answer = await running.client.get(
                path, headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
            )
            check_problem(answer, 401, "credential-required")
        assert (await running.client.get("/livez", headers={"sec-fetch-site": "cross-site"})).status_code == 200
    asked = [
        call.kwargs for call in request_logs.log.calls if call.args == ("request",) and call.kwargs["status"] < 400
    ]
    assert {line["route"] for line in asked} == {"/livez"}


async def test_insecure_no_auth_accepts_remote_requests_until_a_key_exists(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url, insecure_no_auth=True) as running:
        for address in OUTSIDE:
            async with peer(running, address) as client:
                assert (await client.post("/items", json=PEN)).status_code == 201
        key = await make_key(running.services.database)
        as_read(running)
        check_problem(await running.client.get("/items"), 401, "credential-required")
        assert (await running.client.get("/items", headers=bearer(key.text))).status_code == 200


async def test_the_first_key_turns_authentication_on_for_good(database_url: str) -> None:
    async with InProcess.over(database_url) as running:
        assert (await running.client.get("/items")).status_code == 200
        key = await make_key(running.services.database)
        as_read(running)
        check_problem(await running.client.get("/items"), 401, "credential-required")
        assert (await running.client.get("/items", headers=bearer(key.text))).status_code == 200
        await running.services.database.write(lambda connection: store.revoke(connection, key.key.id, "test"))
        as_read(running)
        check_problem(await running.client.get("/items", headers=bearer(key.text)), 401, "credential-invalid")
        check_problem(await running.client.get("/items"), 401, "credential-required")


async def test_a_start_logs_the_authentication_mode(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = CapturingLogger()
    monkeypatch.setattr(authenticator, "log", logger)
    async with InProcess.over(sqlite_url):
        pass
    async with InProcess.over(sqlite_url, insecure_no_auth=True) as running:
        await make_key(running.services.database)
    async with InProcess.over(sqlite_url, insecure_no_auth=True):
        pass
    assert [(line.method_name, *line.args) for line in logger.calls] == [
        (
            "warning",
            "authentication is off (no API keys, no JWT issuer): "
            'local requests are accepted as "anonymous" with all scopes',
        ),
        (
            "warning",
            "authentication is off and remote access is on (--insecure-no-auth): "
            'all requests are accepted as "anonymous" with all scopes',
        ),
        ("info", "credentials are required"),
    ]
