"""A price is read exactly or not at all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.errors import InvalidPriceError
from commands.price import parse_price

LIMIT = 10**14


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0000", "0"),
        ("0e0", "0"),
        ("0e999999999", "0"),
        ("-0e-999999999", "0"),
        ("1", "1"),
        ("-1", "-1"),
        ("9.99", "9.99"),
        ("0.1", "0.1"),
        ("0.10", "0.1"),
        ("0.0001", "0.0001"),
        ("-0.0001", "-0.0001"),
        ("1e-4", "0.0001"),
        ("1.00000", "1"),
        ("1.50000000", "1.5"),
        ("10", "10"),
        ("100", "100"),
        ("1e2", "100"),
        ("1E+2", "100"),
        ("1.5e1", "15"),
        ("12300e-2", "123"),
        ("1e13", "10000000000000"),
        ("99999999999999.9999", "99999999999999.9999"),
        ("-99999999999999.9999", "-99999999999999.9999"),
        ("123456789012345678e-4", "12345678901234.5678"),
        ("1." + "0" * 62, "1"),  # 64 characters
    ],
)
def test_a_json_number_is_read_exactly(text: str, exact: str) -> None:
    price = parse_price(text)
    # Compare texts, not values: 1E+2 == 100 and -0 == 0, but they are stored and returned as written here.
    assert str(price) == exact


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "-", ".", "e", "e1", "-e1", ".5", "5.", "-.5", "5.e1", "1e", "1e+", "1e1.0", "1.2.3", "--1"],
        *["+1", "01", "-01", "00", "1_000", "1,000", "0x10", "1j", " 1", "1 ", "1\n", "\n1", "1\x00", "\ufeff1"],
        *["NaN", "nan", "sNaN", "-NaN", "NaN123", "Infinity", "-Infinity", "inf", "-inf", "true", "null", "None"],
        *["\uff11", "\u0661", "1\u0662", "\u00b2", "\u0967.5", "\u22121", "1\u066b5", "\u00bd"],  # digits to Decimal
        *["0.00001", "-0.00001", "1.00001", "1e-5", "0.1e-4", "99999999999999.99999", "1e-400", "1e-999999999"],
        *["1e14", "100000000000000", "-100000000000000", "100000000000000.0000", "1e15", "1e400", "-1e400"],
        *["1e999999999", "1e1000000000", "0e1000000000", "9" * 64, "9" * 65, "1." + "0" * 63, "0." + "0" * 61 + "1"],
        pytest.param("1" * 65_536, id="a long integer"),
        pytest.param("1." + "0" * 65_536, id="a long fraction"),
        pytest.param("1e" + "1" * 65_536, id="a long exponent"),
    ],
)
def test_an_invalid_price_is_refused(text: str) -> None:
    with pytest.raises(InvalidPriceError) as raised:
        parse_price(text)
    assert str(raised.value) == (
        "The price is not valid. Use a decimal number with at most 4 fractional digits, above -10^14 and below 10^14"
    )


prices = st.integers(1 - LIMIT * 10_000, LIMIT * 10_000 - 1).map(lambda units: Decimal(units).scaleb(-4))


@given(prices, st.integers(-20, 20))
def test_every_price_survives_every_way_to_write_it(price: Decimal, exponent: int) -> None:
    read = parse_price(f"{price:f}")
    assert read == price
    assert str(read) == (f"{price:f}".rstrip("0").rstrip(".") if price else "0")
    assert parse_price(str(read)) == read
    assert parse_price(f"{price.scaleb(-exponent):f}e{exponent}") == price


@given(st.text(alphabet="0123456789.eE+-", max_size=12))
def test_a_price_is_read_back_unchanged(text: str) -> None:
    try:
        price = parse_price(text)
    except InvalidPriceError:
        return
    assert price == Decimal(text)
    assert abs(price) < LIMIT
    assert price.as_tuple().exponent in range(-4, 1)
    assert "E" not in str(price)
