"""One event: what was recorded, and its proof, verified by the browser and not by the service's word."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from api.transparency.formats.signed_note import SignerKey
from tests.browser.rig.axe import every_look
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import PUBLIC_KEY, LiveService
from tests.browser.rig.watch import Watch

Console = Callable[..., Page]

#: Stores a public key as the view Integrity does when an auditor pastes one.
_TRUST = """async text => {
    const {PublicKeys} = await import("/console/audit/public_keys.js");
    await new PublicKeys(new URL("/", location).href).add(text);
}"""


def trust(page: Page, text: str) -> None:
    """Trust a public key, and open the page's address again."""
    page.evaluate(_TRUST, text)
    page.reload()


def other_key() -> str:
    """Return a valid public key of the log's name that did not sign its checkpoints."""
    return str(SignerKey.generate(PUBLIC_KEY.partition("+")[0]).verifier)


def test_all_members_are_shown_with_the_exact_text_of_the_data(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/history/8")
    text = open_service.request("GET", "/events/8").text
    exact = text[text.index('"data":') + len('"data":') : text.index(',"fingerprint"')]
    expect(page.locator("pre").first).to_have_text(exact)
    shown = page.locator("main").inner_text()
    for name, value in json.loads(text).items():
        if name != "data" and value is not None:
            assert str(value) in shown, name


def test_links_lead_to_the_item_to_neighbours_and_to_events_that_share_a_value(
    shared_service: LiveService, console: Console
) -> None:
    page = console(shared_service, "/history/13")
    event = shared_service.request("GET", "/events/13").json()
    expect(page.get_by_role("link", name=event["command_id"])).to_have_attribute(
        "href", "#/history?command_id=seed-013"
    )
    page.get_by_role("link", name="Next event").click()
    expect(page.get_by_role("heading", name="Event 14")).to_be_visible()
    page.get_by_role("link", name="Previous event").click()
    expect(page.get_by_role("heading", name="Event 13")).to_be_visible()
    expect(page.locator("dl.facts a[href='#/items/1']")).to_be_visible()
    page.get_by_role("link", name=event["correlation_id"]).click()
    expect(page.locator("tr[data-position]")).to_have_count(4)


def test_the_ends_of_the_log_have_no_neighbour(shared_service: LiveService, console: Console, watch: Watch) -> None:
    page = console(shared_service, "/history/1")
    expect(page.locator(".verdict")).to_be_visible()
    expect(page.get_by_role("link", name="Previous event")).to_have_count(0)
    console(shared_service, f"/history/{EVENTS}")
    expect(page.locator(".verdict")).to_be_visible()
    expect(page.get_by_role("link", name="Next event")).to_have_count(0)
    watch.expect("status of 404")
    console(shared_service, f"/history/{EVENTS + 1}")
    expect(page.get_by_role("alert")).to_contain_text(f"The log ends at position {EVENTS}")
    console(shared_service, "/history/stream")
    expect(page.get_by_role("alert")).to_contain_text("is not a position")


def test_an_event_is_proven_up_to_a_signature_by_the_pasted_key(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/history/7")
    verdict = page.locator(".verdict")
    expect(verdict).to_contain_text(
        f"Proven: the event, exactly as shown, is in the log shop.example/items of {EVENTS}"
    )
    expect(verdict).to_contain_text("no public key was pasted")
    trust(page, PUBLIC_KEY)
    expect(verdict).to_contain_text("The checkpoint is signed by")
    expect(verdict).to_contain_class("good")


def test_the_path_to_the_root_is_shown_step_by_step(shared_service: LiveService, console: Console) -> None:
    proof = shared_service.request("GET", "/log/proof/7").json()
    page = console(shared_service, "/history/7")
    page.get_by_text("step by step").click()
    codes = page.locator(".path-steps code").all_inner_texts()
    assert codes[0] == sha256(b"\0" + proof["leaf"].encode()).hexdigest()
    assert codes[1::2] == proof["hashes"]
    assert codes[-1] == proof["root_hash"]
    expect(page.locator(".path-steps li").nth(1)).to_contain_text("event 8, on the right")
    expect(page.locator(".path-steps li").nth(2)).to_contain_text("events 5 to 6, on the left")


def test_the_proof_can_be_kept_as_json_and_as_text(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/history/7")
    for button, name, accept in (
        ("Download the proof (JSON)", "event-7.proof.json", "application/json"),
        ("Download as tlog-proof", "event-7.tlog-proof", "text/plain"),
    ):
        with page.expect_download() as downloading:
            page.get_by_role("button", name=button).click()
        assert downloading.value.suggested_filename == name
        expected = shared_service.request("GET", "/log/proof/7", headers={"accept": accept}).content
        assert Path(downloading.value.path()).read_bytes() == expected


def test_a_checkpoint_that_another_key_signed_is_red(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/history/7")
    trust(page, other_key())
    expect(page.locator(".verdict")).to_contain_text("not signed by your public key")
    expect(page.locator(".verdict")).to_contain_class("bad")


def test_an_event_that_its_owner_changed_in_the_database_is_red(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.tolerate("status of 500")
    open_service.tamper("UPDATE events SET actor = 'mallory' WHERE position = 7")
    page = console(open_service, "/history/7")
    expect(page.get_by_text("mallory")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_class("bad")
    expect(page.locator(".verdict")).to_contain_text("Not proven")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"actor": "mallory"}, "actor"),
        ({"recorded_at": "2026-01-06T11:07:00.000001Z"}, "recorded_at"),
        ({"data": {"name": "Stapler", "price": "0.01", "in_stock": True}}, "data"),
    ],
    ids=["actor", "time", "data"],
)
def test_an_event_that_differs_from_its_proof_names_the_member(
    shared_service: LiveService, console: Console, page: Page, change: dict[str, object], reason: str
) -> None:
    def forge(route: Route) -> None:
        answer = route.fetch()
        body = json.dumps({**answer.json(), **change}, separators=(",", ":"), ensure_ascii=False)
        route.fulfill(response=answer, body=body)

    page.route("**/events/7", forge)
    console(shared_service, "/history/7")
    expect(page.locator(".verdict")).to_contain_class("bad")
    expect(page.locator(".verdict tbody th")).to_have_text([reason])


def test_a_proof_whose_hashes_lead_elsewhere_is_red(shared_service: LiveService, console: Console, page: Page) -> None:
    def forge(route: Route) -> None:
        answer = route.fetch()
        proof = answer.json()
        proof["hashes"][2] = "00" * 32
        route.fulfill(response=answer, json=proof)

    page.route("**/log/proof/7", forge)
    console(shared_service, "/history/7")
    expect(page.locator(".verdict")).to_contain_class("bad")
    expect(page.locator(".verdict")).to_contain_text("do not lead to the checkpoint's root")


@every_look
def test_an_event_is_accessible(shared_service: LiveService, console: Console, axe: Callable[[], None]) -> None:
    page = console(shared_service, "/history/7")
    expect(page.locator(".verdict")).to_be_visible()
    page.get_by_text("step by step").click()
    axe()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_picture_of_an_event(shared_service: LiveService, console: Console, picture: Callable[[str], None]) -> None:
    page = console(shared_service, "/history/7")
    expect(page.locator(".verdict")).to_be_visible()
    picture("event")
