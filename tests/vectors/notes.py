"""Vectors of public keys, signed notes and checkpoints."""

from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.transparency.formats.signed_note import SignerKey, sign
from tests.api.transparency.test_signed_note import GO_NOTE, GO_PUBLIC, NOTE, VKEY

ORIGIN = "ledger.example.com/log"
ROOT = b64encode(bytes(range(32))).decode()


def signer(name: str, seed: int) -> SignerKey:
    """Return a key that is the same in every run. Ed25519 has no randomness in signatures either."""
    return SignerKey(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


KEY, SECOND, FOREIGN = signer(ORIGIN, 1), signer(ORIGIN, 2), signer("other.example.com/log", 3)
TEXT = f"{ORIGIN}\n7\n{ROOT}\n"
SIGNED = sign(TEXT, [KEY])


def build() -> dict[str, Any]:
    """Return keys that are valid or not, notes with what their signatures are, and checkpoints."""
    return {"keys": _keys(), "notes": [*_notes()], "checkpoints": _checkpoints()}


def _keys() -> dict[str, list[str]]:
    public = str(KEY.verifier)
    name, key_id, material = public.split("+", 2)
    return {
        "valid": [VKEY, GO_PUBLIC, public, str(SECOND.verifier), str(FOREIGN.verifier)],
        "invalid": [
            "",
            name,
            f"{name}+{key_id}",
            f"{name}+{key_id}+",
            f"+{key_id}+{material}",
            f"another+{key_id}+{material}",
            f"{name}+{key_id[:-1]}+{material}",
            f"{name}+{key_id.upper()}+{material}",
            f"{name}+00000000+{material}",
            public[:-1],
            public[:-4],
            public + "AAAA",
            f"{public}+",
            public.replace("/", " /"),
            public.replace("/", "\u0085/"),
            public.replace("/", "\u3000/"),
            public.replace("+A", "+B"),
            f"{name}+{key_id}+{material[:-1]}_",
            f"{name}+{key_id}+{material[:8]} {material[8:]}",
            KEY.write(),
        ],
    }


def _note(
    name: str, text: str, keys: list[SignerKey] | list[str], expected: str, *signed_by: SignerKey | str
) -> dict[str, Any]:
    """Return a case; `expected` is `verified`, `no-key`, `invalid` (a known key did not sign it) or `malformed`."""
    texts = [[key if isinstance(key, str) else str(key.verifier) for key in some] for some in (keys, signed_by)]
    return {"name": name, "text": text, "keys": texts[0], "expected": expected, "signed_by": texts[1]}


def _notes() -> list[dict[str, Any]]:
    line = KEY.sign(TEXT)
    signature = line.split()[2]
    unsigned = TEXT
    head = "— " + ORIGIN
    return [
        _note("of the specification", NOTE, [VKEY], "verified", VKEY),
        _note("of the Go tools", GO_NOTE, [GO_PUBLIC], "verified", GO_PUBLIC),
        _note("signed", SIGNED, [KEY], "verified", KEY),
        _note("signed, and no key", SIGNED, [], "no-key"),
        _note("by two keys, of which one is known", sign(TEXT, [KEY, SECOND]), [SECOND], "verified", SECOND),
        _note("by two known keys", sign(TEXT, [SECOND, KEY]), [KEY, SECOND], "verified", SECOND, KEY),
        _note("by another log too", sign(TEXT, [FOREIGN, KEY]), [KEY], "verified", KEY),
        _note("a blank line in the text", sign(f"a\n\n{TEXT}", [KEY]), [KEY], "verified", KEY),
        _note("a hundred signatures", f"{TEXT}\n{100 * line}", [KEY], "verified", *([KEY] * 100)),
        _note("another key of the name", SIGNED, [SECOND], "invalid"),
        _note("another name", SIGNED, [FOREIGN], "invalid"),
        _note("unsigned", unsigned, [KEY], "invalid"),
        _note("without signatures", f"{unsigned}\n", [KEY], "invalid"),
        _note("a changed text", SIGNED.replace("\n7\n", "\n8\n"), [KEY], "invalid"),
        _note("a changed name", SIGNED.replace("— ledger", "— Ledger"), [KEY], "invalid"),
        _note("one right signature and one wrong", SIGNED + SECOND.sign("other\n"), [KEY, SECOND], "invalid"),
        _note(
            "a signature that is too short",
            f"{TEXT}\n{head} {b64encode(KEY.verifier.id + bytes(63)).decode()}\n",
            [KEY],
            "invalid",
        ),
        _note(
            "a signature of zeros",
            f"{TEXT}\n{head} {b64encode(KEY.verifier.id + bytes(64)).decode()}\n",
            [KEY],
            "invalid",
        ),
        _note("nothing", "", [KEY], "malformed"),
        _note("no newline", "text", [KEY], "malformed"),
        _note("no newline at the end", SIGNED.removesuffix("\n"), [KEY], "malformed"),
        _note("CRLF", SIGNED.replace("\n", "\r\n"), [KEY], "malformed"),
        _note("a tab", SIGNED.replace("/log\n", "/log\t\n"), [KEY], "malformed"),
        _note("a hyphen for the dash", SIGNED.replace("—", "-"), [KEY], "malformed"),
        _note("no space after the dash", SIGNED.replace("— ", "—"), [KEY], "malformed"),
        _note("two spaces", SIGNED.replace("— ", "—  "), [KEY], "malformed"),
        _note("a space in the name", SIGNED.replace("— l", "— l l"), [KEY], "malformed"),
        _note("U+0085 in the name", SIGNED.replace("— l", "— l\u0085l"), [KEY], "malformed"),
        _note("a plus in the name", SIGNED.replace("— l", "— l+l"), [KEY], "malformed"),
        _note(
            "base64 without its padding",
            SIGNED.replace("=\n", "\n").replace(f"{ROOT[:-1]}\n", f"{ROOT}\n"),
            [KEY],
            "malformed",
        ),
        _note("base64 with surplus bits", _with_surplus_bits(SIGNED), [KEY], "malformed"),
        _note("base64 of URLs", f"{TEXT}\n{head} {signature[:-3]}_w=\n", [KEY], "malformed"),
        _note("an id alone", f"{TEXT}\n{head} {b64encode(KEY.verifier.id).decode()}\n", [KEY], "malformed"),
        _note("a text below", f"{SIGNED}more\n", [KEY], "malformed"),
        _note("101 signatures", f"{TEXT}\n{101 * line}", [KEY], "malformed"),
    ]


def _with_surplus_bits(note: str) -> str:
    """Return a note whose signature has bits below its last byte: another text of the same bytes."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    before, last, end = note[:-3], note[-3], note[-2:]
    assert end == "=\n"
    return before + digits[digits.index(last) + 1] + end


def _checkpoints() -> list[dict[str, Any]]:
    """Return texts, unsigned; `expected` is the parsed checkpoint, null for a text that is none."""
    head = {"origin": ORIGIN, "size": 7, "root": bytes(range(32)).hex()}
    return [
        {"text": TEXT, "expected": head},
        {"text": SIGNED, "expected": head},
        {"text": f"{TEXT}extension\nanother one\n", "expected": head},
        {"text": TEXT.replace("\n7\n", "\n0\n"), "expected": {**head, "size": 0}},
        {"text": TEXT.replace("\n7\n", f"\n{2**53 - 1}\n"), "expected": {**head, "size": 2**53 - 1}},
        {"text": TEXT.replace(ORIGIN, "a name with spaces"), "expected": {**head, "origin": "a name with spaces"}},
        *(
            {"text": text, "expected": None}
            for text in (
                "",
                "\n",
                f"{ORIGIN}\n",
                f"{ORIGIN}\n7\n",
                TEXT.removesuffix("\n"),
                f"\n7\n{ROOT}\n",
                TEXT.replace("\n7\n", "\n07\n"),
                TEXT.replace("\n7\n", "\n-7\n"),
                TEXT.replace("\n7\n", "\n+7\n"),
                TEXT.replace("\n7\n", "\n7 \n"),
                TEXT.replace("\n7\n", "\n\u0667\n"),
                TEXT.replace("\n7\n", "\nseven\n"),
                TEXT.replace("\n7\n", f"\n{10**19}\n"),
                TEXT.replace(ROOT, ROOT[:-1]),
                TEXT.replace(ROOT, b64encode(bytes(31)).decode()),
                TEXT.replace(ROOT, b64encode(bytes(33)).decode()),
                TEXT.replace(ROOT, bytes(32).hex()),
                TEXT.replace("\n7\n", "\r\n7\r\n"),
            )
        ),
    ]
