"""Keys: created and shown once, rotated, revoked; and the first key of an open service."""

import re
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

from api.auth.scopes import Scope
from tests.browser.rig.axe import every_look
from tests.browser.rig.databases import on_sqlite
from tests.browser.rig.services import LiveService, run
from tests.browser.rig.watch import Watch
from tests.eventstore.recording import opened
from tests.support.clients.keys import HOUR, bearer, make_key
from tests.support.postgres import as_owner

Console = Callable[..., Page]
KEY = re.compile(r"itl_[0-9a-z]+_[0-9A-Za-z]+")
#: Everything that a page can keep: its document with what is typed into it, its address, its storage.
KEPT = """async () => {
    const databases = await indexedDB.databases();
    return JSON.stringify([
        document.documentElement.outerHTML, [...document.querySelectorAll("input")].map(one => one.value),
        location.href, document.title, history.state, {...sessionStorage}, {...localStorage}, document.cookie,
        databases,
    ]);
}"""


def create(page: Page, name: str, *scopes: str) -> str:
    """Fill in the form, and return the key that the dialog shows."""
    page.get_by_label("Name of the holder").fill(name)
    for scope in scopes:
        page.get_by_role("checkbox", name=scope).check()
    page.get_by_role("button", name="Create the key").click()
    return shown_key(page)


def shown_key(page: Page) -> str:
    """Return the key that the dialog shows."""
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("cannot be shown again")).to_be_visible()
    key = dialog.get_by_label("Key", exact=True).input_value()
    assert KEY.fullmatch(key)
    return key


def row(page: Page, key: str) -> Locator:
    """Return the row of a key, by its text."""
    return page.locator(f"tr[data-key='{key.split('_')[1]}']")


def status(service: LiveService, key: str) -> int:
    """Return the status of an answer to a request with a key."""
    return httpx.get(f"{service.url}/me", headers=bearer(key), timeout=60).status_code


def wait_until_refused(page: Page, service: LiveService, key: str) -> None:
    """Return when the service refuses a key, which it does within a second."""
    while status(service, key) != 401:
        page.wait_for_timeout(50)


def test_a_new_key_is_usable_and_is_nowhere_once_its_dialog_is_closed(
    keyed_service: LiveService, console: Console
) -> None:
    page = console(keyed_service, "/keys", "admin")
    key = create(page, "till-7", "items:read")
    assert key not in page.url
    me = httpx.get(f"{keyed_service.url}/me", headers=bearer(key), timeout=60).json()
    assert (me["actor"], me["scopes"]) == ("till-7", ["items:read"])
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(row(page, key)).to_contain_text("till-7")
    expect(row(page, key)).to_contain_text("active")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert key not in page.evaluate(KEPT)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@on_sqlite
def test_the_copy_button_copies_the_key(keyed_service: LiveService, console: Console) -> None:
    page = console(keyed_service, "/keys", "admin")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=keyed_service.url)
    key = create(page, "till-7", "items:read")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key


@on_sqlite
def test_a_name_that_was_used_before_is_pointed_out(keyed_service: LiveService, console: Console) -> None:
    page = console(keyed_service, "/keys", "admin")
    earlier = keyed_service.keys["clerk"].split("_")[1]
    keyed_service.request("DELETE", f"/keys/{earlier}")
    create(page, "clerk", "items:read")
    expect(page.get_by_role("dialog")).to_contain_text(f"The name was used before, by the keys {earlier}")


@on_sqlite
def test_a_problem_is_shown_and_the_form_stays_as_it_is(
    keyed_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect("status of 409")
    page = console(keyed_service, "/keys", "admin")
    page.get_by_label("Name of the holder").fill("clerk")
    page.get_by_role("checkbox", name="items:read").check()
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("alert")).to_contain_text("clerk already has an active key")
    expect(page.get_by_role("alert")).to_contain_text("Request id")
    expect(page.get_by_label("Name of the holder")).to_have_value("clerk")


@on_sqlite
def test_only_the_scopes_of_the_own_credential_are_offered(keyed_service: LiveService, console: Console) -> None:
    page = console(keyed_service, "/keys", "admin")
    key = create(page, "registrar", "items:read", "keys:admin")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Credential", exact=True).fill(key)
    page.keyboard.press("Enter")
    boxes = page.get_by_role("group").get_by_role("checkbox")
    expect(boxes).to_have_count(2)
    assert [box.get_attribute("value") for box in boxes.all()] == ["items:read", "keys:admin"]
    expect(row(page, key)).to_contain_text("yours")


def test_a_key_is_rotated(keyed_service: LiveService, console: Console) -> None:
    old = keyed_service.keys["clerk"]
    page = console(keyed_service, "/keys", "admin")
    row(page, old).get_by_role("button", name="Rotate").click()
    page.get_by_label("The old key stays active for").select_option("1 hour")
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    new = shown_key(page)
    assert (status(keyed_service, old), status(keyed_service, new)) == (200, 200)
    page.get_by_role("button", name="Close").click()
    expect(row(page, old)).to_contain_text(f"replaced by {new.split('_')[1]}")
    expect(row(page, old).get_by_role("button", name="Rotate")).to_have_count(0)
    expect(row(page, new)).to_contain_text(f"rotated from {old.split('_')[1]}")
    row(page, new).get_by_role("button", name="Rotate").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    keys: list[dict[str, Any]] = keyed_service.request("GET", "/keys").json()
    assert [key["replaced_by"] for key in keys if key["name"] == "clerk"] == [new.split("_")[1], None]


def test_a_key_is_revoked_after_a_confirmation(keyed_service: LiveService, console: Console) -> None:
    key = keyed_service.keys["clerk"]
    page = console(keyed_service, "/keys", "admin")
    row(page, key).get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Cancel").click()
    assert status(keyed_service, key) == 200
    row(page, key).get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row(page, key)).to_have_count(0)
    wait_until_refused(page, keyed_service, key)
    page.get_by_label("Show expired and revoked keys").check()
    expect(row(page, key)).to_contain_text("revoked")
    assert page.url.endswith("#/keys?ended=true")
    expect(row(page, key).get_by_role("button")).to_have_count(0)


@on_sqlite
def test_to_revoke_the_own_key_ends_the_session(keyed_service: LiveService, console: Console, watch: Watch) -> None:
    watch.expect("status of 401")
    page = console(keyed_service, "/keys", "admin")
    own = keyed_service.keys["admin"]
    row(page, own).get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("dialog")).to_contain_text("you will be signed out")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert own not in page.evaluate(KEPT)


def test_the_first_key_closes_an_open_service_and_the_user_signs_in_with_it(
    open_service: LiveService, console: Console
) -> None:
    page = console(open_service, "/keys")
    expect(page.get_by_text("The first key closes it")).to_be_visible()
    page.get_by_role("checkbox", name="items:read").check()
    expect(page.get_by_text("The scopes that you chose lack keys:admin")).to_be_visible()
    key = create(page, "root", "keys:admin")
    page.get_by_role("button", name="Sign in with this key").click()
    expect(row(page, key)).to_contain_text("yours")
    expect(page.get_by_text("The first key closes it")).to_have_count(0)
    assert httpx.get(f"{open_service.url}/items", timeout=60).status_code == 401
    assert key not in page.evaluate(KEPT)


@on_sqlite
def test_the_first_key_leads_to_the_form_for_a_credential_if_the_user_does_not_sign_in(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.expect("status of 401")
    page = console(open_service, "/keys")
    key = create(page, "root", "keys:admin")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Credential", exact=True).fill(key)
    page.keyboard.press("Enter")
    expect(row(page, key)).to_contain_text("yours")


@on_sqlite
def test_keys_are_paged(keyed_service: LiveService, console: Console) -> None:
    run(_make_many(keyed_service.database_url, 100))
    page = console(keyed_service, "/keys", "admin")
    expect(page.locator("tr[data-key]")).to_have_count(100)
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("tr[data-key]")).to_have_count(len(keyed_service.keys))
    assert "cursor=" in page.url
    page.get_by_role("link", name="First page").click()
    expect(page.locator("tr[data-key]")).to_have_count(100)


@on_sqlite
def test_a_credential_without_the_scope_is_told_so(keyed_service: LiveService, console: Console) -> None:
    page = console(keyed_service, "/keys", "reader")
    expect(page.get_by_text("lacks the scope keys:admin")).to_be_visible()


@every_look
@on_sqlite
def test_the_keys_are_accessible(keyed_service: LiveService, console: Console, axe: Callable[[], None]) -> None:
    page = console(keyed_service, "/keys", "admin")
    expect(row(page, keyed_service.keys["clerk"])).to_be_visible()
    axe()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    row(page, keyed_service.keys["clerk"]).get_by_role("button", name="Rotate").click()
    axe()
    page.get_by_role("button", name="Cancel").click()
    create(page, "till-7", "items:read")
    axe()


async def _make_many(url: str, count: int) -> None:
    async with opened(as_owner(url)) as database:
        for number in range(count):
            await make_key(database, f"a-{number:03}", Scope.ITEMS_READ, lifetime=HOUR)
