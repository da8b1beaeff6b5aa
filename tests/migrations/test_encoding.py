"""A PostgreSQL database that cannot store every name is refused before it stores any."""

import pytest

from tests.api.cli.command import assert_refused, itemledger
from tests.support.postgres import PostgresServer
from tests.support.service import free_port


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_migrate_and_serve_refuse_a_database_that_is_not_in_utf8(
    postgres_server: PostgresServer, encoding: str
) -> None:
    name = f"encoded_in_{encoding.lower()}"
    postgres_server.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    url = postgres_server.url_of(name)
    try:
        for command in (("migrate",), ("serve", "--port", free_port())):
            assert_refused(itemledger(url, *command), f"encoding is {encoding}", "ENCODING 'UTF8' TEMPLATE template0")
        assert postgres_server.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == "0"
    finally:
        postgres_server.drop_database(url)
