"""How much the system tests do, and with which random numbers. `make soak` asks for more, and for others."""

import os

#: Multiplies the counts in the system tests' names.
SCALE = max(1, int(os.environ.get("ITEMLEDGER_TEST_SCALE", "1")))
_SEED = os.environ.get("ITEMLEDGER_TEST_SEED")


def seed(default: int) -> int:
    """Return the seed that the run was given, or the test's own, by which every run is the same."""
    return int(_SEED or default)
