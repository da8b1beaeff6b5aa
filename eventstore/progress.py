"""How far something is that goes through a log, for whoever wants to know."""

from collections.abc import Callable

from msgspec import Struct


class Progress(Struct, frozen=True):
    """How far it has come."""

    position: int
    #: The position that it goes up to, or what is taken for it.
    target: int
    #: Positions a second.
    rate: float

    @property
    def eta(self) -> float | None:
        """Seconds until the end, at that rate; None where that is not known."""
        return (self.target - self.position) / self.rate if self.rate else None


Tell = Callable[[Progress], None]
