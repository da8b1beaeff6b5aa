"""Prices: exact decimal numbers, read from the text of a JSON number."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

from commands.errors import InvalidPriceError
from eventstore.events import PRICE_SCALE

#: Prices are less than this, either way.
PRICE_LIMIT = Decimal(10) ** 14

#: Every price, written in the common way. It reads alike in Python and in JSON Schema (ECMA 262).
PRICE_PATTERN = r"^-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?(?![\s\S])"

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?")
_LONGEST_NUMBER = 64
_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])
_UNIT = Decimal(1).scaleb(-PRICE_SCALE)


def parse_price(text: str) -> Decimal:
    """Read a JSON number exactly, as a Decimal without trailing zeros or exponent. Raises InvalidPriceError."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise InvalidPriceError
    try:
        price = Decimal(text).quantize(_UNIT, context=_EXACT)
    except (Inexact, InvalidOperation):
        raise InvalidPriceError from None
    if abs(price) >= PRICE_LIMIT:
        raise InvalidPriceError
    return _shortest(price)


def _shortest(price: Decimal) -> Decimal:
    integral = price.to_integral_value()
    # The first is without an exponent, which normalize() would give 100; and zero has no sign.
    return integral + Decimal(0) if price == integral else price.normalize(_EXACT)
