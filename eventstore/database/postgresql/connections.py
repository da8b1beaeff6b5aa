"""The open connections of a process, so that a stop can end those on which a server does not answer.

A driver's `close` waits for the server, up to the timeout of a statement for each connection.
"""

from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, event


class OpenConnections:
    """The connections that watched engines have opened."""

    def __init__(self) -> None:
        self._drivers: WeakSet[Any] = WeakSet()
        self._quickly = False
        self._ended = False

    def watch(self, engine: Engine) -> None:
        """Watch the connections that `engine` opens from now on."""
        event.listen(engine, "do_connect", self._before_connect)
        event.listen(engine, "connect", lambda connection, _record: self._drivers.add(connection.driver_connection))
        # One that failed is unusable. To say good-bye would wait for up to 2 s.
        event.listen(engine, "invalidate", lambda connection, _record, _error: connection.driver_connection.terminate())
        event.listen(engine, "close", lambda connection, _record: self._before_close(connection))
        event.listen(engine, "close_detached", self._before_close)

    def close_quickly(self) -> None:
        """From now on close connections without the server's answer. Open ones can be used until they are closed."""
        self._quickly = True

    def end(self) -> None:
        """End every open connection, and open no more."""
        self._ended = True
        for driver in list(self._drivers):
            driver.terminate()

    def _before_connect(self, *_: object) -> None:
        if self._ended:
            raise ConnectionAbortedError("the process is stopping")

    def _before_close(self, connection: Any) -> None:
        if self._quickly:
            connection.driver_connection.terminate()
