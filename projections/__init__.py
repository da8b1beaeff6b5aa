"""The answers. One file a read model: its table, how events change it, its queries. Register a new one here."""

from projections.activity import ACTIVITY
from projections.items.item_versions import FORMER_ITEMS
from projections.items.items import ITEMS
from projections.projection import Projection

PROJECTIONS: tuple[Projection, ...] = (ITEMS, ACTIVITY, FORMER_ITEMS)
