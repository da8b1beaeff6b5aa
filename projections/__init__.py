"""The answers. One file a read model: its table, how events change it, its queries. Register a new one here."""

from projections.activity import ACTIVITY
from projections.former_items import FORMER_ITEMS
from projections.items import ITEMS
from projections.projection import Projection

PROJECTIONS: tuple[Projection, ...] = (ITEMS, ACTIVITY, FORMER_ITEMS)
