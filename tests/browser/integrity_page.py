"""What an auditor does in the view Integrity, and what its page then says."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.rig.services import PUBLIC_KEY, LiveService

#: Signs nothing in these tests: of the same log, but of another key.
OTHER_KEY = "shop.example/items+7f496e9e+AW/+sA8qcCShABDpmZK95t32K3ATenB1fEeeZZ4OLB2i"


class IntegrityPage:
    """The view, opened on a service."""

    def __init__(self, console: Callable[..., Page], service: LiveService) -> None:
        self.service = service
        self.page = console(service, "/integrity")
        self.loaded()

    def loaded(self) -> None:
        """Wait until the kept checkpoints were compared."""
        expect(self.view.get_by_role("button", name="Export all")).to_be_visible()

    def visit_again(self) -> None:
        """Reload the page."""
        self.page.reload()
        self.loaded()

    @property
    def view(self) -> Locator:
        """The whole view."""
        return self.page.locator("itl-integrity")

    @property
    def alerts(self) -> Locator:
        """What the page announces at once."""
        return self.view.get_by_role("alert")

    @property
    def signature(self) -> Locator:
        """What the page says of the current checkpoint's signature."""
        return self.view.locator("[data-signature]")

    @property
    def log_verdict(self) -> Locator:
        """The verdict on the whole log."""
        return self.view.locator("itl-verify-log .verdict, itl-verify-log .notice")

    @property
    def event_verdict(self) -> Locator:
        """The verdict on one event."""
        return self.view.locator("itl-event-proof .verdict")

    def paste_key(self, key: str = PUBLIC_KEY) -> None:
        """Paste a public key."""
        self.view.get_by_label("Public key, one a line").fill(key)
        self.view.get_by_role("button", name="Add key").click()

    def verify_everything(self) -> None:
        """Verify the whole log; return when there is a verdict."""
        self.view.get_by_role("button", name="Verify everything").click()
        expect(self.log_verdict).to_be_visible()

    def prove(self, position: int) -> None:
        """Prove one event; return when there is a verdict."""
        self.view.get_by_label("Position").fill(str(position))
        self.view.get_by_role("button", name="Prove it").click()
        expect(self.event_verdict).to_contain_text(f"Event {position}:")

    def import_checkpoints(self, text: str) -> None:
        """Paste checkpoints that were kept elsewhere."""
        form = self.view.locator("itl-import-checkpoints")
        if form.get_by_role("button", name="Import").is_hidden():
            form.get_by_text("Import checkpoints that you kept elsewhere").click()
        form.get_by_label("Checkpoints: paste").fill(text)
        form.get_by_role("button", name="Import").click()

    def expect_red(self) -> None:
        """Fail unless the whole view is red."""
        expect(self.view).to_have_class("alarmed")

    def expect_not_red(self) -> None:
        """Fail if the view is red."""
        expect(self.view).not_to_have_class("alarmed")
