"""Signed notes: the specification's examples, another implementation as the verifier, and invalid notes."""

import metamorphic_log
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.transparency.formats.log_identity import LogKeys, LogOrigin
from api.transparency.formats.signed_note import Note, NoteError, SignerKey, VerifierKey, sign

#: From c2sp.org/signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
#: From the tests of golang.org/x/mod/sumdb/note.
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    f"{GO_TEXT}\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
KEY = SignerKey.generate("example.com/log")


def test_the_example_of_the_specification_is_verified() -> None:
    key = VerifierKey.parse(VKEY)
    assert str(key) == VKEY
    note = Note.parse(NOTE)
    assert (note.text, note.verify([key])) == ("This is an example message.\n", [key])


def test_keys_and_signatures_are_those_of_the_go_tools() -> None:
    key = SignerKey.parse(GO_PRIVATE)
    assert (key.write(), str(key.verifier)) == (GO_PRIVATE, GO_PUBLIC)
    assert sign(GO_TEXT, [key]) == GO_NOTE


@settings(max_examples=200)
@given(st.text(st.characters(codec="utf-8", exclude_characters=[chr(code) for code in range(32) if code != 10])))
def test_another_implementation_verifies_our_signatures(text: str) -> None:
    written = sign(f"{text}\n", [KEY])
    note = Note.parse(written)
    assert (note.text, note.verify([KEY.verifier])) == (f"{text}\n", [KEY.verifier])
    assert metamorphic_log.verify_signed_note(written, [str(KEY.verifier)]) == 1


def test_an_unsigned_note_is_not_verified() -> None:
    for written in ("a\nb\n", "a\nb\n\n"):
        assert Note.parse(written) == Note("a\nb\n")
        with pytest.raises(NoteError, match=r"it is not signed by example\.com/log"):
            Note.parse(written).verify([KEY.verifier])


def test_unknown_signatures_are_ignored_and_known_ones_must_be_valid() -> None:
    other = SignerKey.generate("example.com/log")  # has the same name
    written = sign("text\n", [other, KEY])
    assert Note.parse(written).verify([KEY.verifier]) == [KEY.verifier]
    assert Note.parse(written).verify([KEY.verifier, other.verifier]) == [other.verifier, KEY.verifier]
    forged = "text!\n" + written.removeprefix("text\n")
    for keys in ([KEY.verifier], [KEY.verifier, other.verifier]):
        with pytest.raises(NoteError, match="does not match the text"):
            Note.parse(forged).verify(keys)
    with pytest.raises(NoteError, match="not signed by"):
        Note.parse(sign("text\n", [other])).verify([KEY.verifier])


def test_sixteen_signatures_are_accepted_but_not_any_number() -> None:
    others = [SignerKey.generate(f"other{number}") for number in range(15)]
    assert Note.parse(sign("text\n", [*others, KEY])).verify([KEY.verifier]) == [KEY.verifier]
    line = KEY.sign("text\n")
    with pytest.raises(NoteError, match="more than 100"):
        Note.parse("text\n\n" + 101 * line)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "text",
        NOTE.removesuffix("\n"),
        NOTE.replace("an", "a\tn"),
        NOTE.replace("—", "-"),
        NOTE.replace("— ", "—"),
        NOTE.replace("yaQM=", "yaQM"),
        NOTE.replace("yaQM=", "yaQN="),  # non-canonical padding bits
        NOTE.replace("foo U", "f+oo U"),
        NOTE.replace("foo U", "foo  U"),
        "text\n\n— name AAAAAA==\n",  # an id without a signature
        NOTE + "more\n",
    ],
)
def test_an_invalid_note_is_rejected(written: str) -> None:
    with pytest.raises(NoteError):
        Note.parse(written)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("530d903a", "530D903A"),
        VKEY.replace("foo", "fo o"),
        VKEY.replace("+AekyeRr", "+AekyeRs"),
        VKEY.replace("+Aek", "+Bek"),  # another key type
        VKEY[:-4],
        VKEY + "AAAA",
        GO_PRIVATE,
    ],
)
def test_an_invalid_public_key_is_rejected(text: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    "text", ["", "secret", GO_PUBLIC, GO_PRIVATE[:-1], GO_PRIVATE.replace("c74f20a3", "c74f20a4"), GO_PRIVATE + "AAAA"]
)
def test_an_invalid_private_key_is_rejected_without_revealing_it(text: str) -> None:
    with pytest.raises(NoteError) as raised:
        SignerKey.parse(text)
    assert text == "" or text not in str(raised.value)


def test_a_private_key_is_not_in_its_repr() -> None:
    key, keys = SignerKey.parse(GO_PRIVATE), LogKeys(f"{GO_PRIVATE}\n")
    secret = GO_PRIVATE.split("+", 4)[-1]
    for shown in (repr(key), str(key), repr(keys), str(keys), f"{keys.signers}"):
        assert secret not in shown


def test_all_log_keys_have_the_same_name() -> None:
    other = SignerKey.generate("PeterNeumann")
    keys = LogKeys(f"{GO_PRIVATE}\n{other.write()}\n")
    assert (keys.origin, len(keys.signers)) == ("PeterNeumann", 2)
    for text in ("", "\n", f"{GO_PRIVATE}\n{KEY.write()}", "secret"):
        with pytest.raises(ValueError, match="private key") as raised:
            LogKeys(text)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b", "a\x00b"])
def test_a_name_is_one_word(name: str) -> None:
    with pytest.raises(NoteError):
        SignerKey.generate(name)
    with pytest.raises(ValueError, match="name"):
        LogOrigin(name)
