"""The plain CRUD service of the comparison: the SQLAlchemy guide's, changed only where it does not work as printed.

Differences from the guide: sessions are opened inside the handlers, because FasterAPI injects a generator dependency
unresolved. Ids are converted, because path parameters arrive as text. PATCH is added, in the same way. SQLite is as
durable as ours (an answered request survives a power cut), and its busy timeout is long enough that no client sees an
error.

    DATABASE_URL=sqlite+aiosqlite:///./crud.db uvicorn benchmarks.baseline_crud:app --loop uvloop --http httptools
"""

import os
from typing import Any

import msgspec
from FasterAPI import Faster, HTTPException
from sqlalchemy import Float, String, event, make_url, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///./crud.db")
ON_SQLITE = make_url(DATABASE_URL).get_backend_name() == "sqlite"

# The guide leaves the pool to SQLAlchemy. CRUD_POOL=tuned uses the best size for this service at 64 clients, out of 1,
# 2, 3, 4, 15, 32 and 64 on SQLite, 10, 20 and 40 on PostgreSQL, and the default of 5 with 10 more on demand. On SQLite
# each connection is a thread, and writers wait for each other anyway: with more of them creates gain a tenth at most,
# reads lose about a fifth, and the slowest 1 % of creates take up to two seconds. On PostgreSQL the default opens and
# closes connections all the time, which costs creates a third; from 10 to 40 differences are within the noise.
POOL = {"pool_size": 2 if ON_SQLITE else 20, "max_overflow": 0} if os.environ.get("CRUD_POOL") == "tuned" else {}

engine = create_async_engine(DATABASE_URL, echo=False, **POOL)
AsyncSessionLocal = async_sessionmaker(engine, expire_on_commit=False)


def set_up_sqlite(connection: Any, _record: object) -> None:
    """Set WAL (readers run beside a writer), FULL (as durable as ours), and a timeout that no client exceeds."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=60000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


if ON_SQLITE:
    event.listen(engine.sync_engine, "connect", set_up_sqlite)


class Base(DeclarativeBase):
    """Base of the models."""


class ItemORM(Base):
    """Row of an item."""

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(255), nullable=False)
    price: Mapped[float] = mapped_column(Float, nullable=False)
    in_stock: Mapped[bool] = mapped_column(default=True)


class ItemCreate(msgspec.Struct):
    """Request body."""

    name: str
    price: float
    in_stock: bool = True


class ItemUpdate(msgspec.Struct):
    """Request body of a change: the fields to set."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    price: float | msgspec.UnsetType = msgspec.UNSET
    in_stock: bool | msgspec.UnsetType = msgspec.UNSET


class ItemResponse(msgspec.Struct):
    """Response body."""

    id: int
    name: str
    price: float
    in_stock: bool


app = Faster()


@app.on_startup
async def create_tables() -> None:
    """Create missing tables."""
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)


@app.on_shutdown
async def close_engine() -> None:
    """Close the connections."""
    await engine.dispose()


@app.get("/items", tags=["items"])
async def list_items() -> list[ItemResponse]:
    """List all items."""
    async with AsyncSessionLocal() as session:
        result = await session.execute(select(ItemORM))
        return [_response(item) for item in result.scalars().all()]


@app.post("/items", status_code=201, tags=["items"])
async def create_item(body: ItemCreate) -> ItemResponse:
    """Create an item."""
    async with AsyncSessionLocal() as session:
        item = ItemORM(name=body.name, price=body.price, in_stock=body.in_stock)
        session.add(item)
        await session.flush()
        await session.commit()
        return _response(item)


@app.get("/items/{item_id}", tags=["items"])
async def get_item(item_id: str) -> ItemResponse:
    """Get an item."""
    async with AsyncSessionLocal() as session:
        item = await session.get(ItemORM, int(item_id))
        if item is None:
            raise HTTPException(status_code=404, detail="Item not found")
        return _response(item)


@app.patch("/items/{item_id}", tags=["items"])
async def update_item(item_id: str, body: ItemUpdate) -> ItemResponse:
    """Change an item."""
    async with AsyncSessionLocal() as session:
        item = await session.get(ItemORM, int(item_id))
        if item is None:
            raise HTTPException(status_code=404, detail="Item not found")
        for field, value in msgspec.to_builtins(body).items():
            setattr(item, field, value)
        await session.commit()
        return _response(item)


@app.delete("/items/{item_id}", status_code=204, tags=["items"])
async def delete_item(item_id: str) -> None:
    """Delete an item."""
    async with AsyncSessionLocal() as session:
        item = await session.get(ItemORM, int(item_id))
        if item is None:
            raise HTTPException(status_code=404, detail="Item not found")
        await session.delete(item)
        await session.commit()


def _response(item: ItemORM) -> ItemResponse:
    return ItemResponse(id=item.id, name=item.name, price=item.price, in_stock=item.in_stock)
