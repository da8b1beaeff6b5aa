"""Imports structlog without rich, if it is imported before any other module that imports structlog.

structlog imports rich if it is installed, to print traces in colour. Our logs never do that, and rich is a tenth of the
imports of `itemledger serve`, and 4 MiB.
"""

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules

if "rich" not in _modules:
    _modules["rich"] = None  # importing it raises ImportError, as if it were not installed
    try:
        import structlog  # noqa: F401
    finally:
        del _modules["rich"]
