"""The routes by which the service documents itself: the OpenAPI document, a page that shows it, problem types."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from swagger_ui_bundle import swagger_ui_path

from api.auth.scopes import Unscoped
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.edge.static_files import NOT_MODIFIED, file_response
from api.http.problems import ITEM_NOT_FOUND, KINDS, NOT_FOUND, Kind, Problem
from api.http.responses import JSON, HttpResponse, json_response
from api.http.security_headers import CONTENT_SECURITY_POLICY
from api.schemas.examples import load

_STATIC = Path(__file__).parent / "static"
_PAGE = _STATIC / "docs.html"
#: Swagger UI's files come from a package, so the page loads nothing from other machines.
_ASSETS = {
    path.name: path
    for path in (
        Path(swagger_ui_path) / "swagger-ui.css",
        Path(swagger_ui_path) / "swagger-ui-bundle.js",
        Path(swagger_ui_path) / "favicon-32x32.png",
        _STATIC / "start.js",
    )
}
#: Swagger UI sets inline styles and draws with data: images. All else is as for every response.
_POLICY = f"{CONTENT_SECURITY_POLICY}; style-src 'self' 'unsafe-inline'; img-src 'self' data:".encode()

_KINDS = {kind.code: kind for kind in KINDS}


class ProblemKind(Struct, frozen=True):
    """A type of problem."""

    type: str
    title: str
    status: int
    description: str


async def openapi_document() -> HttpResponse:
    """Get the OpenAPI document.

    It describes every response of every route. It does not change while the process runs.
    """
    document = await asyncio.to_thread(current.get().services.openapi)  # the first time it is built
    return HttpResponse(200, document, (JSON,), kept=True)


async def docs() -> HttpResponse:
    """Show the OpenAPI document as a page.

    The page loads nothing from other machines. If the document requires a credential, the page asks for one, uses it
    for the requests that you try out, and does not store it.
    """
    return file_response(_PAGE, (b"content-security-policy", _POLICY))


async def docs_asset(asset: str) -> HttpResponse:
    """Get a file of the page.

    The page loads its style sheet, scripts and icon from here.
    """
    if asset not in _ASSETS:
        raise Problem(NOT_FOUND)
    return file_response(_ASSETS[asset])


async def problem_kind(code: str) -> HttpResponse:
    """Get the description of a problem type.

    The `type` of every problem is the address of its description.
    """
    if code not in _KINDS:
        raise Problem(NOT_FOUND)
    return json_response(200, _to_problem_kind(_KINDS[code]))


def _to_problem_kind(kind: Kind) -> ProblemKind:
    return ProblemKind(f"/problems/{kind.code}", kind.title, kind.status, kind.description)


def _name_schema(description: str, names: Any, example: str) -> dict[str, Any]:
    return {"type": "string", "enum": sorted(names), "description": description, "examples": [example]}


_START = _ASSETS["start.js"].read_text()
_DOCUMENT = Answer(200, "The OpenAPI 3.1 document", dict[str, Any], example=load("ops")["openapi"])
_HTML = Answer(200, "The page", str, ("ETag",), _PAGE.read_text(), media_type="text/html")
_FILES = (
    Answer(200, "The file", str, ("ETag",), _START, media_type="text/javascript"),
    Answer(200, "The file", str, ("ETag",), load("ops")["style_sheet"], media_type="text/css"),
    Answer(200, "The file", bytes, ("ETag",), media_type="image/png"),
    NOT_MODIFIED,
)
_PROBLEM = Answer(200, "The description", ProblemKind, example=msgspec.to_builtins(_to_problem_kind(ITEM_NOT_FOUND)))
_FILE = {"asset": _name_schema("The file's name", _ASSETS, "start.js")}
_CODE = {"code": _name_schema("The problem's `code`", _KINDS, ITEM_NOT_FOUND.code)}

_file = partial(Route, "GET", tag="description", scope=Unscoped.OPEN, headers=("If-None-Match",))
_with_credential = partial(Route, "GET", tag="description", scope=Unscoped.ANY_CREDENTIAL)

ROUTES = [
    _with_credential("/openapi.json", openapi_document, answers=(_DOCUMENT,)),
    _file("/docs", docs, answers=(_HTML, NOT_MODIFIED)),
    _file("/docs/{asset}", docs_asset, path_schemas=_FILE, answers=_FILES, problems=(NOT_FOUND,)),
    _with_credential("/problems/{code}", problem_kind, path_schemas=_CODE, answers=(_PROBLEM,), problems=(NOT_FOUND,)),
]
