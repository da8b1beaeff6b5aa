"""The page around the views: sign-in, the menu, and what happens when a credential or the service is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.rig.axe import every_look
from tests.browser.rig.services import LiveService
from tests.browser.rig.watch import Watch

Console = Callable[..., Page]

_REFUSED = "status of {}"
_STORED = "() => [JSON.stringify({...localStorage}), location.href, document.cookie]"
#: Hands pieces of text to the parser of the live feed, and returns its messages.
_PARSE = """async pieces => {
    const {MessageParser} = await import("/console/app/server_sent_events.js");
    const parser = new MessageParser();
    return pieces.flatMap(piece => parser.push(piece));
}"""


def sign_in_form(page: Page) -> Locator:
    """Return the heading of the form that asks for a credential."""
    return page.get_by_role("heading", name="Sign in")


def sign_in(page: Page, credential: str, *, kept: bool = False) -> None:
    """Fill in the form and send it."""
    page.get_by_label("Credential").fill(credential)
    page.get_by_label("Keep it in this tab").set_checked(kept)
    page.get_by_role("button", name="Sign in").click()


def revoke(service: LiveService, holder: str) -> None:
    """Revoke the key of a holder."""
    (key,) = (key["id"] for key in service.request("GET", "/keys").json() if key["name"] == holder)
    service.request("DELETE", f"/keys/{key}")


@pytest.mark.parametrize("kept", [False, True], ids=["forgotten", "kept in the tab"])
def test_a_credential_is_kept_only_as_the_user_says(
    keyed_service: LiveService, console: Console, watch: Watch, kept: bool
) -> None:
    watch.expect(_REFUSED.format(401))
    key = keyed_service.keys["auditor"]
    page = console(keyed_service, "/history")
    expect(page.get_by_label("Credential")).to_be_focused()
    sign_in(page, key, kept=kept)
    expect(page.get_by_role("heading", name="History")).to_be_focused()
    assert page.url.endswith("#/history")
    assert not any(key in text for text in page.evaluate(_STORED))
    assert (key in page.evaluate("JSON.stringify({...sessionStorage})")) is kept
    page.reload()
    expect(page.get_by_role("heading", name="History") if kept else sign_in_form(page)).to_be_visible()
    if kept:
        page.get_by_role("button", name="Sign out").click()
        expect(sign_in_form(page)).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0
        page.reload()
        expect(sign_in_form(page)).to_be_visible()


def test_a_wrong_credential_is_explained_and_stored_nowhere(
    keyed_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect(_REFUSED.format(401))
    page = console(keyed_service, "/items")
    sign_in(page, f"{keyed_service.keys['auditor']}x", kept=True)
    expect(page.get_by_role("alert")).to_contain_text("Request id")
    assert page.evaluate("sessionStorage.length") == 0
    sign_in(page, "a text, not a credential", kept=True)
    expect(page.get_by_role("alert")).to_contain_text("Copy it again")
    assert page.evaluate("sessionStorage.length") == 0
    sign_in(page, f"  {keyed_service.keys['auditor']}\n")
    expect(page.get_by_role("heading", name="Items", exact=True)).to_be_visible()


def test_a_key_that_is_revoked_in_mid_use_leads_to_the_form_and_back_to_the_same_view(
    keyed_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect(_REFUSED.format(401))
    page = console(keyed_service, "/history?actor=shop", "auditor")
    expect(page.locator("tr[data-position]").first).to_be_visible()
    revoke(keyed_service, "auditor")
    page.get_by_role("link", name="Follow new events").click()
    expect(sign_in_form(page)).to_be_visible()
    expect(page.locator("tr[data-position]")).to_have_count(0)
    sign_in(page, keyed_service.keys["admin"])
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert page.url.endswith("#/history?actor=shop&follow=1")


def test_a_stream_ends_in_the_form_when_its_key_is_revoked(
    keyed_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect(_REFUSED.format(401))
    watch.tolerate_outage()
    page = console(keyed_service, "/history?follow=1", "auditor")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    revoke(keyed_service, "auditor")
    expect(sign_in_form(page)).to_be_visible(timeout=60_000)


def test_the_end_of_a_credential_is_announced(
    keyed_service: LiveService, console: Console, page: Page, watch: Watch
) -> None:
    watch.tolerate(_REFUSED.format(401))
    page.clock.install()

    def expiring(route: Route) -> None:
        answer = route.fetch()
        expires_at = page.evaluate("new Date(Date.now() + 20 * 60_000).toISOString()")
        route.fulfill(response=answer, json={**answer.json(), "expires_at": expires_at})

    console(keyed_service, "/items")
    expect(sign_in_form(page)).to_be_visible()
    page.route("**/me", expiring)
    sign_in(page, keyed_service.keys["auditor"])
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.get_by_text("Your credential expires")).to_have_count(0)
    page.clock.run_for(6 * 60_000)
    expect(page.get_by_text("Your credential expires in 1")).to_be_visible()


def test_a_view_that_needs_another_scope_says_which(keyed_service: LiveService, console: Console) -> None:
    page = console(keyed_service, "/history", "reader")
    expect(page.locator("main")).to_contain_text("lacks the scope events:read")
    page.get_by_role("link", name="Keys").click()
    expect(page.locator("main")).to_contain_text("lacks the scope keys:admin")
    expect(page.get_by_role("heading", name="Keys")).to_be_focused()


def test_an_address_without_a_view_says_so_and_the_back_button_works(
    shared_service: LiveService, console: Console
) -> None:
    page = console(shared_service, "/history?actor=shop")
    expect(page.locator("tr[data-position]").first).to_be_visible()
    page.get_by_role("link", name="Items", exact=True).click()
    expect(page.get_by_role("heading", name="Items", exact=True)).to_be_focused()
    expect(page).to_have_title("Items · Itemledger")
    page.evaluate("location.hash = '#/constructor'")
    expect(page.get_by_role("heading", name="Not found")).to_be_focused()
    page.go_back()
    expect(page.get_by_role("heading", name="Items", exact=True)).to_be_visible()
    page.go_back()
    expect(page.locator("[name=actor]")).to_have_value("shop")


def test_the_page_can_be_used_by_keyboard(shared_service: LiveService, console: Console) -> None:
    page = console(shared_service, "/history")
    expect(page.locator("tr[data-position]").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("button", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="History")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Item", exact=True)).to_be_focused()
    page.get_by_role("link", name="Itemledger").focus()
    for name in ("Overview", "Items"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Items", exact=True)).to_be_focused()
    expect(page.get_by_role("link", name="Items", exact=True)).to_have_attribute("aria-current", "page")


def test_a_service_that_does_not_answer_is_reported_and_asked_again(
    shared_service: LiveService, console: Console, page: Page, watch: Watch
) -> None:
    watch.expect("net::ERR_CONNECTION_REFUSED")
    page.route("**/me", lambda route: route.abort("connectionrefused"))
    console(shared_service, "/items")
    expect(page.get_by_role("alert")).to_contain_text("The service did not answer")
    page.unroute("**/me")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("heading", name="Items", exact=True)).to_be_visible()


def test_a_view_whose_code_does_not_arrive_is_reported_and_loaded_with_the_page(
    shared_service: LiveService, console: Console, page: Page, watch: Watch
) -> None:
    watch.expect("net::ERR_CONNECTION_REFUSED")
    requests: list[str] = []

    def refuse(route: Route) -> None:
        requests.append(route.request.url)
        route.abort("connectionrefused")

    console(shared_service, "/items")
    expect(page.get_by_role("heading", name="Items", exact=True)).to_be_visible()
    page.route("**/views/keys.js", refuse)
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_role("alert")).to_contain_text("Keys could not be loaded")
    page.get_by_role("link", name="Items", exact=True).click()
    expect(page.get_by_role("heading", name="Items", exact=True)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_role("alert")).to_contain_text("reload the page")
    assert len(requests) == 1, "it does not try without end"
    page.unroute("**/views/keys.js")
    page.get_by_role("button", name="Reload the page").click()
    expect(page.get_by_role("heading", name="Keys", exact=True)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("pieces", "messages"),
    [
        (["id: 7\ndata: {}\n\n"], [(7, "{}", None)]),
        (["id: 7\r\ndata: {}\r\n\r\n"], [(7, "{}", None)]),
        (["id: 7\rdata: {}\r\r"], [(7, "{}", None)]),
        (["id: 7\r", "\ndata: {}\r\n", "\r", "\n"], [(7, "{}", None)]),
        (["i", "d: 7\nda", "ta: a", "b\n", "\nid: 8", "\n\n"], [(7, "ab", None), (8, None, None)]),
        (["data: a\ndata:b\ndata\n\n"], [(None, "a\nb\n", None)]),
        ([":\n", ": comment\n\n", "retry: 700\n\n"], [(None, None, 700)]),
        (["id: x\nretry: -1\nevent: y\nother\n\n"], []),
        (["id: 9\n\n"], [(9, None, None)]),
        (["id: 9\ndata: unfinished\n"], []),
        (["data:  two spaces: and a colon\n\n"], [(None, " two spaces: and a colon", None)]),
    ],
)
def test_the_live_feed_is_read_as_the_standard_says(
    shared_service: LiveService, console: Console, pieces: list[str], messages: list[tuple[Any, ...]]
) -> None:
    page = console(shared_service)
    found = page.evaluate(_PARSE, pieces)
    assert [(message["id"], message["data"], message["retryMs"]) for message in found] == messages


@every_look
def test_the_sign_in_is_accessible(
    keyed_service: LiveService, console: Console, axe: Callable[[], None], watch: Watch
) -> None:
    watch.expect(_REFUSED.format(401))
    page = console(keyed_service)
    expect(sign_in_form(page)).to_be_visible()
    axe()
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    axe()
