"""How much the system tests do. The numbers the tests name are what has to hold; a longer soak multiplies them."""

import os

SCALE = max(1, int(os.environ.get("ITEMLEDGER_TEST_SCALE", "1")))
