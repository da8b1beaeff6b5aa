"""The answers. One file a read model: its table, how events change it, its queries. Register a new one here."""

from projections.activity import ACTIVITY
from projections.items.item_versions import ITEM_VERSIONS
from projections.items.items import ITEMS
from projections.projection import Projection

PROJECTIONS: tuple[Projection, ...] = (ITEMS, ACTIVITY, ITEM_VERSIONS)
