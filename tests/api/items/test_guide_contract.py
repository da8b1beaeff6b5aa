"""Clients of the guide keep working: same paths, bodies and status codes, with our additions next to them."""

from itertools import product

from tests.support.clients.http import check_problem
from tests.support.service import InProcess


async def test_a_client_of_the_guide_gets_the_responses_of_the_guide(service: InProcess) -> None:
    client = service.client
    assert (await client.get("/items")).json() == []

    created = await client.post("/items", json={"name": "Pen", "price": 9.99})
    assert created.status_code == 201
    assert created.json() == {"id": 1, "name": "Pen", "price": 9.99, "in_stock": True}
    assert list(created.json()) == ["id", "name", "price", "in_stock"]
    assert created.headers["content-type"] == "application/json"

    other = await client.post("/items", json={"name": "Ink", "price": 3, "in_stock": False})
    assert other.json() == {"id": 2, "name": "Ink", "price": 3, "in_stock": False}

    got = await client.get("/items/1")
    assert (got.status_code, got.json()) == (200, created.json())
    listed = await client.get("/items")
    assert (listed.status_code, listed.json()) == (200, [created.json(), other.json()])

    deleted = await client.delete("/items/1")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await client.get("/items")).json() == [other.json()]


async def test_an_unknown_and_a_deleted_item_are_not_found(service: InProcess) -> None:
    await service.client.post("/items", json={"name": "Pen", "price": 1})
    await service.client.delete("/items/1")
    for method, item_id in product(("GET", "DELETE"), (1, 2, 99, 2**63 - 1)):
        answer = await service.client.request(method, f"/items/{item_id}")
        # FasterAPI's clients read `detail`: it is exactly the guide's text.
        assert check_problem(answer, 404, "item-not-found")["detail"] == "Item not found"


async def test_a_response_has_the_location_of_its_item_and_its_log_position(service: InProcess) -> None:
    client = service.client
    first = await client.post("/items", json={"name": "Pen", "price": 1})
    second = await client.post("/items", json={"name": "Ink", "price": 2})
    for created, position in ((first, "1"), (second, "2")):
        assert created.headers["location"] == f"/items/{position}"
        assert created.headers["etag"] == '"2.1"'
        assert created.headers["log-position"] == position
    got = await client.get(second.headers["location"])
    assert (got.json(), got.headers["etag"]) == (second.json(), '"2.1"')
    deleted = await client.delete("/items/1")
    assert deleted.headers["log-position"] == "3"
    for path in ("/items", "/items/2"):
        assert (await client.get(path)).headers["log-position"] == "3"
    # The id is the position of the creating event: ids are never reused.
    assert (await client.post("/items", json={"name": "Nib", "price": 3})).json()["id"] == 4
