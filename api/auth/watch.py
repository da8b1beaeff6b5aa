"""Ends a long response when its credential does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from api.auth.authenticator import Authenticator, rejection
from api.auth.principal import CredentialError, Principal
from api.http.problems import Problem
from eventstore.errors import UnavailableError

#: The pause between two checks. The keys that a check relies on are at most a second old (`FRESH_SECONDS`), so that
#: together they stay below two seconds.
CHECK_SECONDS = 0.5


@asynccontextmanager
async def while_accepted(
    authenticator: Authenticator, headers: Mapping[bytes, bytes], address: str, principal: Principal
) -> AsyncIterator[None]:
    """Run the block for as long as a new request with these headers would be accepted as one of `principal`.

    Then the block is cancelled, wherever it waits, and the reason is raised: the Problem (401) of such a request.
    """
    ended: Exception | None = None

    async def watch() -> None:
        nonlocal ended
        while ended is None:
            await asyncio.sleep(CHECK_SECONDS)
            ended = await _why_ended(authenticator, headers, address, principal)
        limit.reschedule(asyncio.get_running_loop().time())

    try:
        async with asyncio.timeout(None) as limit:
            watching = asyncio.create_task(watch(), name="credential watch")
            try:
                yield
            finally:
                watching.cancel()
    except TimeoutError:
        if ended is None:
            raise  # of the block itself
        raise ended from None


async def _why_ended(
    authenticator: Authenticator, headers: Mapping[bytes, bytes], address: str, principal: Principal
) -> Exception | None:
    """Return the error of a credential that has ended, None where it is active, or where that cannot be known now."""
    try:
        found = await authenticator.authenticate(headers, address)
    except UnavailableError:
        return None  # nothing says that it has ended
    except Problem as problem:
        return problem if problem.kind.status == 401 else None
    except Exception as error:
        return error
    return None if found == principal else rejection(CredentialError("another holder", principal.key_id))
