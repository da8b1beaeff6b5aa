"""The route `/`: it leads browsers to the console, and names to other clients where everything is."""

from typing import Annotated

from msgspec import Meta, defstruct

from api.auth.scopes import Unscoped
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.http.content_negotiation import preferred
from api.http.responses import HttpResponse, json_response

_Path = Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})]
_JSON, _HTML = "application/json", "text/html"
_VARY = (b"vary", b"accept")
#: Relative, so that it also works where a proxy serves the service below a path.
_TO_CONSOLE = HttpResponse(303, headers=((b"location", b"console"), _VARY))
_PATHS = {
    "items": "/items",
    "activity": "/activity",
    "events": "/events",
    "audit": "/audit/items",
    "log": "/log/checkpoint",
    "projections": "/projections",
    "keys": "/keys",
    "me": "/me",
    "openapi": "/openapi.json",
    "docs": "/docs",
    "console": "/console",
    "livez": "/livez",
    "readyz": "/readyz",
}
Index = defstruct(
    "Index", [(name, _Path) for name in _PATHS], namespace={"__doc__": "Where everything is."}, module=__name__
)


async def index() -> HttpResponse:
    """Find the resources of the service.

    The response names their paths. If `Accept` prefers HTML, as a browser's does, it redirects to the console instead.
    """
    if preferred(current.get().headers.get(b"accept"), (_JSON, _HTML)) == _HTML:
        return _TO_CONSOLE
    return json_response(200, _PATHS, _VARY)


_INDEX = Answer(200, "The paths", Index, example=_PATHS)
_CONSOLE = Answer(303, "The console, for a browser", headers=("Location",))

ROUTES = [Route("GET", "/", index, tag="description", scope=Unscoped.OPEN, answers=(_INDEX, _CONSOLE))]
