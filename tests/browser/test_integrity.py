"""The view Integrity: the browser verifies a log that is intact, and never says so of what it could not verify."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.integrity_page import OTHER_KEY, IntegrityPage
from tests.browser.rig.axe import every_look
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import LOG_KEY, PUBLIC_KEY, LiveService
from tests.browser.rig.watch import Watch

Console = Callable[..., Page]
ITEM = {"name": "Ink", "price": "7.25"}
KEY_NAME = PUBLIC_KEY.rpartition("+")[0]
NO_WEBCRYPTO = "Object.defineProperty(Crypto.prototype, 'subtle', {value: undefined})"
NO_ED25519 = """
    const importKey = SubtleCrypto.prototype.importKey;
    SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...rest) {
        const name = algorithm.name ?? algorithm;
        if (name === "Ed25519") return Promise.reject(new DOMException("no", "NotSupportedError"));
        return importKey.call(this, format, key, algorithm, ...rest);
    };
"""


def test_an_intact_log_is_verified_by_the_browser(console: Console, open_service: LiveService) -> None:
    at = IntegrityPage(console, open_service)
    expect(at.signature).to_contain_text("a key that you have not pasted")
    expect(at.view).to_contain_text("This is the first checkpoint that this browser sees")
    at.paste_key()
    expect(at.signature).to_contain_text(f"Signature verified Signed by {KEY_NAME}")

    open_service.request("POST", "/items", json=ITEM)
    at.visit_again()
    expect(at.view).to_contain_text("begins with each of the 1 earlier checkpoints")
    expect(at.signature).to_contain_text("Signature verified")
    expect(at.view.get_by_text("consistent", exact=True)).to_have_count(2)

    at.prove(7)
    expect(at.event_verdict).to_have_class(re.compile("good"))
    expect(at.event_verdict).to_contain_text("proven by this browser")
    assert at.page.url.endswith("#/integrity?event=7")

    at.verify_everything()
    expect(at.log_verdict).to_have_class(re.compile("good"))
    expect(at.log_verdict).to_contain_text(f"intact up to {EVENTS + 1} events")
    root = at.view.locator("dl.facts code").first.text_content()
    expect(at.log_verdict).to_contain_text(f"Root: {root}")
    at.expect_not_red()
    expect(at.alerts).to_have_count(0)


def test_events_after_the_checkpoint_are_compared_with_a_later_one(console: Console, open_service: LiveService) -> None:
    at = IntegrityPage(console, open_service)
    at.paste_key()
    open_service.request("POST", "/items", json=ITEM)
    at.verify_everything()
    expect(at.log_verdict).to_contain_text(f"intact up to {EVENTS + 1} events")
    expect(at.log_verdict).to_contain_text(f"at {EVENTS + 1} events")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "a public key must be NAME+ID+BASE64"),
        (PUBLIC_KEY.replace("items", "other"), "does not match its id"),
        (LOG_KEY, "This is a private key"),
        ("  ", "There is no key in it"),
        (f"{PUBLIC_KEY}\nnonsense", "Line 2: This is not a valid public key"),
    ],
)
def test_what_is_not_a_key_is_explained(console: Console, shared_service: LiveService, text: str, reason: str) -> None:
    at = IntegrityPage(console, shared_service)
    at.paste_key(text)
    expect(at.view.get_by_role("alert")).to_contain_text(reason)
    expect(at.view).to_contain_text("No key: signatures cannot be verified")


def test_several_keys_are_kept_and_can_be_removed(
    console: Console, shared_service: LiveService, tmp_path: Path
) -> None:
    (tmp_path / "log.pub").write_text(f"{PUBLIC_KEY}\n")
    at = IntegrityPage(console, shared_service)
    at.paste_key(OTHER_KEY)
    expect(at.signature).to_contain_text("a key that you have not pasted")
    at.view.locator("itl-public-keys input[type=file]").set_input_files(tmp_path / "log.pub")
    expect(at.signature).to_contain_text("Signature verified")
    at.visit_again()
    expect(at.view.locator("itl-public-keys li")).to_have_count(2)
    at.view.get_by_role("button", name=f"Remove the key {PUBLIC_KEY}").click()
    at.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(at.signature).to_contain_text("a key that you have not pasted")
    expect(at.view.locator("itl-public-keys li")).to_have_count(1)


def test_with_another_key_nothing_is_called_verified(console: Console, shared_service: LiveService) -> None:
    at = IntegrityPage(console, shared_service)
    at.paste_key(OTHER_KEY)
    expect(at.signature).to_have_attribute("data-signature", "unknown-key")
    at.verify_everything()
    expect(at.log_verdict).to_have_class(re.compile("warn"))
    at.prove(3)
    expect(at.event_verdict).to_have_class(re.compile("warn"))
    expect(at.view).not_to_contain_text("Signature verified")


def test_a_wrong_signature_is_red_and_such_a_checkpoint_is_not_kept(
    console: Console, page: Page, shared_service: LiveService
) -> None:
    def forge(route: Route) -> None:
        response = route.fetch()
        signature = response.text()[-20:]
        route.fulfill(response=response, body=response.text().replace(signature, f"AAAAAAAA{signature[8:]}"))

    at = IntegrityPage(console, shared_service)
    at.paste_key()
    expect(at.signature).to_contain_text("Signature verified")
    page.route("**/log/checkpoint*", forge)
    at.visit_again()
    expect(at.signature).to_contain_text("WRONG signature")
    expect(at.view).to_contain_text("It was not kept in this browser")
    expect(at.alerts.first).to_contain_text("The signature of the current checkpoint is WRONG")
    at.expect_red()


@pytest.mark.parametrize("script", [NO_WEBCRYPTO, NO_ED25519], ids=["WebCrypto", "Ed25519"])
def test_a_browser_that_cannot_check_signatures_says_so(
    console: Console, page: Page, shared_service: LiveService, script: str
) -> None:
    IntegrityPage(console, shared_service).paste_key()
    expect(page.locator("[data-signature=verified]")).to_be_visible()
    page.add_init_script(script)
    page.reload()
    at = IntegrityPage(console, shared_service)
    expect(at.signature).to_contain_text("Signature cannot be checked here")
    expect(at.signature).to_contain_text("HTTPS")
    at.verify_everything()  # hashes need no WebCrypto
    expect(at.log_verdict).to_have_class(re.compile("warn"))
    expect(at.view).not_to_contain_text("Signature verified")
    at.prove(3)
    expect(at.event_verdict).to_have_class(re.compile("warn"))
    if script == NO_WEBCRYPTO:
        expect(at.event_verdict).to_contain_text("cannot be checked here")


def test_a_credential_that_may_not_export_is_told_so(
    console: Console, page: Page, keyed_service: LiveService, watch: Watch
) -> None:
    allowed = {"name": "viewer", "scopes": ["items:read", "events:read"]}
    key = keyed_service.request("POST", "/keys", json=allowed).json()["key"]
    watch.expect("status of 401")
    console(keyed_service, "/integrity")
    page.get_by_label("Credential").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("itl-verify-log")).to_contain_text("Your credential lacks the scope events:export")
    expect(page.get_by_role("button", name="Verify everything")).to_have_count(0)
    page.wait_for_load_state("networkidle")  # the worker is loaded ahead: the service must not stop meanwhile


def test_a_verification_can_be_cancelled(console: Console, page: Page, shared_service: LiveService) -> None:
    at = IntegrityPage(console, shared_service)
    at.page.evaluate("Worker.prototype.postMessage = () => {}")  # a log that never ends
    at.view.get_by_role("button", name="Verify everything").click()
    page.get_by_role("button", name="Cancel").click()
    expect(at.log_verdict).to_contain_text("Cancelled: nothing was verified")
    expect(at.view.get_by_role("button", name="Verify everything")).to_be_enabled()


def test_a_cut_export_is_incomplete_and_never_intact(console: Console, page: Page, shared_service: LiveService) -> None:
    def cut(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.body()[: len(response.body()) // 2])

    at = IntegrityPage(console, shared_service)
    at.paste_key()
    page.context.route("**/events/export*", cut)
    at.verify_everything()
    expect(at.log_verdict).to_contain_text("INCOMPLETE")
    expect(at.log_verdict).not_to_contain_text("intact")
    at.expect_not_red()


def test_an_event_whose_proof_does_not_lead_to_the_root_is_not_proven(
    console: Console, page: Page, shared_service: LiveService
) -> None:
    def forge(route: Route) -> None:
        proof = route.fetch().json()
        proof["hashes"][0] = "00" * 32
        route.fulfill(json=proof)

    at = IntegrityPage(console, shared_service)
    at.paste_key()
    page.route("**/log/proof/*", forge)
    at.prove(7)
    expect(at.event_verdict).to_contain_text("NOT PROVEN")
    expect(at.event_verdict).to_contain_text("do not lead to the checkpoint's root")


def test_an_event_that_is_proven_in_another_tree_than_the_checkpoint_is_not_proven(
    console: Console, page: Page, shared_service: LiveService
) -> None:
    at = IntegrityPage(console, shared_service)
    at.paste_key()
    other = shared_service.request("GET", "/log/proof/7?tree_size=20").json()
    page.route("**/log/proof/*", lambda route: route.fulfill(json=other))
    at.prove(7)
    expect(at.event_verdict).to_contain_text("NOT PROVEN")
    expect(at.event_verdict).to_contain_text("another root than the checkpoint's")


def test_a_checkpoint_with_a_wrong_signature_is_not_imported(console: Console, shared_service: LiveService) -> None:
    at = IntegrityPage(console, shared_service)
    at.paste_key()
    expect(at.signature).to_contain_text("Signature verified")
    lines = shared_service.request("GET", "/log/checkpoint").text.split("\n")
    at.import_checkpoints("\n".join([lines[0], str(EVENTS - 1), *lines[2:]]))
    expect(at.alerts).to_contain_text("was not signed as it says")
    expect(at.view.get_by_role("button", name="Export all (1)")).to_be_visible()


def test_exported_checkpoints_can_be_imported_by_another_browser(
    console: Console, page: Page, open_service: LiveService
) -> None:
    at = IntegrityPage(console, open_service)
    open_service.request("POST", "/items", json=ITEM)
    at.visit_again()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export all (2)").click()
    exported = Path(downloading.value.path()).read_text()
    for name in ("40", "41"):
        page.get_by_role("button", name=f"Remove the checkpoint of {name} events").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Export all (1)")).to_be_visible()  # the current one is kept again
    at.import_checkpoints(exported)
    expect(at.view).to_contain_text("1 of 2 imported")
    expect(page.get_by_role("button", name="Export all (2)")).to_be_visible()
    expect(at.view.get_by_text("consistent", exact=True)).to_have_count(2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "This cannot be read: it is not a valid checkpoint"),
        ("other.example/log\n3\n1vTNU29l0DeRlyVzC1HPyW9Yl0VBpYWX9NhQZ6ZQzQo=\n", "is of the log other.example/log"),
        ('{"format": "x"}', "This is not a file of checkpoints"),
    ],
)
def test_what_is_not_a_checkpoint_of_this_log_is_not_imported(
    console: Console, shared_service: LiveService, text: str, reason: str
) -> None:
    at = IntegrityPage(console, shared_service)
    at.import_checkpoints(text)
    expect(at.alerts).to_contain_text(reason)
    expect(at.view.get_by_role("button", name="Export all (1)")).to_be_visible()


def test_many_kept_checkpoints_need_one_proof(console: Console, page: Page, open_service: LiveService) -> None:
    at = IntegrityPage(console, open_service)
    origin, size, root, *_ = open_service.request("GET", "/log/checkpoint").text.split("\n")
    empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    at.import_checkpoints(f"{origin}\n0\n{empty}\n{origin}\n{size}\n{root}\n")
    for _ in range(3):
        open_service.request("POST", "/items", json=ITEM)
        at.visit_again()
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    open_service.request("POST", "/items", json=ITEM)
    at.visit_again()
    expect(at.view).to_contain_text("begins with each of the 5 earlier checkpoints")
    assert len([url for url in asked if "/log/consistency" in url]) == 1


def test_dropped_files_are_verified_with_the_service_stopped(
    console: Console, page: Page, open_service: LiveService, watch: Watch, tmp_path: Path
) -> None:
    (tmp_path / "log.jsonl").write_bytes(open_service.request("GET", "/events/export").content)
    (tmp_path / "now.checkpoint").write_bytes(open_service.request("GET", "/log/checkpoint").content)
    (tmp_path / "forged.jsonl").write_text((tmp_path / "log.jsonl").read_text().replace('"24.9', '"25.9'))
    at = IntegrityPage(console, open_service)
    at.paste_key()
    expect(at.signature).to_contain_text("Signature verified")
    open_service.stop()
    watch.tolerate_outage()
    choose = at.view.locator("#offline input[type=file]")
    verdicts = at.view.locator("#offline .verdict")
    choose.set_input_files([tmp_path / "log.jsonl", tmp_path / "now.checkpoint"])
    expect(verdicts).to_contain_text(f"INTACT: the log of {EVENTS} events")
    expect(verdicts).to_contain_text("signature verified")
    choose.set_input_files([tmp_path / "forged.jsonl"])
    expect(verdicts).to_contain_text("TAMPERED WITH at position 1: its content does not match its stored hash")
    expect(verdicts).to_have_class(re.compile("bad"))


@every_look
def test_the_view_hinders_nobody(
    console: Console, shared_service: LiveService, axe: Callable[[], None], picture: Callable[[str], None]
) -> None:
    at = IntegrityPage(console, shared_service)
    at.paste_key()
    at.prove(7)
    at.verify_everything()
    expect(at.log_verdict).to_have_class(re.compile("good"))
    axe()
    assert at.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture("integrity")
