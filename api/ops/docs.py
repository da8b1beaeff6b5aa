"""The routes by which the service describes itself: its OpenAPI document, a page that shows it, its problems."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from swagger_ui_bundle import swagger_ui_path

from api.auth.scopes import Unscoped
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.http.problems import ITEM_NOT_FOUND, KINDS, NOT_FOUND, Kind, Problem
from api.http.responses import JSON, HttpResponse, json_response
from api.http.security_headers import CONTENT_SECURITY_POLICY

#: Where the document is for holders of credentials alone it asks for one, and keeps it while the page is open.
_START = b"""\
const form = document.querySelector("form");

async function start(credential) {
  const headers = credential ? {Authorization: `Bearer ${credential}`} : {};
  const answer = await fetch("/openapi.json", {headers});
  form.hidden = answer.status !== 401;
  form.elements.refused.value = credential ? "That one is not good." : "";
  if (!answer.ok) return;
  const ui = SwaggerUIBundle({
    spec: await answer.json(),
    dom_id: "#ui",
    deepLinking: true,
    validatorUrl: null,
    onComplete: () => credential && ui.preauthorizeApiKey("credential", credential),
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  start(form.elements.credential.value.trim());
});
start();
"""
#: Swagger UI's files, from a package of them: the page reaches for nothing outside this machine.
_ASSETS = {
    name: (media_type, (Path(swagger_ui_path) / name).read_bytes())
    for name, media_type in {
        "swagger-ui.css": b"text/css; charset=utf-8",
        "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
        "favicon-32x32.png": b"image/png",
    }.items()
} | {"start.js": (b"text/javascript; charset=utf-8", _START)}
_PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Itemledger API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
<form hidden>
<label>API key or access token <input name="credential" type="password" autocomplete="off" size="64" required></label>
<button>Show the API</button>
<output name="refused"></output>
</form>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
#: Swagger UI styles elements one by one and draws with data: images; all else is as for every answer.
_POLICY = f"{CONTENT_SECURITY_POLICY}; style-src 'self' 'unsafe-inline'; img-src 'self' data:".encode()

_KINDS = {kind.code: kind for kind in KINDS}


class ProblemKind(Struct, frozen=True):
    """A sort of problem that answers can have."""

    type: str
    title: str
    status: int
    description: str


async def openapi_document() -> HttpResponse:
    """The OpenAPI document.

    It describes every answer of every route, and stays as it is while the process runs.
    """
    return HttpResponse(200, current.get().services.openapi, (JSON,))


async def docs() -> HttpResponse:
    """The OpenAPI document as a page.

    For people with a browser. Nothing on it comes from another machine. Where the document takes a credential the
    page asks for one, uses it for the requests that are tried out, and keeps it nowhere.
    """
    headers = ((b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", _POLICY))
    return HttpResponse(200, _PAGE, headers)


async def docs_asset(asset: str) -> HttpResponse:
    """A file of that page.

    Its style sheet, scripts and icon, which it loads by itself.
    """
    if asset not in _ASSETS:
        raise Problem(NOT_FOUND)
    media_type, content = _ASSETS[asset]
    return HttpResponse(200, content, ((b"content-type", media_type), (b"cache-control", b"public, max-age=86400")))


async def problem_kind(code: str) -> HttpResponse:
    """What a problem type means.

    The `type` of every problem leads here.
    """
    if code not in _KINDS:
        raise Problem(NOT_FOUND)
    return json_response(200, _described(_KINDS[code]))


def _described(kind: Kind) -> ProblemKind:
    return ProblemKind(f"/problems/{kind.code}", kind.title, kind.status, kind.description)


ROUTES = [
    Route(
        "GET",
        "/openapi.json",
        openapi_document,
        tag="description",
        scope=Unscoped.ANY_CREDENTIAL,
        answers=(
            Answer(
                200,
                "OpenAPI 3.1",
                dict[str, Any],
                example={"openapi": "3.1.0", "info": {"title": "Itemledger", "version": "0.1.0"}, "paths": {}},
            ),
        ),
    ),
    Route(
        "GET",
        "/docs",
        docs,
        tag="description",
        scope=Unscoped.OPEN,
        answers=(Answer(200, "HTML", str, (), _PAGE.decode(), media_type="text/html"),),
    ),
    Route(
        "GET",
        "/docs/{asset}",
        docs_asset,
        tag="description",
        scope=Unscoped.OPEN,
        path_schemas={
            "asset": {
                "type": "string",
                "enum": sorted(_ASSETS),
                "description": "The file's name",
                "examples": ["start.js"],
            }
        },
        answers=(
            Answer(200, "The file", str, (), _START.decode(), media_type="text/javascript"),
            Answer(200, "The file", str, (), ".swagger-ui{color:#3b4151}", media_type="text/css"),
            Answer(200, "The file", bytes, media_type="image/png"),
        ),
        problems=(NOT_FOUND,),
    ),
    Route(
        "GET",
        "/problems/{code}",
        problem_kind,
        tag="description",
        scope=Unscoped.ANY_CREDENTIAL,
        path_schemas={
            "code": {
                "type": "string",
                "enum": sorted(_KINDS),
                "description": "The problem's `code`",
                "examples": [ITEM_NOT_FOUND.code],
            }
        },
        answers=(Answer(200, "The description", ProblemKind, example=msgspec.to_builtins(_described(ITEM_NOT_FOUND))),),
        problems=(NOT_FOUND,),
    ),
]
