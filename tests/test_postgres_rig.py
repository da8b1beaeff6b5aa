"""The PostgreSQL the other tests run against."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.postgres import PostgresServer


async def test_a_fresh_database_is_really_postgresql_and_durable(empty_postgres_url: str) -> None:
    engine = create_async_engine(empty_postgres_url)
    try:
        async with engine.connect() as connection:
            version = await connection.scalar(text("SHOW server_version_num"))
            assert int(version) >= 150000
            assert await connection.scalar(text("SHOW fsync")) == "on"
            assert await connection.scalar(text("SHOW full_page_writes")) == "on"
            assert await connection.scalar(text("SHOW synchronous_commit")) == "on"
            tables = await connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
            assert tables == 0
    finally:
        await engine.dispose()


def test_committed_data_survives_a_crash_of_the_server_on_the_same_address() -> None:
    with PostgresServer() as server:
        url = server.create_database("kept")
        server.execute("CREATE TABLE t AS SELECT 1 AS n", "kept")
        server.restart("immediate")
        assert server.execute("SELECT n FROM t", "kept") == "1"
        assert url.endswith(f":{server.port}/kept")
        server.drop_database(url)
        assert server.execute("SELECT count(*) FROM pg_database WHERE datname = 'kept'") == "0"
        data = server.data_directory
    assert not data.exists()
