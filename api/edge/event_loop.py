"""The event loop: uvloop's, with TLS that neither waits long for a client nor buffers much for one.

uvloop gives a client a minute for a TLS handshake and half a minute to end a connection, and holds up to 600 KiB of
what a client does not read.
"""

from typing import Any

import uvloop
from uvloop.loop import SSLProtocol  # type: ignore[attr-defined]  # not described

_TLS_HANDSHAKE_SECONDS = 10.0
_TLS_SHUTDOWN_SECONDS = 10.0  # until the client has read what was sent, and answered the end


class Loop(uvloop.Loop):
    """The event loop of the service."""

    async def create_server(self, *arguments: Any, **named: Any) -> Any:
        """Listen as asyncio does."""
        if (context := named.pop("ssl", None)) is None:
            return await super().create_server(*arguments, **named)
        factory, *address = arguments

        def secured() -> Any:
            return _TlsProtocol(
                *(self, factory(), context, None),
                server_side=True,
                ssl_handshake_timeout=_TLS_HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS,
            )

        return await super().create_server(secured, *address, **named)


class _TlsProtocol(SSLProtocol):  # type: ignore[misc]
    """TLS over a connection, of which nothing is encrypted before the kernel takes it."""

    def connection_made(self, transport: Any) -> None:
        """Start the handshake."""
        transport.set_write_buffer_limits(high=0)
        super().connection_made(transport)
