"""Whether it is safe to listen on an address: others must not come in where nobody asks who they are."""

import asyncio
import socket
from ipaddress import ip_address

from api.app import StartError
from api.auth.api_keys.cache import ApiKeyCache
from api.settings import Settings
from eventstore.database.database import Database


async def check_exposure(database: Database, host: str, settings: Settings) -> None:
    """Raise StartError where `host` is open to others than this machine, and no credential is there to ask them for.

    Raises UnavailableError.
    """
    asked_for = settings.jwt_issuer is not None or await ApiKeyCache(database).has_active_key()
    if asked_for or settings.insecure_no_auth or await _is_this_machine(host):
        return
    raise StartError(
        f"Others reach {host}, and there are no credentials yet: make a key (`itemledger keys create`), take tokens "
        "(ITEMLEDGER_JWT_ISSUER), or let anybody in (--insecure-no-auth)"
    )


async def _is_this_machine(host: str) -> bool:
    """Tell whether all addresses that `host` stands for are loopback; to a server an empty one stands for every one."""
    if not host:
        return False
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False  # the server will say what is wrong with it
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
