"""Joins the modules of a page to one script, so that the page needs no other file.

Each module becomes a function that returns its exports: names of two modules cannot collide. The few forms of `import`
and `export` that the console's code has are rewritten, and any other form is refused.
"""

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

_IMPORT = re.compile(
    r"^import (?:\{(?P<names>[^{}]*)\}|\* as (?P<whole>\w+)) from \"(?P<path>\.\.?/[\w./-]+\.js)\";$", re.MULTILINE
)
_EXPORT = re.compile(
    r"^export (?=(?:async )?function\*? (?P<function>\w+)|class (?P<class>\w+)|const (?P<const>\w+) =)", re.MULTILINE
)
#: What esbuild writes at the end of a bundle.
_EXPORTS = re.compile(r"export\s*\{(?P<names>[^{}]*)\};?\s*$")
#: Comments, which name types by `import("...")`.
_COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
#: A form that is not rewritten: it would be a syntax error, or look for a file.
_LEFT = re.compile(r"(?:^|;)(?:import|export)\b[^\n]*|\bimport\s*[(.]", re.MULTILINE)
#: What would end the script in HTML, or change how the parser reads it (HTML, section 4.12.1.3).
_HTML = re.compile(r"</script|<!--|<script", re.IGNORECASE)
_RENAMED = re.compile(r"(\w+)(?: as (\w+))?")


class BundleError(Exception):
    """A module cannot be joined; the message names it and says why."""


def bundle(entry: Path) -> str:
    """Return one script that does what the module `entry` does with all that it imports. Raises BundleError."""
    sources = dict(_read(entry.resolve()))
    # Lists, since the order of a set differs between processes: the same modules are always the same text.
    graph = {path: [target for target, _ in _imports(path, source)] for path, source in sources.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise BundleError(f"{entry.name}: its modules import each other in a circle: {error.args[1]}") from None
    names = {path: f"module{number}" for number, path in enumerate(order)}
    return "\n".join(_function(path, sources[path], names) for path in order)


def _read(entry: Path) -> Iterator[tuple[Path, str]]:
    """Yield each module once, with its text."""
    wanted, seen = [entry], {entry}
    while wanted:
        path = wanted.pop()
        try:
            source = path.read_text(encoding="utf-8")
        except OSError as error:
            raise BundleError(f"{path.name}: {error.strerror}") from None
        yield path, source
        for target, _ in _imports(path, source):
            if target not in seen:
                seen.add(target)
                wanted.append(target)


def _imports(path: Path, source: str) -> Iterator[tuple[Path, re.Match[str]]]:
    for match in _IMPORT.finditer(source):
        yield (path.parent / match["path"]).resolve(), match


def _function(path: Path, source: str, names: dict[Path, str]) -> str:
    """Return the module as a constant: the exports that its function returns."""
    exports: dict[str, str] = {}

    def bind(match: re.Match[str]) -> str:
        target = names[(path.parent / match["path"]).resolve()]
        if match["whole"]:
            return f"const {match['whole']} = {target};"
        bound = ", ".join(f"{name}: {local}" for name, local in _renamed(path, match["names"]))
        return f"const {{ {bound} }} = {target};"

    def note(match: re.Match[str]) -> str:
        name = match["function"] or match["class"] or match["const"]
        exports[name] = name
        return ""

    def note_all(match: re.Match[str]) -> str:
        exports.update((local, name) for name, local in _renamed(path, match["names"]))
        return ""

    body = _EXPORTS.sub(note_all, _EXPORT.sub(note, _IMPORT.sub(bind, source)))
    if left := _LEFT.search(_COMMENT.sub("", body)):
        raise BundleError(f"{path.name}: this form of import or export is not supported: {left[0].strip()!r}")
    if html := _HTML.search(body):
        raise BundleError(f"{path.name}: {html[0]!r} cannot be in a script of an HTML page")
    returned = ", ".join(f"{name}: {local}" for name, local in exports.items())
    return (
        f"// {path.parent.name}/{path.name}\nconst {names[path]} = (() => {{\n{body}\nreturn {{ {returned} }};\n}})();"
    )


def _renamed(path: Path, names: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the local name of each that is imported, or the local name and the name of an exported one."""
    for name in filter(None, (part.strip() for part in names.split(","))):
        match = _RENAMED.fullmatch(name)
        if match is None:
            raise BundleError(f"{path.name}: {name!r} cannot be imported or exported")
        yield match[1], match[2] or match[1]
