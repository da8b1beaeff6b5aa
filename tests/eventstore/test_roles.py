"""The rights that the README gives the service's role: enough to serve, not enough to rewrite history."""

import re
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import ProgrammingError

from commands.item import DeleteItem
from eventstore import checkpoint
from eventstore.verify import verify as verify_log
from projections import PROJECTIONS, rebuilds
from projections.drift import DriftCheck
from projections.verify import verify
from tests.eventstore.recording import opened
from tests.eventstore.test_relay import relaying
from tests.support.fold import assert_log_and_projection_agree
from tests.support.postgres import PostgresServer
from tests.support.service import migrate
from tests.support.writing import create, metadata, writing

README = Path(__file__).parents[2] / "README.md"
FORBIDDEN = (
    "UPDATE events SET actor = actor",
    "DELETE FROM events",
    "TRUNCATE events",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "DROP TABLE events",
    "DELETE FROM log_head",
    "DELETE FROM log_tiles",
    "INSERT INTO api_keys SELECT * FROM api_keys",
    "UPDATE api_keys SET scopes = scopes",
    "DELETE FROM api_keys",
)


def attempt(statement: str, connection: Connection) -> None:
    with connection.begin():
        connection.execute(text(statement))


async def test_the_service_works_under_a_role_that_can_only_add_to_the_log(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    await migrate(postgres_url)
    database_name = make_url(postgres_url).database
    assert database_name is not None
    role = f"service_{database_name}"
    (grants,) = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
    postgres_server.execute(f"CREATE ROLE {role} LOGIN", database_name)
    try:
        postgres_server.execute(grants.replace("service", role), database_name)
        # What a migration does to a table leaves the rights on it as they are.
        await migrate(postgres_url, down_to="0001")
        await migrate(postgres_url)
        made_anew = grants.replace("service", role).splitlines()[:4]
        postgres_server.execute("\n".join(made_anew), database_name)
        url = make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
        async with opened(url) as database:
            await database.check()
            async with writing(database) as writer:
                item = await create(writer)
                for _ in range(300):
                    await create(writer)
                await writer.submit(DeleteItem(item.item_id), metadata=metadata())
            await assert_log_and_projection_agree(database)
            assert all(verdict.same for verdict in await verify(database, PROJECTIONS))
            head = await database.write(checkpoint.advance)
            assert await verify_log(database, [head]) == head
            check = DriftCheck(database, PROJECTIONS)
            await check.resume()
            assert await check.step() == []
            assert await rebuilds.find_all(database) == {}
            async with relaying(database) as ours, relaying(database) as theirs:
                await theirs.hears()
                ours.committed.set()
                await theirs.hears()

            for statement in FORBIDDEN:
                with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                    await database.write(partial(attempt, statement))
    finally:
        postgres_server.execute(f"DROP OWNED BY {role}; DROP ROLE {role}", database_name)
