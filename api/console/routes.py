"""The routes of `/console`: the page, and the files that it loads. The page holds no data; it reads the API."""

from functools import partial
from pathlib import Path
from typing import Any

from api.auth.scopes import Unscoped
from api.edge.routing import Answer, Route
from api.edge.static_files import MEDIA_TYPES, NOT_MODIFIED, file_response
from api.http.problems import NOT_FOUND, Problem
from api.http.responses import HttpResponse
from api.schemas.examples import load

STATIC = Path(__file__).parent / "static"
_PAGE = STATIC / "console.html"
_FOLDERS = sorted(path.name for path in STATIC.iterdir() if path.is_dir())
#: The files that are served, by the folder and the name in their path. All else is not found, whatever a path says.
FILES = {
    (folder, path.name): path
    for folder in _FOLDERS
    for path in sorted((STATIC / folder).glob("*"))
    if path.suffix in MEDIA_TYPES
}


async def console() -> HttpResponse:
    """Show the console.

    The page loads nothing from other machines. If the service requires a credential, the page asks for one and sends
    it with each request to this API. Browsers revalidate the page and its files with `ETag`.
    """
    return file_response(_PAGE)


async def console_file(folder: str, file: str) -> HttpResponse:
    """Get a file of the console.

    The page loads its scripts, style sheets and pictures from here.
    """
    if (path := FILES.get((folder, file))) is None:
        raise Problem(NOT_FOUND)
    return file_response(path)


_EXAMPLES = load("console")
_FOLDER, _FILE = next(iter(FILES))
_NAMES = {
    "folder": {"type": "string", "enum": [*_FOLDERS], "description": "The folder", "examples": [_FOLDER]},
    "file": {
        "type": "string",
        "pattern": r"^[A-Za-z0-9_-]+\.(css|js|json|png|svg|txt)$",
        "description": "The file's name",
        "examples": [_FILE],
    },
}


def _answer(media_type: str, type_: Any = str) -> Answer:
    return Answer(200, "The file", type_, ("ETag",), _EXAMPLES.get(media_type), media_type=media_type)


_HTML = Answer(200, "The page", str, ("ETag",), _EXAMPLES["text/html"], media_type="text/html")
_ANSWERS = (
    _answer("text/javascript"),
    _answer("text/css"),
    _answer("image/svg+xml"),
    _answer("image/png", bytes),
    _answer("application/json", dict[str, Any]),
    _answer("text/plain"),
    NOT_MODIFIED,
)
_open = partial(Route, "GET", tag="console", scope=Unscoped.OPEN, headers=("If-None-Match",))

ROUTES = [
    _open("/console", console, answers=(_HTML, NOT_MODIFIED)),
    _open("/console/{folder}/{file}", console_file, path_schemas=_NAMES, answers=_ANSWERS, problems=(NOT_FOUND,)),
]
