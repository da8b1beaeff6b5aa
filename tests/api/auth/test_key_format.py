"""The text of an API key: how it is made, and what is taken for one."""

import re
import string
from collections import Counter
from hashlib import sha256
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.api_keys.format import new_key, read_key


def test_a_key_is_read_as_its_id_and_the_hash_of_all_of_it() -> None:
    for _ in range(200):
        key = new_key()
        assert re.fullmatch(r"itl_[0-9a-z]{8}_[0-9A-Za-z]{49}", key)
        presented = read_key(key.encode())
        assert presented is not None
        assert presented == (key[4:12], sha256(key.encode()).digest())


def test_no_two_keys_share_an_id_or_a_secret_and_every_digit_comes_up() -> None:
    keys = [new_key() for _ in range(2000)]
    assert len({key[4:12] for key in keys}) == len({key[13:56] for key in keys}) == 2000
    # Of the 43 digits the first carries less than the others: 62 ** 43 is a little more than 2 ** 256.
    assert {len(Counter(key[13 + place] for key in keys)) for place in range(1, 43)} == {62}


@given(st.data())
def test_one_wrong_character_anywhere_makes_it_no_key(data: st.DataObject) -> None:
    key = new_key()
    place = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.sampled_from(string.printable).filter(lambda character: character != key[place]))
    assert read_key((key[:place] + other + key[place + 1 :]).encode()) is None


@pytest.mark.parametrize("text", [b"", b"itl_", b"itl__", b"itl_0a1b2c3d_", b"\xff" * 62])
def test_other_text_is_no_key(text: bytes) -> None:
    assert read_key(text) is None


def test_a_key_with_more_behind_it_is_none() -> None:
    assert read_key(new_key().encode() + b"\n") is None


@given(st.binary(max_size=80))
def test_any_bytes_can_be_read(text: bytes) -> None:
    assert read_key(text) is None
    assert read_key(b"itl_" + text) is None


def test_the_checksum_is_what_the_docs_say_it_is() -> None:
    # CRC-32 of all before it, in 6 digits of 0-9 A-Z a-z: so that others can scan for leaked keys.
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    key = new_key()
    number = 0
    for digit in key[-6:]:
        number = number * 62 + digits.index(digit)
    assert number == crc32(key[:-6].encode())
