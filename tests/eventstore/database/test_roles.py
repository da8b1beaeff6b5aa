"""The grants of the service's role: enough to serve, not enough to rewrite history."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import ProgrammingError

import migrations
from api.app import run
from api.projections.scheduled_verification import VerificationSchedule
from api.secret import SecretUrl
from api.settings import Settings
from api.startup import StartError, check_role
from commands.item import DeleteItem
from eventstore.merkle import tree_head
from eventstore.merkle.verify_database import verify as verify_log
from migrations.rights import RIGHTS, RightsError, grant
from projections import PROJECTIONS, verification_state
from projections.rebuild import rebuild_state
from projections.verify import verify
from tests.eventstore.database.test_relay import relaying
from tests.eventstore.recording import opened
from tests.migrations.second_revision import add_second_revision
from tests.support.fold import assert_log_and_projection_agree
from tests.support.postgres import PostgresServer
from tests.support.service import migrate
from tests.support.writing import create, metadata, writing

#: Forbidden to the service: change rows, remove them, or remove what protects them.
FORBIDDEN = (
    "UPDATE events SET actor = actor",
    "DELETE FROM events",
    "TRUNCATE events",
    "INSERT INTO events SELECT * FROM events ON CONFLICT (position) DO UPDATE SET data = excluded.data",
    "MERGE INTO events USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "SELECT * FROM events FOR UPDATE",
    "LOCK TABLE events IN EXCLUSIVE MODE",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "ALTER TABLE events RENAME TO gone",
    "CREATE TRIGGER mine BEFORE INSERT ON events EXECUTE FUNCTION events_append_only()",
    "CREATE RULE mine AS ON INSERT TO events DO INSTEAD NOTHING",
    "DROP TABLE events",
    "SET session_replication_role = replica",
    "INSERT INTO log_head SELECT 2, position, recorded_at, frontier FROM log_head",
    "DELETE FROM log_head",
    "UPDATE log_tiles SET hash = hash",
    "DELETE FROM log_tiles",
    "DELETE FROM log_checkpoint",
    "DELETE FROM api_keys",
    "DELETE FROM first_api_key",
    "UPDATE first_api_key SET created_at = 0",
    "CREATE TABLE mine (n INTEGER)",
)


def attempt(statement: str, connection: Connection) -> None:
    with connection.begin():
        connection.execute(text(statement))


class Roles:
    """Return a database with its own owner and service roles, neither of them a superuser."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self._server = server
        self.url = url
        self.database = make_url(url).database or ""
        self.owner, self.service, self.extra = (
            f'{kind} of "{self.database}"' for kind in ("Owner", "Service", "Extra")
        )

    def url_of(self, role: str) -> str:
        return make_url(self.url).set(username=role).render_as_string(hide_password=False)

    def execute(self, sql: str) -> str:
        """Run SQL as the superuser; {owner}, {service}, {extra} and {database} stand for quoted names."""
        names = {"owner": self.owner, "service": self.service, "extra": self.extra, "database": self.database}
        quoted = {kind: '"{}"'.format(name.replace('"', '""')) for kind, name in names.items()}
        return self._server.execute(sql.format(**quoted), self.database)


@pytest.fixture
def roles(postgres_server: PostgresServer, empty_postgres_url: str) -> Iterator[Roles]:
    roles = Roles(postgres_server, empty_postgres_url)
    roles.execute(
        "CREATE ROLE {owner} LOGIN; CREATE ROLE {service} LOGIN; CREATE ROLE {extra}; "
        "ALTER SCHEMA public OWNER TO {owner}"
    )
    yield roles
    roles.execute("DROP OWNED BY {owner}, {service}, {extra} CASCADE; DROP ROLE {owner}, {service}, {extra}")


async def prepared(roles: Roles, role: str | None = None) -> list[tuple[str, list[str]]]:
    """Migrate as the owner, and grant the service, or `role`, its rights."""
    async with opened(roles.url_of(roles.owner)) as database:
        await database.write(migrations.upgrade)
        return await database.write(partial(grant, role=role or roles.service))


async def test_the_service_works_under_a_role_that_can_only_add_to_the_log(roles: Roles) -> None:
    await prepared(roles)
    async with opened(roles.url_of(roles.service)) as database:
        await database.check()
        async with writing(database) as writer:
            item = await create(writer)
            for _ in range(300):
                await create(writer)
            await writer.submit(DeleteItem(item.item_id), metadata=metadata())
        await assert_log_and_projection_agree(database)
        assert all(verdict.same for verdict in await verify(database, PROJECTIONS))
        head = await database.write(tree_head.advance)
        assert await verify_log(database, [head]) == head
        assert await VerificationSchedule(database, interval_seconds=60).run_due() > 0
        assert all(one.verdict.same for one in (await verification_state.find_all(database)).values())
        assert await rebuild_state.find_all(database) == {}
        async with relaying(database) as ours, relaying(database) as theirs:
            await theirs.hears()
            ours.committed.set()
            await theirs.hears()
        for statement in FORBIDDEN:
            with pytest.raises(ProgrammingError, match=r"permission denied|must be owner|must be able to SET ROLE"):
                await database.write(partial(attempt, statement))


async def test_every_table_gets_its_grants_and_other_grants_are_revoked(roles: Roles) -> None:
    roles.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    given = await prepared(roles)
    assert {table: rights for rights, tables in given for table in tables} == RIGHTS
    assert ("SELECT, INSERT", ["events", "first_api_key", "log_tiles", "snapshots"]) in given
    async with opened(roles.url_of(roles.service)) as database:
        assert (
            set(await database.read_transaction(lambda connection: inspect(connection).get_table_names()))
            == RIGHTS.keys()
        )
    roles.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO {service}; REVOKE INSERT ON events FROM {service}")
    await prepared(roles)
    rights = "SELECT string_agg(privilege_type, ' ' ORDER BY privilege_type) FROM information_schema.role_table_grants"
    assert roles.execute(f"{rights} WHERE table_name = 'events' AND grantee LIKE 'Service%'") == "INSERT SELECT"


async def test_a_migrated_table_keeps_its_grants(roles: Roles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await prepared(roles)
    add_second_revision(tmp_path, monkeypatch)
    await migrate(roles.url)
    async with opened(roles.url_of(roles.service)) as database, writing(database) as writer:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await database.read(text("SELECT * FROM second"))  # the new table, which was not granted yet
        assert await database.read(text("SELECT note FROM log_tiles")) == []  # the new column of a table that was
        await create(writer)


#: What makes the service's role able to rewrite history, what undoes that, and the reason given. {extra} is one more
#: role. CREATEROLE is one only before PostgreSQL 16.
ABILITIES = {
    "superuser": ("ALTER ROLE {service} SUPERUSER", "ALTER ROLE {service} NOSUPERUSER", "it is a superuser"),
    "member of a superuser": (
        "ALTER ROLE {extra} SUPERUSER; GRANT {extra} TO {service}",
        "REVOKE {extra} FROM {service}; ALTER ROLE {extra} NOSUPERUSER",
        "it is a member of Extra .*, a superuser",
    ),
    "member of the owner": (
        "GRANT {owner} TO {service}",
        "REVOKE {owner} FROM {service}",
        "it is a member of Owner .*, which owns the schema public, the table activity, .* more",
    ),
    "member of a member, without inheritance": (
        "ALTER ROLE {service} NOINHERIT; GRANT {owner} TO {extra}; GRANT {extra} TO {service}",
        "ALTER ROLE {service} INHERIT; REVOKE {owner} FROM {extra}; REVOKE {extra} FROM {service}",
        "it is a member of Owner .*, which owns the schema public",
    ),
    "owner of the database": (
        "ALTER DATABASE {database} OWNER TO {service}",
        "ALTER DATABASE {database} OWNER TO postgres",
        "it owns the database test_",
    ),
    "owner of the schema": (
        "ALTER SCHEMA public OWNER TO {service}",
        "ALTER SCHEMA public OWNER TO {owner}",
        "it owns the schema public",
    ),
    "owner of one table": (
        "ALTER TABLE log_tiles OWNER TO {service}",
        "ALTER TABLE log_tiles OWNER TO {owner}",
        "it owns the table log_tiles",
    ),
    "owner of the triggers' function": (
        "ALTER FUNCTION events_append_only OWNER TO {service}",
        "ALTER FUNCTION events_append_only OWNER TO {owner}",
        "it owns the function events_append_only",
    ),
    **{
        name: (f"GRANT {name} TO {{service}}", f"REVOKE {name} FROM {{service}}", f"it is a member of {name}, which")
        for name in ("pg_execute_server_program", "pg_write_server_files", "pg_write_all_data")
    },
    "grants to all": (
        "GRANT TRUNCATE ON events TO PUBLIC",
        "REVOKE TRUNCATE ON events FROM PUBLIC",
        "it has TRUNCATE on events, directly",
    ),
    "grants of a column": (
        "GRANT UPDATE (actor) ON events TO PUBLIC",
        "REVOKE UPDATE (actor) ON events FROM PUBLIC",
        "it has UPDATE on events, directly",
    ),
    "grants to another role": (
        "GRANT DELETE ON log_tiles TO {extra}; GRANT {extra} TO {service}",
        "REVOKE DELETE ON log_tiles FROM {extra}; REVOKE {extra} FROM {service}",
        "it has DELETE on log_tiles, directly",
    ),
    "creation in the schema": (
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "it has CREATE on the schema public",
    ),
}


async def test_a_role_that_could_rewrite_history_is_refused_for_each_reason_by_name(roles: Roles) -> None:
    await prepared(roles)
    for able, unable, reason in ABILITIES.values():
        roles.execute(able)
        with pytest.raises(RightsError, match=reason):
            await prepared(roles)
        async with opened(roles.url_of(roles.service)) as database:
            with pytest.raises(StartError, match=f"Service .* {reason}"):
                await check_role(database, insecure_role=False)
        roles.execute(unable)
    await prepared(roles)
    await _start(roles, roles.service)
    with pytest.raises(RightsError, match="it owns the schema public"):
        await prepared(roles, roles.owner)
    with pytest.raises(RightsError, match="the role 'nobody' does not exist"):
        await prepared(roles, "nobody")


async def test_a_role_that_only_creates_roles_is_refused_where_that_makes_it_the_owner(roles: Roles) -> None:
    roles.execute("ALTER ROLE {service} CREATEROLE")
    if int(roles.execute("SHOW server_version_num")) < 160000:
        with pytest.raises(RightsError, match="it has CREATEROLE"):
            await prepared(roles)
    else:
        await prepared(roles)


async def test_roles_that_cannot_change_a_row_are_accepted(roles: Roles) -> None:
    roles.execute("GRANT pg_monitor, pg_read_all_data, pg_read_server_files TO {service}")
    roles.execute("ALTER ROLE {service} CREATEDB REPLICATION BYPASSRLS")
    await prepared(roles)
    await _start(roles, roles.service)


async def test_an_owner_may_serve_only_while_the_service_has_no_role_of_its_own_or_where_told_to(roles: Roles) -> None:
    async with opened(roles.url_of(roles.owner)) as database:
        await database.write(migrations.upgrade)
        role = await check_role(database, insecure_role=False)
        assert role is not None
        assert "it owns the schema public" in role.reasons
    await prepared(roles)
    with pytest.raises(StartError, match="ITEMLEDGER_INSECURE_ROLE"):
        await _start(roles, roles.owner)
    await _start(roles, roles.owner, insecure_role=True)


async def test_the_role_that_authenticated_counts_and_not_one_that_it_has_set(roles: Roles) -> None:
    await prepared(roles)
    roles.execute("GRANT {service} TO {owner}; ALTER ROLE {owner} SET role = {service}")
    with pytest.raises(StartError, match="The role Owner"):
        await _start(roles, roles.owner)


async def _start(roles: Roles, role: str, *, insecure_role: bool = False) -> None:
    settings = Settings(database_url=SecretUrl(roles.url_of(role)), insecure_role=insecure_role)
    async with run(settings):
        pass


async def test_sqlite_has_no_roles(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    async with opened(sqlite_url) as database:
        with pytest.raises(RightsError, match="SQLite has no roles"):
            await database.write(partial(grant, role="service"))
