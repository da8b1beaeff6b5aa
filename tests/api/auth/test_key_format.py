"""The text of an API key: how it is generated and parsed."""

import re
import string
from collections import Counter
from hashlib import sha256
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.api_keys.format import new_key, read_key


def test_a_key_is_parsed_as_its_id_and_its_hash() -> None:
    for _ in range(200):
        key = new_key()
        assert re.fullmatch(r"itl_[0-9a-z]{8}_[0-9A-Za-z]{49}", key)
        assert read_key(key.encode()) == (key[4:12], sha256(key.encode()).digest())


def test_ids_and_secrets_are_unique_and_use_every_digit() -> None:
    keys = [new_key() for _ in range(2000)]
    assert len({key[4:12] for key in keys}) == len({key[13:56] for key in keys}) == 2000
    # The first of the 43 digits varies less: 62 ** 43 is slightly more than 2 ** 256.
    assert {len(Counter(key[13 + place] for key in keys)) for place in range(1, 43)} == {62}


@given(st.data())
def test_a_key_with_one_wrong_character_is_rejected(data: st.DataObject) -> None:
    key = new_key()
    place = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.sampled_from(string.printable).filter(lambda character: character != key[place]))
    assert read_key((key[:place] + other + key[place + 1 :]).encode()) is None


@pytest.mark.parametrize("text", [b"", b"itl_", b"itl__", b"itl_0a1b2c3d_", b"\xff" * 62])
def test_other_text_is_rejected(text: bytes) -> None:
    assert read_key(text) is None


def test_a_key_with_a_suffix_is_rejected() -> None:
    assert read_key(new_key().encode() + b"\n") is None


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_rejected(text: bytes) -> None:
    assert read_key(text) is None
    assert read_key(b"itl_" + text) is None


def test_the_checksum_is_as_documented() -> None:
    # CRC-32 of the text before it, in 6 digits of 0-9 A-Z a-z, so that scanners can find leaked keys.
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    key = new_key()
    number = 0
    for digit in key[-6:]:
        number = number * 62 + digits.index(digit)
    assert number == crc32(key[:-6].encode())
