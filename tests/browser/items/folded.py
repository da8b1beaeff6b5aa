"""What items were at a position, folded from the events by code that shares nothing with the service's."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tests.browser.rig.services import LiveService


@dataclass(frozen=True)
class Folded:
    """An item as clients saw it, or its last state if it is deleted."""

    name: str
    price: Decimal
    in_stock: bool
    deleted: bool = False


def all_events(service: LiveService) -> list[dict[str, Any]]:
    """Return all events of a log of at most 1,000."""
    events: list[dict[str, Any]] = service.request("GET", "/events?limit=1000").json()
    return events


def folded(events: list[dict[str, Any]], position: int) -> dict[int, Folded]:
    """Return every item that was created up to a position, by its id."""
    items: dict[int, Folded] = {}
    for event in events:
        if event["position"] > position:
            break
        item_id, verb, data = event["item_id"], event["type"].split(".")[1], dict(event["data"])
        if "price" in data:
            data["price"] = Decimal(data["price"])
        if verb == "created":
            items[item_id] = Folded(**data)
        else:
            items[item_id] = replace(items[item_id], **data, deleted=verb == "deleted")
    return items


def existing(events: list[dict[str, Any]], position: int) -> dict[int, Folded]:
    """Return the items that clients saw at a position."""
    return {item_id: item for item_id, item in folded(events, position).items() if not item.deleted}
