"""Why a command was not carried out. The docstring of each class is its message; subclasses carry the values."""


class CommandError(Exception):
    """The command was not carried out."""

    def __str__(self) -> str:
        """Give the class's docstring, filled in with the instance's attributes."""
        return (self.__doc__ or "").strip().format(**vars(self))


class CommandRejectedError(CommandError):
    """The command does not apply to the item as it is. It rejects alone: its batch goes on without it."""

    #: The log position as of which that is so.
    position: int = 0


class ItemNotFoundError(CommandRejectedError):
    """Item not found"""  # noqa: D415  (the guide's text, to the letter)


class VersionMismatchError(CommandRejectedError):
    """The item is at version {version}, which the request's precondition excludes"""  # noqa: D415

    def __init__(self, version: int) -> None:
        self.version = version


class ItemNotDeletedError(CommandRejectedError):
    """The item is there: only a deleted one can be restored"""  # noqa: D415


class IdempotencyKeyReusedError(CommandRejectedError):
    """The idempotency key was used before, with another request"""  # noqa: D415


class InvalidPriceError(CommandError):
    """A price is a decimal number with at most 4 fractional digits, above -10^14 and below 10^14"""  # noqa: D415


class QueueFullError(CommandError):
    """Too many commands are waiting to be written; nothing was done"""  # noqa: D415


class WriterClosedError(CommandError):
    """The service is stopping and takes no more commands; nothing was done"""  # noqa: D415
