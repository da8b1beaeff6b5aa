"""The log that the tests of the console look at: ten days of a shop, the same bytes in every run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, Metadata
from eventstore.log.unit_of_work import unit_of_work
from projections import PROJECTIONS
from projections.live import LiveProjections
from tests.eventstore.recording import ProposedEvent, opened, record_in
from tests.support.service import migrate

_BEGAN = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_DAY = 4
#: Prices have up to 18 digits, more than a JavaScript number has.
_ITEMS = (
    ("Fountain pen", "24.90"),
    ("Ink, blue", "6.50"),
    ("Ink, black", "6.50"),
    ("Pencil HB", "0.85"),
    ("Drawing table", "349.00"),
    ("Paper A4, 500 sheets", "5.49"),
    ("Stapler", "12.75"),
    ("Gold nib", "99999999999999.9999"),
    ("Ruler 30 cm", "1.2345"),
    ("Eraser <b>soft</b>", "0.60"),
    ("Schreibmappe „Käthe“", "39.90"),
    ("万年筆", "120"),
)
#: After all items are there: (its number in `_ITEMS`, what happens to it).
_LATER: tuple[tuple[int, Event], ...] = (
    (0, ItemChanged(price=Decimal("22.90"))),
    (3, ItemChanged(in_stock=False)),
    (4, ItemDeleted()),
    (1, ItemChanged(name="Ink, royal blue", price=Decimal("6.95"))),
    (6, ItemChanged(price=Decimal("11.00"), in_stock=False)),
    (3, ItemChanged(in_stock=True, price=Decimal("0.90"))),
    (4, ItemRestored()),
    (4, ItemChanged(price=Decimal("299.00"))),
    (9, ItemDeleted()),
    (8, ItemChanged(price=Decimal("1.2346"))),
    (0, ItemChanged(in_stock=False)),
    (7, ItemChanged(price=Decimal("99999999999999.9998"))),
    (2, ItemChanged(name="Ink, jet black")),
    (11, ItemDeleted()),
    (0, ItemChanged(in_stock=True)),
    (5, ItemChanged(price=Decimal("5.79"))),
    (11, ItemRestored()),
    (6, ItemDeleted()),
    (10, ItemChanged(price=Decimal("44.90"))),
    (0, ItemChanged(price=Decimal("23.90"))),
    (1, ItemChanged(in_stock=False)),
    (5, ItemChanged(name="Paper A4, 500 sheets, recycled")),
    (3, ItemDeleted()),
    (8, ItemChanged(price=Decimal("1.25"))),
    (1, ItemChanged(in_stock=True, price=Decimal("7.20"))),
    (3, ItemRestored()),
    (4, ItemChanged(name="Drawing table, oak", in_stock=False)),
    (7, ItemChanged(in_stock=False)),
)
_ACTORS = (("shop", "key:5f0c2a7e9b114d38"), ("clara", "jwt:https://login.example"), ("import", None))
#: Of all events; the id of item N of `_ITEMS` is N + 1; the first `_ITEMS` events create them.
EVENTS = len(_ITEMS) + len(_LATER)


async def fill(url: str) -> None:
    """Migrate an empty database to head and put the log into it, as the service's own writer would."""
    await migrate(url)
    projector = LiveProjections(PROJECTIONS)

    def append(connection: Connection) -> None:
        for number, event in enumerate(_events()):
            time = _BEGAN + timedelta(days=number // _PER_DAY, minutes=157 * (number % _PER_DAY), milliseconds=number)
            with unit_of_work(connection, projector) as work:
                record_in(work, [event], (time - _EPOCH) // timedelta(microseconds=1))

    async with opened(url) as database:
        await database.write(append)


def _events() -> Iterator[ProposedEvent]:
    versions = [0] * len(_ITEMS)
    created = [(item, ItemCreated(name, Decimal(price), True)) for item, (name, price) in enumerate(_ITEMS)]
    for number, (item, event) in enumerate([*created, *_LATER]):
        versions[item] += 1
        actor, credential = _ACTORS[number % len(_ACTORS)]
        metadata = Metadata(f"seed-{number + 1:03}", actor, credential, correlation_id=f"order-{number // 4 + 1}")
        yield ProposedEvent(item + 1, versions[item], event, metadata)
