"""The fingerprint of the code that folds: a shadow table is continued only by the code that began it.

A projection's version does not show that its fold, or anything that the fold depends on, was corrected.
"""

import platform
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from unicodedata import unidata_version

import msgspec
import sqlalchemy

import eventstore
import projections
from projections.projection import Projection

#: The packages that all folds depend on: events, upcasters, states, and the tables of other projections.
_PACKAGES = (eventstore, projections)


def fingerprint(projection: Projection) -> str:
    """Return a hash of the sources that decide what `projection` makes of the log, and of the versions they run on.

    A change of a comment changes it, too. Then an interrupted replay begins again, which costs time and no more.
    """
    digest = sha256(_of_packages())
    for cls in type(projection).__mro__[:-1]:
        digest.update(f"\0{cls.__module__}.{cls.__qualname__}\0".encode())
        # It may be in another package.
        if file := getattr(sys.modules.get(cls.__module__), "__file__", None):
            digest.update(Path(file).read_bytes())
    return digest.hexdigest()


@cache
def _of_packages() -> bytes:
    # The Unicode version decides how a name is folded.
    versions = (platform.python_version(), unidata_version, msgspec.__version__, sqlalchemy.__version__)
    digest = sha256(repr(versions).encode())
    for package in _PACKAGES:
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(f"\0{package.__name__}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.digest()
