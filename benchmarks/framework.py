"""The framework alone: a POST whose body is decoded and answered, without a boundary, a log line or a database.

uvicorn benchmarks.framework:app --loop uvloop --http httptools
"""

import msgspec
from FasterAPI import Faster


class Item(msgspec.Struct):
    """Request and response body."""

    name: str
    price: float
    in_stock: bool = True


app = Faster()


@app.post("/items", status_code=201)
async def create_item(body: Item) -> Item:
    """Return the item."""
    return body
