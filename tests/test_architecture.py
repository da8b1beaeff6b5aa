"""The rooms and the arrows between them, read from the source itself."""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Which rooms each room may import.
ARROWS = {
    "eventstore": set[str](),
    "commands": {"eventstore"},
    "projections": {"eventstore"},
    "migrations": {"eventstore", "projections"},
    "api": {"eventstore", "commands", "projections", "migrations"},
}
#: Of `api`: which of its rooms each may import. The modules that stand beside the rooms are named below.
API_ARROWS = {
    "http": set[str](),
    "auth": {"http"},
    "edge": {"http", "auth"},
    "schemas": {"http"},
    "export": {"http", "schemas"},
    **{
        resource: {"edge", "http", "auth", "schemas"}
        for resource in ("items", "activity", "audit", "transparency", "projections", "keys", "me", "console", "ops")
    },
    "events": {"edge", "http", "auth", "schemas", "export"},
    "cli": {"edge", "http", "auth", "schemas", "export", "events", "transparency", "keys", "ops", "console"},
}
#: Beside the rooms: what every room may import, and what joins them all.
API_FOUNDATION = {"durations", "log_writer", "logs", "secret", "settings"}
API_ROOT = {"app", "startup", "__main__", "__init__"}
#: What each room may import from outside, beside the standard library; the doors may use what they need.
OUTSIDE = {
    "eventstore": {"msgspec", "sqlalchemy"},
    "commands": {"msgspec", "sqlalchemy"},
    "projections": {"msgspec", "sqlalchemy"},
    "migrations": {"alembic", "sqlalchemy"},
}
#: All that the decisions and the proofs may know: nothing that waits, stores, tells the time or rolls dice.
_DATA = {"collections.abc", "re", "decimal", "typing", "msgspec", "commands.errors", "eventstore.events"}
PURE = {
    "commands/item.py": _DATA | {"commands.name", "eventstore.item"},
    "commands/name.py": _DATA | {"unicodedata"},
    "commands/price.py": _DATA,
    "eventstore/item.py": _DATA,
    "eventstore/merkle/hashing.py": {"collections.abc", "hashlib"},
    "eventstore/merkle/proofs.py": {"collections.abc", "eventstore.errors", "eventstore.merkle.hashing"},
}

#: All of FasterAPI that may be used.
FRAMEWORK = {"Faster", "HTTPException", "RequestValidationError", "Depends", "Request"}

MODULES = sorted(path for room in ARROWS for path in (ROOT / room).rglob("*.py"))
#: The console's own modules; eslint.config.mjs says which of its folders each may import.
SCRIPTS = sorted(
    path for path in (ROOT / "api" / "console" / "static").rglob("*.js") if path.parent.name not in ("vendor", "static")
)
LONGEST = 300
#: Modules of one folder, beside its `__init__.py`: as many as one look takes in.
MOST = 16

_NAMES_EVENTS = re.compile(r'\b(?:from|into|update|join|table|on|truncate)\s+"?events\b', re.IGNORECASE)
_INSERTS_EVENTS = re.compile(r"(\w+\.)*(insert|upsert)\((connection, )?(\w+\.)*events\b.*\)|(\w+\.)*events\.insert\(\)")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    return name_of(path).partition("/")[0]


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Return (module, name) for every import of a file, also in functions. The name is empty for whole modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_every_room_is_looked_at() -> None:
    assert {room_of(path) for path in MODULES} == ARROWS.keys()
    assert len(MODULES) >= 30
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - ARROWS.keys() <= {"benchmarks", "tests"}  # a new room says here what it may import


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_follow_the_arrows(path: Path) -> None:
    room = room_of(path)
    for module, _ in imports(path):
        target = module.partition(".")[0]
        if target in ("tests", "benchmarks"):
            raise AssertionError(f"{name_of(path)} imports {module}")
        if target in ARROWS:
            assert target == room or target in ARROWS[room], f"{name_of(path)} imports {module}"
        elif room in OUTSIDE and target not in sys.stdlib_module_names:
            assert target in OUTSIDE[room], f"{name_of(path)} imports {module}"


def api_room_of(path: Path) -> str:
    """Return the room of `api` that a file is in; a module beside the rooms is one by itself."""
    return path.relative_to(ROOT / "api").parts[0].removesuffix(".py")


def api_imports(path: Path) -> Iterator[str]:
    """Return the modules of `api` that a file imports when it runs."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in typing_only and (node.module or "").startswith("api"):
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                whole = (ROOT / module.replace(".", "/")).with_suffix(".py")
                yield module if whole.exists() else str(node.module)


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) == "api"], ids=name_of)
def test_imports_inside_api_follow_its_arrows(path: Path) -> None:
    room = api_room_of(path)
    if room in API_ROOT | {"settings"}:
        return
    allowed = API_FOUNDATION | ({room} | API_ARROWS[room] if room in API_ARROWS else set())
    if room == "cli":
        allowed |= {"app", "startup"}
    for module in api_imports(path):
        assert module.split(".")[1] in allowed, f"{name_of(path)} imports {module}"


def test_no_module_of_api_is_imported_in_a_circle() -> None:
    graph = {name_of(path)[:-3].replace("/", "."): set(api_imports(path)) for path in MODULES if room_of(path) == "api"}
    tuple(TopologicalSorter(graph).static_order())


def test_every_room_of_api_has_its_arrows() -> None:
    rooms = {api_room_of(path) for path in MODULES if room_of(path) == "api"}
    assert rooms == API_ARROWS.keys() | API_FOUNDATION | API_ROOT


def test_no_folder_has_more_modules_than_one_look_takes_in() -> None:
    folders = Counter(
        path.parent
        for room in (*ARROWS, "tests", "benchmarks")
        for path in (ROOT / room).rglob("*.py")
        if path.name != "__init__.py"
    ) + Counter(path.parent for path in SCRIPTS)
    assert len(folders) > 40
    assert {name_of(folder): count for folder, count in folders.items() if count > MOST} == {}


@pytest.mark.parametrize("name", PURE)
def test_decisions_and_proofs_are_pure(name: str) -> None:
    assert {module for module, _ in imports(ROOT / name)} <= PURE[name]
    calls = {
        node.func.id
        for node in ast.walk(ast.parse((ROOT / name).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"open", "input", "print", "eval", "exec", "__import__", "id", "hash"}


def test_of_the_framework_nothing_is_used_but_dispatch_and_decoding() -> None:
    """Its helpers for JWT, OAuth2 and limits were seen to fail open, and its later source is not reviewed."""
    used = {(module, name) for path in MODULES for module, name in imports(path) if module.startswith("FasterAPI")}
    assert used == {("FasterAPI", name) for name in FRAMEWORK}


def strings(path: Path) -> list[str]:
    """Return the strings of a file but those that stand alone, which are documentation."""
    tree = ast.parse(path.read_text())
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    ]


def names_of_the_events_table(path: Path) -> list[str]:
    """Return what in a file speaks of the `events` table: an import of it, an expression, or SQL in a string."""
    imported = [
        module for module, name in imports(path) if module.startswith("eventstore.") and name in ("events", "*")
    ]
    expressions = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.Subscript)
    ]
    named = [text for text in expressions if re.search(r"\btables(\.events|\['events'\])$|\blog\.events$", text)]
    return [*imported, *named, *filter(_NAMES_EVENTS.search, strings(path))]


def test_only_the_log_and_its_migrations_name_the_events_table() -> None:
    naming = {name_of(path): names for path in MODULES if (names := names_of_the_events_table(path))}
    assert {name.partition("/")[0] for name in naming} == {"eventstore", "migrations"}, naming


def test_events_are_inserted_as_part_of_a_write_set_alone() -> None:
    inserting, building = [], []
    for path in MODULES:
        calls = [ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        inserting += [name_of(path) for call in calls if _INSERTS_EVENTS.fullmatch(call)]
        inserting += [name_of(path) for text in strings(path) if re.search(r'\binto\s+"?events\b', text, re.IGNORECASE)]
        building += [name_of(path) for call in calls if call.startswith("WriteSet(")]
    assert inserting == ["eventstore/database/sqlite/writes.py"]  # PostgreSQL's text is made from the tables
    assert building == ["eventstore/log/write_set.py"]


def test_every_folder_of_the_console_says_what_it_may_import() -> None:
    rules = (ROOT / "api" / "console" / "eslint.config.mjs").read_text()
    checked = set(re.findall(r'files: \["\*\*/static/(\w+)/\*\*"\]', rules))
    assert {path.parent.name for path in SCRIPTS} == checked


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=name_of)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) < LONGEST
