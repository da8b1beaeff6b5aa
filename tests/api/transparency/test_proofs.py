"""Checkpoints and proofs over HTTP, verified by another implementation from the responses alone."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import httpx
import metamorphic_log
import msgspec
import pytest
import pytest_asyncio

from api.schemas.examples import load
from api.transparency import checkpoint_signer
from api.transparency.formats.checkpoint import read
from api.transparency.formats.inclusion_proof import TlogProof
from api.transparency.formats.log_identity import LogKeys, LogOrigin
from api.transparency.formats.signed_note import SignerKey
from tests.api.conftest import judged
from tests.eventstore.recording import execute
from tests.support.clients.http import check_problem
from tests.support.service import InProcess, beside_another
from tests.support.tampering import tamper

OLD_KEY, KEY = SignerKey.generate("example.com/ledger"), SignerKey.generate("example.com/ledger")
VKEY = str(KEY.verifier)
ITEMS = 300


@pytest.fixture
async def signing(database_url: str) -> AsyncIterator[InProcess]:
    """The service with a signing key, over a log with events."""
    async with running(database_url) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proving(shared_url: str) -> AsyncIterator[InProcess]:
    """The same, shared by all tests that change nothing."""
    async with running(shared_url) as service:
        yield service


@asynccontextmanager
async def running(url: str) -> AsyncIterator[InProcess]:
    async with InProcess.over(url, log_key=LogKeys(KEY.write())) as service:
        judged(service)
        await create(service, ITEMS)
        yield service


async def create(service: InProcess, items: int) -> None:
    batch = [{"name": f"Item {number}", "price": 1} for number in range(items)]
    assert (await service.client.post("/items/batch", json=batch)).status_code == 201


async def get(service: InProcess, path: str, accept: str = "*/*") -> httpx.Response:
    answer = await service.client.get(path, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    return answer


async def checkpoint(service: InProcess) -> str:
    return (await get(service, "/log/checkpoint")).text


def hashes(proof: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(hashed) for hashed in proof["hashes"]]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_checkpoint_is_a_text_that_another_implementation_verifies(proving: InProcess) -> None:
    answer = await get(proving, "/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["log-position"] == str(ITEMS)
    head = metamorphic_log.checkpoint_verify(answer.text, [VKEY])
    assert (head.origin, head.size, head.extensions) == ("example.com/ledger", ITEMS, [])
    as_json = (await get(proving, "/log/checkpoint", "application/json")).json()
    assert as_json == {
        "origin": head.origin,
        "tree_size": head.size,
        "root_hash": head.root.hex(),
        "checkpoint": answer.text,
    }


async def test_without_a_key_checkpoints_are_unsigned(service: InProcess) -> None:
    root = base64.b64encode(sha256().digest()).decode()
    assert await checkpoint(service) == f"localhost/log\n0\n{root}\n"
    await create(service, 3)
    assert (await checkpoint(service)).startswith("localhost/log\n3\n")
    proof = (await get(service, "/log/proof/2")).json()
    assert proof["checkpoint"] == await checkpoint(service)


async def test_a_log_has_its_configured_origin(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url, log_origin=LogOrigin("example.com/unsigned")) as service:
        assert read(await checkpoint(service)).origin == "example.com/unsigned"


async def test_two_keys_sign_both(sqlite_url: str) -> None:
    keys = LogKeys(f"{OLD_KEY.write()}\n{KEY.write()}\n")
    async with InProcess.over(sqlite_url, log_key=keys) as service:
        for key in (OLD_KEY, KEY):
            assert metamorphic_log.checkpoint_verify(await checkpoint(service), [str(key.verifier)]).size == 0


async def test_a_completed_write_is_in_the_next_checkpoint(signing: InProcess) -> None:
    for size in range(ITEMS + 1, ITEMS + 4):
        await create(signing, 1)
        assert read(await checkpoint(signing)).size == size


async def test_min_position_includes_what_another_process_wrote(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_signer, "_MAX_AGE_SECONDS", 3600.0)
    with beside_another():
        async with InProcess.over(database_url) as one, InProcess.over(database_url) as other:
            assert read(await checkpoint(one)).size == 0
            await create(other, 2)
            assert read(await checkpoint(one)).size == 0  # reused while it is recent
            assert (await one.client.get("/log/proof/2")).json()["tree_size"] == 2
            await create(other, 1)
            assert read((await get(one, "/log/checkpoint?min_position=3")).text).size == 3
            check_problem(await one.client.get("/log/checkpoint?min_position=4"), 503, "position-not-reached")
            await create(other, 1)
            monkeypatch.setattr(checkpoint_signer, "_MAX_AGE_SECONDS", 0.0)
            assert read(await checkpoint(one)).size == 4


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("position", [1, 2, 255, 256, 257, ITEMS])
async def test_an_inclusion_proof_is_self_contained(proving: InProcess, position: int) -> None:
    for query in ("", f"?tree_size={position}", f"?tree_size={ITEMS}"):
        answer = await get(proving, f"/log/proof/{position}{query}")
        proof = answer.json()
        assert answer.headers.get("vary") == "accept"
        assert answer.headers["cache-control"] == ("private, max-age=3600" if query else "no-store")
        assert (proof["position"], proof["leaf_index"]) == (position, position - 1)
        assert sha256(b"\0" + proof["leaf"].encode()).hexdigest() == proof["leaf_hash"]
        head = read(proof["checkpoint"], [KEY.verifier])
        assert (head.size, head.root.hex()) == (proof["tree_size"], proof["root_hash"])
        assert answer.headers["log-position"] == str(head.size)
        leaf_hash = bytes.fromhex(proof["leaf_hash"])
        metamorphic_log.checkpoint_verify_inclusion(proof["checkpoint"], [VKEY], position - 1, leaf_hash, hashes(proof))
        as_text = await get(proving, f"/log/proof/{position}{query}", "text/plain")
        assert TlogProof.parse(as_text.text) == TlogProof(
            position - 1, tuple(hashes(proof)), proof["checkpoint"], proof["leaf"].encode()
        )


@pytest.mark.asyncio(loop_scope="module")
async def test_the_leaf_is_the_event_as_it_is_stored(proving: InProcess) -> None:
    leaf = msgspec.json.decode((await get(proving, "/log/proof/7")).json()["leaf"])
    assert leaf[:4] == [7, 7, 1, "item.created.v1"]
    assert leaf[5:7] == ["anonymous", None]
    assert msgspec.json.decode(leaf[12]) == {"name": "Item 6", "price": "1", "in_stock": True}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("old", "new"), [(0, 1), (1, 2), (255, 256), (256, 300), (3, 300), (300, 300), (0, 300)])
async def test_a_proof_shows_that_the_log_only_grew(proving: InProcess, old: int, new: int) -> None:
    answer = await get(proving, f"/log/consistency?from={old}&to={new}")
    assert answer.headers["cache-control"] == "private, max-age=3600"
    proof = answer.json()
    one, two = bytes.fromhex(proof["old_root"]), bytes.fromhex(proof["new_root"])
    assert read(proof["checkpoint"], [KEY.verifier]).root == two
    if old:
        metamorphic_log.verify_consistency(old, new, hashes(proof), one, two)
    else:
        assert (proof["hashes"], one) == ([], sha256().digest())


async def test_a_proof_is_of_the_current_log_by_default(signing: InProcess) -> None:
    kept = await checkpoint(signing)
    await create(signing, 10)
    assert read(await checkpoint(signing)).size == ITEMS + 10
    answer = await get(signing, f"/log/consistency?from={ITEMS}")
    assert answer.headers["cache-control"] == "no-store"
    proof = answer.json()
    assert (proof["old_size"], proof["new_size"]) == (ITEMS, ITEMS + 10)
    assert proof["old_root"] == read(kept).root.hex()
    metamorphic_log.checkpoint_verify_consistency(kept, proof["checkpoint"], [VKEY], hashes(proof))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("position", ["0", "01", "-1", "x", "301", "1.0", "9223372036854775807", "9" * 30])
async def test_an_unknown_position_has_no_proof(proving: InProcess, position: str) -> None:
    check_problem(await proving.client.get(f"/log/proof/{position}"), 404, "event-not-found")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("proof/1?tree_size=0", "tree_size"),
        ("proof/1?tree_size=301", "tree_size"),
        ("proof/1?tree_size=x", "tree_size"),
        ("proof/1?size=1", "size"),
        ("consistency", "from"),
        ("consistency?to=1", "from"),
        ("consistency?from=301", "from"),
        ("consistency?from=0&to=301", "to"),
        ("consistency?from=1&to=0", "to"),
        ("consistency?from=-1", "from"),
        ("checkpoint?tree_size=1", "tree_size"),
    ],
)
async def test_a_size_beyond_the_log_is_rejected_by_name(proving: InProcess, path: str, parameter: str) -> None:
    problem = check_problem(await proving.client.get(f"/log/{path}"), 400, "invalid-query")
    assert [fault["parameter"] for fault in problem["errors"]] == [parameter]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_tree_without_the_event_is_rejected(proving: InProcess) -> None:
    problem = check_problem(await proving.client.get("/log/proof/9?tree_size=8"), 400, "invalid-query")
    assert problem["detail"] == "The first 8 events do not have position 9"


async def test_nothing_is_proven_of_a_tampered_log(signing: InProcess) -> None:
    await checkpoint(signing)
    async with signing.owner() as owner:
        await tamper(owner, "UPDATE events SET actor = 'eve' WHERE position = 7")
        check_problem(await signing.client.get("/log/proof/7"), 500, "log-changed")
        await get(signing, "/log/proof/8")  # the hashes are unchanged
        await tamper(owner, covered_up=True)
    await create(signing, 1)
    for path in ("checkpoint", "proof/7", "proof/301", "consistency?from=7"):
        problem = check_problem(await signing.client.get(f"/log/{path}"), 500, "log-changed")
        assert problem["detail"].startswith("The log was changed outside the service: ")


@pytest.mark.parametrize("key", [KEY.write(), None], ids=["signed", "unsigned"])
async def test_a_process_contradicts_no_earlier_checkpoint_even_if_the_database_was_reset(
    database_url: str, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.setattr(checkpoint_signer, "_MAX_AGE_SECONDS", 0.0)
    async with InProcess.over(database_url, log_key=key and LogKeys(key)) as service, service.owner() as owner:
        await execute(owner, "CREATE TABLE first_checkpoint AS SELECT * FROM log_checkpoint")
        await create(service, 20)
        assert read(await checkpoint(service)).size == 20
        forget = "UPDATE log_checkpoint SET (size, root) = (SELECT size, root FROM first_checkpoint)"
        await tamper(owner, "DELETE FROM events WHERE position > 10", forget, covered_up=True)
        for path in ("checkpoint", "proof/1", "consistency?from=5"):
            check_problem(await service.client.get(f"/log/{path}"), 500, "log-changed")


async def test_a_proof_of_an_earlier_size_commits_nothing_during_concurrent_writes(
    signing: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(checkpoint_signer, "_MAX_AGE_SECONDS", 3600.0)
    await checkpoint(signing)
    monkeypatch.setattr("eventstore.merkle.tree_head.advance", fail)
    for path in ("proof/1?tree_size=1", "consistency?from=1&to=200"):
        await create(signing, 1)
        await get(signing, f"/log/{path}")


async def test_a_proof_covers_all_that_this_process_has_answered(
    signing: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_signer, "_MAX_AGE_SECONDS", 3600.0)
    for path in ("proof/1", "consistency?from=1"):
        await checkpoint(signing)
        await create(signing, 1)
        answer = await signing.client.get(f"/log/{path}")
        assert int(answer.headers["log-position"]) == signing.services.position


async def test_concurrent_requests_share_a_checkpoint(signing: InProcess) -> None:
    async def grow() -> None:
        for _ in range(20):
            await create(signing, 1)

    async def ask() -> list[str]:
        return [await checkpoint(signing) for _ in range(20)]

    *_, one, two, three = await asyncio.gather(grow(), ask(), ask(), ask())
    found = {read(note, [KEY.verifier]).size: note for notes in (one, two, three) for note in notes}
    assert {note for notes in (one, two, three) for note in notes} == set(found.values())  # one for each size
    for notes in (one, two, three):
        assert sorted(notes, key=lambda note: read(note).size) == notes


def test_the_examples_in_the_openapi_document_are_valid_proofs() -> None:
    examples, key = load("transparency"), "ledger.example.com/log+4f49d456+AbISlfwXQF3jy7BNiM6rfFJWWPildH03oTKJCeU4yGfI"
    proof, consistency, tlog_proof = (examples[f"{name}_proof"] for name in ("inclusion", "consistency", "tlog"))
    leaf_hash = bytes.fromhex(proof["leaf_hash"])
    assert sha256(b"\0" + proof["leaf"].encode()).digest() == leaf_hash
    assert {text["checkpoint"] for text in (proof, consistency, examples["signed_head"])} == {examples["checkpoint"]}
    metamorphic_log.checkpoint_verify_inclusion(proof["checkpoint"], [key], 0, leaf_hash, hashes(proof))
    parsed = TlogProof(0, tuple(hashes(proof)), proof["checkpoint"], proof["leaf"].encode())
    assert TlogProof.parse(tlog_proof) == parsed
    one, two = bytes.fromhex(consistency["old_root"]), bytes.fromhex(consistency["new_root"])
    metamorphic_log.verify_consistency(1, 2, hashes(consistency), one, two)
