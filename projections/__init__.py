"""The read models. Each has its table, its fold of events into rows, and its queries. Register a new one here."""

from projections.activity import ACTIVITY
from projections.items.item_versions import ITEM_VERSIONS
from projections.items.items import ITEMS
from projections.projection import Projection

PROJECTIONS: tuple[Projection, ...] = (ITEMS, ACTIVITY, ITEM_VERSIONS)
