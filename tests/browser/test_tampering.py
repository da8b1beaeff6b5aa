"""History changed as the owner of the database can: the view Integrity turns red, and names the place."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.integrity_page import IntegrityPage
from tests.browser.rig.axe import every_look
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import LiveService
from tests.browser.rig.watch import Watch

Console = Callable[..., Page]
AT = 23
REMEMBER = "CREATE TABLE first_checkpoint AS SELECT size, root FROM log_checkpoint"
#: Lets a service that is started again sign anything.
FORGET = "UPDATE log_checkpoint SET (size, root) = (SELECT size, root FROM first_checkpoint)"
REWRITE = f"UPDATE events SET actor = 'eve' WHERE position = {AT}"
TREE = ("log_head", "log_tiles")
AWAY = 10**6


@pytest.fixture
def at(console: Console, open_service: LiveService, watch: Watch) -> IntegrityPage:
    """The view, which has seen the log as it was. Its service has not recorded that it signed anything."""
    open_service.tamper(REMEMBER)
    watch.tolerate_outage()
    at = IntegrityPage(console, open_service)
    at.paste_key()
    expect(at.signature).to_contain_text("Signature verified")
    return at


def rewrite(at: IntegrityPage, *statements: str) -> None:
    """Make a consistent log of other events, and start the service over it: it remembers nothing of the first one."""
    at.service.stop()
    at.service.tamper(*statements, FORGET, covered_up=True)
    at.service.start()


def add_items(service: LiveService, count: int) -> None:
    """Let the log grow."""
    service.request("POST", "/items/batch", json=[{"name": f"Nib {n}", "price": n} for n in range(count)])


def swap(first: int, second: int) -> list[str]:
    """Return the statements that exchange the positions of two events."""
    move = "UPDATE events SET position = {1} WHERE position = {0}"
    return [move.format(*places) for places in ((first, AWAY), (second, first), (AWAY, second))]


def test_a_changed_row_turns_the_view_red_on_its_position(at: IntegrityPage, watch: Watch) -> None:
    at.service.tamper('UPDATE events SET data = \'{"price":"1.00"}\' WHERE position = 13')
    at.verify_everything()
    expect(at.log_verdict).to_contain_text("TAMPERED WITH at position 13")
    expect(at.log_verdict).to_contain_text("its content does not match its stored hash")
    at.expect_red()
    watch.expect("status of 500")
    at.prove(13)
    expect(at.event_verdict).to_contain_text("NOT PROVEN")
    at.prove(12)
    expect(at.event_verdict).to_contain_text("proven by this browser")


def test_a_changed_row_with_its_hash_recomputed_turns_the_view_red(at: IntegrityPage, watch: Watch) -> None:
    service = at.service
    service.tamper(*(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}" for name in TREE))
    service.tamper(REWRITE, covered_up=True)
    for name in TREE:
        service.tamper(f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM kept_{name}")
    at.verify_everything()
    expect(at.log_verdict).to_contain_text(f"an event between 1 and {EVENTS} was changed")
    at.expect_red()
    watch.tolerate("status of 500")
    at.prove(AT)
    expect(at.event_verdict).to_contain_text("NOT PROVEN")


@pytest.mark.parametrize(
    ("statements", "covered_up", "reason"),
    [
        (swap(AT, AT + 1), False, f"position {AT}: its content does not match its stored hash"),
        ([f"DELETE FROM events WHERE position = {AT}"], False, f"expected position {AT}, found {AT + 1}"),
        (["UPDATE events SET recorded_at = 5 WHERE position = 30"], True, "its time is before the previous event's"),
        (["UPDATE events SET version = 9 WHERE position = 30"], True, "position 30: expected version"),
        ([f"DELETE FROM events WHERE position > {AT}"], False, f"it ended after {AT} of"),
    ],
    ids=["swapped", "gap", "time", "version", "tail missing"],
)
def test_what_breaks_the_order_of_events_is_named(
    at: IntegrityPage, watch: Watch, statements: list[str], covered_up: bool, reason: str
) -> None:
    watch.tolerate("status of 500")
    at.service.tamper(*statements, covered_up=covered_up)
    at.verify_everything()
    text = " ".join((at.log_verdict.text_content() or "").replace("Position", "position").split())
    assert reason in text
    assert "intact" not in text


def test_a_rewritten_log_contradicts_what_was_kept(at: IntegrityPage) -> None:
    before = at.service.request("GET", "/log/checkpoint").text
    add_items(at.service, 10)
    at.visit_again()
    add_items(at.service, 10)
    at.visit_again()
    rewrite(at, f"UPDATE events SET actor = 'eve' WHERE position = {EVENTS + 5}")
    add_items(at.service, 3)
    for _ in range(2):  # also when the new history has been seen and kept
        at.visit_again()
        at.expect_red()
        alert = at.alerts.first
        expect(alert).to_contain_text("Contradiction: the history was rewritten")
        expect(alert).to_contain_text(f"began between the positions {EVENTS + 1} and {EVENTS + 10}")
        expect(at.view.get_by_text("CONTRADICTION", exact=True)).to_have_count(2)
    now = at.service.request("GET", "/log/checkpoint").text
    for name, text in ((f"now-{EVENTS + 23}.checkpoint", now), (f"kept-{EVENTS + 10}.checkpoint", None)):
        with at.page.expect_download() as downloading:
            at.view.get_by_role("button", name=f"Download {name}").click()
        assert downloading.value.suggested_filename == name
        content = Path(downloading.value.path()).read_text()
        assert content == text if text else content.splitlines()[1] == str(EVENTS + 10)
    assert before.splitlines()[1] == str(EVENTS)
    at.verify_everything()
    expect(at.log_verdict).to_contain_text(f"an event between {EVENTS + 1} and {EVENTS + 10} was changed")
    at.prove(3)
    expect(at.event_verdict).to_contain_text("in a log that contradicts a kept checkpoint")


def test_a_log_that_became_shorter_contradicts_what_was_kept(at: IntegrityPage, watch: Watch) -> None:
    rewrite(at, f"DELETE FROM events WHERE position > {AT}")
    watch.expect("status of 503")  # the page asks the service to wait for the events that it knows of
    at.visit_again()
    at.expect_red()
    expect(at.alerts.first).to_contain_text(f"the log had {EVENTS} events, and now has {AT}")
    expect(at.alerts.first).to_contain_text(f"the events after position {AT} are missing")
    at.verify_everything()
    expect(at.log_verdict).to_contain_text(f"TAMPERED WITH at position {AT + 1}")
    expect(at.log_verdict).to_contain_text(f"a checkpoint covers {EVENTS} events")


def test_a_service_that_says_that_its_log_was_changed_turns_the_view_red(at: IntegrityPage, watch: Watch) -> None:
    at.service.tamper(REWRITE, covered_up=True)
    add_items(at.service, 1)
    watch.expect("status of 500")
    at.visit_again()
    at.expect_red()
    expect(at.alerts.first).to_contain_text("The service itself says that its log was changed")


def test_a_contradicting_checkpoint_that_is_imported_turns_the_view_red(at: IntegrityPage) -> None:
    kept = at.service.request("GET", "/log/checkpoint").text
    at.view.get_by_role("button", name=f"Remove the checkpoint of {EVENTS} events").click()
    rewrite(at, REWRITE)
    at.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(at.view.get_by_role("button", name="Export all (1)")).to_be_visible()
    at.visit_again()
    at.expect_not_red()  # nothing that this browser knows contradicts the new history
    at.import_checkpoints(kept)
    expect(at.alerts.first).to_contain_text(f"two checkpoints of {EVENTS} events have different roots")
    at.visit_again()
    at.expect_red()
    kept_row = at.view.get_by_role("row").filter(has_text="CONTRADICTION")
    kept_row.get_by_role("button", name="Remove").click()
    at.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    at.expect_not_red()


@every_look
@pytest.mark.parametrize("seeded_url", ["sqlite"], indirect=True)
def test_the_red_view_hinders_nobody(
    at: IntegrityPage, axe: Callable[[], None], picture: Callable[[str], None]
) -> None:
    rewrite(at, REWRITE)
    at.visit_again()
    at.verify_everything()
    at.expect_red()
    axe()
    assert at.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture("integrity-contradiction")
