"""The schemathesis check for requests without a credential."""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

#: The operations that need no credential.
OPEN = {
    *("GET /livez", "GET /readyz", "GET /docs", "GET /docs/{asset}"),
    *("GET /", "GET /console", "GET /console/{folder}/{file}"),
}


@schemathesis.check
def nothing_is_given(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Check that an operation that needs a credential responds with 401 and the challenge only."""
    if case.operation.label in OPEN or response.status_code in (404, 405):
        return
    if response.status_code == 204 and case.method.upper() == "OPTIONS":
        return
    assert response.status_code == 401, f"{response.status_code} without a credential"
    assert response.headers["www-authenticate"][0].startswith("Bearer")
