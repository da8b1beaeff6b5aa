"""Prices: exact decimal numbers, read from the text of a JSON number."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

from commands.errors import InvalidPriceError
from eventstore.events import PRICE_SCALE

#: The absolute value of a price is below this.
PRICE_LIMIT = Decimal(10) ** 14

#: Every price without exponent. The pattern means the same in Python and in JSON Schema (ECMA 262).
PRICE_PATTERN = r"^-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?(?![\s\S])"

#: A price as `parse_price` would return it: most are sent like this.
_NORMAL = re.compile(r"(?!-0\Z)-?(0|[1-9][0-9]{0,13})(\.[0-9]{0,3}[1-9])?")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?")
_MAX_NUMBER_CHARACTERS = 64
_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])
_UNIT = Decimal(1).scaleb(-PRICE_SCALE)


def parse_price(text: str) -> Decimal:
    """Read a JSON number exactly, as a Decimal without trailing zeros or exponent. Raises InvalidPriceError."""
    if _NORMAL.fullmatch(text):
        return Decimal(text)
    if len(text) > _MAX_NUMBER_CHARACTERS or not _NUMBER.fullmatch(text):
        raise InvalidPriceError
    try:
        price = Decimal(text).quantize(_UNIT, context=_EXACT)
    except (Inexact, InvalidOperation):
        raise InvalidPriceError from None
    if abs(price) >= PRICE_LIMIT:
        raise InvalidPriceError
    integral = price.to_integral_value()
    # The first form has no exponent, which normalize() would add to 100, and gives zero no sign.
    return integral + Decimal(0) if price == integral else price.normalize(_EXACT)
