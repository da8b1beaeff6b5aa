"""Writes are decided by the log alone: rows of projections that are missing change no answer, and come back."""

import pytest

from projections import PROJECTIONS
from projections.verify import verify
from tests.eventstore.recording import execute
from tests.support.service import InProcess

PEN = {"name": "Pen", "price": 1, "in_stock": True}
TABLES = [projection.table.name for projection in PROJECTIONS]


@pytest.fixture
async def emptied(service: InProcess, request: pytest.FixtureRequest) -> InProcess:
    """The service with items 1 to 3, of which 3 is deleted, and a table that was emptied by hand."""
    for _ in range(3):
        assert (await service.client.post("/items", json=PEN)).status_code == 201
    assert (await service.client.patch("/items/1", json={"price": 2})).status_code == 200
    assert (await service.client.delete("/items/3")).status_code == 204
    async with service.owner() as owner:
        await execute(owner, f"DELETE FROM {request.param}")
    return service


@pytest.mark.parametrize("emptied", TABLES, indirect=True)
async def test_a_missing_row_fails_no_write(emptied: InProcess) -> None:
    client = emptied.client
    tag = (await client.patch("/items/1", json={"price": 2})).headers["etag"]  # it changes nothing
    headers = {"If-Match": tag, "Idempotency-Key": "a"}
    changed = await client.patch("/items/1", json={"price": 3}, headers=headers)
    assert (changed.status_code, changed.json()) == (200, {"id": 1, **PEN, "price": 3})
    again = await client.patch("/items/1", json={"price": 3}, headers=headers)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (200, changed.json(), "true")
    assert (await client.get("/items/1")).json() == changed.json(), "its row is back"
    assert (await client.delete("/items/2")).status_code == 204
    assert (await client.get("/items/2")).status_code == 404
    for item in (2, 3):
        restored = await client.post(f"/items/{item}/restore")
        assert (restored.status_code, restored.json()) == (200, {"id": item, **PEN})
        assert (await client.get(f"/items/{item}")).json() == restored.json()
    assert (await client.post("/items/batch", json=[PEN, PEN])).status_code == 201
    assert len((await client.get("/items")).json()) == 5


@pytest.mark.parametrize("emptied", TABLES, indirect=True)
async def test_a_missing_row_is_drift_for_a_verification(emptied: InProcess, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["emptied"]
    assert (await emptied.client.patch("/items/1", json={"price": 3})).status_code == 200
    found = {verdict.name: verdict for verdict in await verify(emptied.services.database, PROJECTIONS)}
    differing = [verdict.name for verdict in found.values() if not verdict.same]
    assert differing == [name]
    assert found[name].rows_differ > 0
