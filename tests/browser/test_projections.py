"""Projections: how they compare with the log, and rebuilds that are watched, cancelled and refused."""

from collections.abc import Callable
from functools import partial

from playwright.sync_api import Locator, Page, expect

from eventstore.clock import now
from projections import verification_state
from projections.rebuild.rebuild_state import Sample
from projections.verification_state import Verification
from projections.verify import SNAPSHOTS, Verdict
from tests.browser.rig.axe import every_look
from tests.browser.rig.databases import on_postgresql, on_sqlite
from tests.browser.rig.seed import EVENTS
from tests.browser.rig.services import LiveService, run
from tests.browser.rig.visibility import HIDE
from tests.browser.rig.watch import Watch
from tests.eventstore.recording import opened
from tests.support.postgres import as_owner
from tests.support.rebuilding import price_of, rebuilding, run_sql

Console = Callable[..., Page]
#: More digits than a JavaScript number has.
WRONG_PRICE = 999_999_999_999_999_997


def card(page: Page, name: str = "items") -> Locator:
    """Return the part of the page that shows a projection."""
    return page.locator(f"[data-projection={name}]")


def fact(part: Locator, term: str) -> Locator:
    """Return the value of a term, by its exact name."""
    return part.locator("dt", has_text=term).locator("xpath=following-sibling::dd[1]").first


def make_wrong(service: LiveService) -> None:
    """Change a row of the projection behind the service's back."""
    run(run_sql(as_owner(service.database_url), f"UPDATE items SET price = {WRONG_PRICE} WHERE id = 3"))


def test_each_projection_shows_its_table_and_its_verification(open_service: LiveService, console: Console) -> None:
    run(_note_verifications(open_service.database_url))
    page = console(open_service, "/projections")
    for name in ("items", "activity", "item_versions"):
        expect(card(page, name)).to_contain_text("live")
        expect(fact(card(page, name), "Lag")).to_have_text("0 events")
        expect(fact(card(page, name), "Position")).to_have_text(f"{EVENTS} of {EVENTS}")
    expect(card(page)).to_contain_text("drift: 1 row differs")
    expect(card(page)).to_contain_text("The column colour is missing")
    samples = card(page).get_by_role("region", name="Last verification: values that differ")
    expect(samples.locator("tbody tr")).to_have_text([f"3 price {WRONG_PRICE} 65000"])
    expect(card(page)).to_contain_text("intact")  # its snapshots
    expect(card(page, "activity")).to_contain_text("not verified yet")


@on_sqlite
def test_a_dry_run_reports_a_difference_and_a_rebuild_corrects_it(open_service: LiveService, console: Console) -> None:
    make_wrong(open_service)
    page = console(open_service, "/projections")
    card(page).get_by_role("button", name="Rebuild items").click()  # a dry run needs no confirmation
    report = card(page).locator("details")
    report.locator("summary").click()
    expect(fact(report, "Outcome")).to_have_text("dry run: the live table still differs")
    expect(fact(report, "Digests")).to_have_text("different")
    expect(report.locator("tbody tr")).to_have_text([f"3 price {WRONG_PRICE} 65000"])
    assert run(price_of(open_service.database_url, 3)) == WRONG_PRICE

    card(page).get_by_label("Dry run").uncheck()
    card(page).get_by_role("button", name="Rebuild items").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert run(price_of(open_service.database_url, 3)) == WRONG_PRICE
    card(page).get_by_role("button", name="Rebuild items").click()
    page.get_by_role("dialog").get_by_role("button", name="Rebuild").click()
    expect(fact(report, "Outcome")).to_have_text("the rows that differed were corrected")
    expect(fact(report, "Corrected")).to_have_text("1 row")
    expect(fact(report, "Writes stopped for")).to_contain_text(" ms")
    assert run(price_of(open_service.database_url, 3)) == 65_000


@on_sqlite
def test_a_throttled_rebuild_shows_its_progress_and_is_cancelled(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/projections")
    card(page).get_by_label("Throttle").fill("2")
    card(page).get_by_label("From scratch").check()
    card(page).get_by_role("button", name="Rebuild items").click()
    _watch_and_cancel(page)


def test_a_rebuild_of_another_process_is_watched_and_cancelled(open_service: LiveService, console: Console) -> None:
    page = console(open_service, "/projections")
    expect(card(page).get_by_role("button", name="Rebuild items")).to_be_visible()
    with rebuilding(as_owner(open_service.database_url), "--throttle", "2"):
        _watch_and_cancel(page)


@on_sqlite
def test_a_second_rebuild_is_refused_with_the_reason(open_service: LiveService, console: Console, watch: Watch) -> None:
    watch.expect("status of 409")
    page = console(open_service, "/projections")
    button = card(page).get_by_role("button", name="Rebuild items")
    expect(button).to_be_visible()
    with rebuilding(open_service.database_url, "--throttle", "2"):
        page.evaluate(HIDE, True)  # otherwise the page learns of it within seconds, and does not offer another
        page.evaluate(
            """async () => {
                const { get } = await import(new URL("console/app/api.js", location.href));
                const running = async () => (await get("projections/items")).data.rebuild?.state === "running";
                while (!(await running())) await new Promise(resolve => setTimeout(resolve, 20));
                document.querySelector("[data-projection=items] itl-rebuild-form form").requestSubmit();
            }"""
        )
        expect(card(page).get_by_role("alert")).to_contain_text("items is already being rebuilt")
        expect(card(page).get_by_role("progressbar")).to_be_visible()


@on_postgresql
def test_a_rebuild_without_the_rights_says_who_has_them(
    open_service: LiveService, console: Console, watch: Watch
) -> None:
    watch.tolerate("status of 503")  # if it fails within the time that the request waits
    page = console(open_service, "/projections")
    card(page).get_by_role("button", name="Rebuild items").click()
    expect(card(page)).to_contain_text("permission denied", timeout=20_000)
    expect(card(page)).to_contain_text("can run itemledger rebuild items")


@on_sqlite
def test_a_credential_without_the_scope_is_told_so(keyed_service: LiveService, console: Console) -> None:
    page = console(keyed_service, "/projections", "reader")
    expect(page.get_by_text("lacks the scope projections:rebuild")).to_be_visible()


@on_sqlite
def test_an_operator_needs_no_other_scope(keyed_service: LiveService, console: Console) -> None:
    page = console(keyed_service, "/projections", "operator")
    expect(fact(card(page), "Lag")).to_have_text("0 events")


@every_look
@on_sqlite
def test_projections_are_accessible(open_service: LiveService, console: Console, axe: Callable[[], None]) -> None:
    run(_note_verifications(open_service.database_url))
    make_wrong(open_service)
    page = console(open_service, "/projections")
    card(page).get_by_role("button", name="Rebuild items").click()
    card(page).locator("summary").click()
    expect(card(page).locator("details tbody tr")).to_have_count(1)
    axe()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _watch_and_cancel(page: Page) -> None:
    progress = card(page).get_by_role("progressbar", name="Progress of the rebuild of items")
    expect(progress).to_be_visible(timeout=20_000)
    seen = "one => one > 0 && one < 1"
    page.wait_for_function(f"() => [document.querySelector('progress')?.value].some({seen})", timeout=20_000)
    expect(card(page)).to_contain_text(f"of {EVENTS} events")
    card(page).get_by_role("button", name="Cancel the rebuild").click()
    expect(progress).to_have_count(0, timeout=20_000)
    expect(card(page).get_by_text("cancelled", exact=True)).to_be_visible()


async def _note_verifications(url: str) -> None:
    sample = Sample(3, "price", WRONG_PRICE, 65_000)
    drift = Verdict("items", False, ["The column colour is missing"], EVENTS, 12, 1, [sample], None, None)
    intact = Verdict(SNAPSHOTS, True, [], EVENTS, 0, 0, [], None, None)
    async with opened(as_owner(url)) as database:
        for verdict in (drift, intact):
            done = Verification(verdict.name, now(), now(), verdict)
            await database.write(partial(verification_state.put, verification=done))
