"""Errors of commands. The docstring of each class is its message, filled in with the instance's attributes."""


class CommandError(Exception):
    """The command was not executed."""

    def __str__(self) -> str:
        """Return the class's docstring, filled in with the instance's attributes."""
        return (self.__doc__ or "").strip().format(**vars(self))


class CommandRejectedError(CommandError):
    """The command does not apply to the item's current state. Only this command fails; its batch continues."""

    #: The log position of that state.
    position: int = 0


class ItemNotFoundError(CommandRejectedError):
    """Item not found"""  # noqa: D415  (the guide's text, to the letter)


class VersionMismatchError(CommandRejectedError):
    """Precondition failed: the item is at version {version}"""  # noqa: D415

    def __init__(self, version: int) -> None:
        self.version = version


class ItemNotDeletedError(CommandRejectedError):
    """The item is not deleted. Only a deleted item can be restored"""  # noqa: D415


class IdempotencyKeyReusedError(CommandRejectedError):
    """The idempotency key was already used with a different request. Use a new key"""  # noqa: D415


class InvalidFieldError(CommandError):
    """A field of an item is not valid."""

    field = ""


class InvalidNameError(InvalidFieldError):
    """The name contains {character}, which is invisible or reorders the text around it. Remove it"""  # noqa: D415

    field = "name"

    def __init__(self, character: str) -> None:
        self.character = character


class InvalidPriceError(InvalidFieldError):
    """The price is not valid. Use a decimal number with at most 4 fractional digits, above -10^14 and below 10^14"""  # noqa: D415

    field = "price"


class QueueFullError(CommandError):
    """The write queue is full. Nothing was done; retry later"""  # noqa: D415


class WriterClosedError(CommandError):
    """The service is stopping and accepts no more commands. Nothing was done; retry later"""  # noqa: D415
