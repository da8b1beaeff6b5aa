"""Tokens that are not good, each by another trick."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.clients.issuer import AUDIENCE, ISSUER, claims, private_key, public_jwk, signed, signed_bytes

_NOWHERE = "http://127.0.0.1:9/keys"


def _by_mallory(**header: Any) -> str:
    """Sign by a key of the attacker's, under the name of a good one."""
    return signed(kid="one", by="mallory", **header)


_PUBLIC = PublicFormat.SubjectPublicKeyInfo


def unpadded(content: bytes | dict[str, Any]) -> str:
    """Write bytes, or an object as JSON, as a part of a token."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _made(header: dict[str, Any], sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    """Make a token of any header, as no library would."""
    content = f"{unpadded({'kid': 'one', **header})}.{unpadded(claims())}"
    return f"{content}.{unpadded(sign(content.encode()))}"


def _hs256(secret: bytes) -> str:
    return _made({"alg": "HS256"}, lambda content: hmac.new(secret, content, hashlib.sha256).digest())


def _public(encoding: Encoding) -> bytes:
    written: bytes = private_key("RS256", "one").public_key().public_bytes(encoding, _PUBLIC)
    return written


def _with(name: str, value: bytes) -> str:
    """Have the issuer sign good claims but for one, which is what no library would write."""
    others = json.dumps({other: claim for other, claim in claims().items() if other != name})[1:]
    return signed_bytes(b'{"%s":%s,%s' % (name.encode(), value, others.encode()), kid="one")


def _now(seconds: int) -> int:
    return int(time.time()) + seconds


def _with_payload_of_another() -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{unpadded(claims(sub='root'))}.{signature}"


ATTACKS: dict[str, Callable[[], str]] = {
    # The algorithm
    "no signature": lambda: _made({"alg": "none"}),
    "no signature, in other letters": lambda: _made({"alg": "nOnE"}),
    "signature left out": lambda: signed().rpartition(".")[0] + ".",
    "no algorithm": lambda: _made({}),
    "algorithm that is no text": lambda: _made({"alg": ["RS256"]}),
    "HS256 with the public key as PEM": lambda: _hs256(_public(Encoding.PEM)),
    "HS256 with the public key as DER": lambda: _hs256(_public(Encoding.DER)),
    "HS256 with the published key": lambda: _hs256(json.dumps(public_jwk("RS256", "one")).encode()),
    "HS256 with nothing": lambda: _hs256(b""),
    "RS384, which is not taken": lambda: signed(algorithm="RS384"),
    "PS256, which is not taken": lambda: signed(algorithm="PS256"),
    "a key of another kind": lambda: signed(kid="two", by="one"),
    "ES256 with zeros": lambda: _made({"alg": "ES256", "kid": "two"}, lambda _: bytes(64)),
    # The key
    "a key of the attacker's": _by_mallory,
    "a key that the token brings": lambda: _by_mallory(jwk=public_jwk("RS256", "mallory")),
    "a key at a place that the token names": lambda: _by_mallory(jku=_NOWHERE),
    "a certificate at such a place": lambda: _by_mallory(x5u=_NOWHERE),
    "a certificate that the token brings": lambda: _by_mallory(x5c=["MIIB"]),
    "a key that nobody publishes": lambda: signed(kid="mallory"),
    "a key that is a path": lambda: signed(kid="../../dev/null", by="one"),
    "a key that is no text": lambda: _made({"alg": "RS256", "kid": 1}),
    # What it says
    "another payload": _with_payload_of_another,
    "another issuer": lambda: signed(claims(iss=ISSUER.rstrip("/"))),
    "issuer as a list": lambda: signed(claims(iss=[ISSUER])),
    "no issuer": lambda: signed(claims(iss=None)),
    "another audience": lambda: signed(claims(aud="https://other.example")),
    "audience that begins like ours": lambda: signed(claims(aud=AUDIENCE + "/more")),
    "audience as an object": lambda: signed(claims(aud={AUDIENCE: 1})),
    "no audience": lambda: signed(claims(aud=None)),
    "expired": lambda: signed(claims(exp=_now(-31))),
    "no expiry": lambda: signed(claims(exp=None)),
    "expiry that is no number": lambda: signed(claims(exp="tomorrow")),
    "expiry without end": lambda: _with("exp", b"1e400"),
    "expiry that is not a number": lambda: _with("exp", b"NaN"),
    "expiry of many digits": lambda: _with("exp", b"9" * 5000),
    "expiry of as many as can be read": lambda: _with("exp", b"9" * 4000),
    "not yet": lambda: signed(claims(nbf=_now(120))),
    "no beginning": lambda: signed(claims(nbf=None)),
    "issued in the future": lambda: signed(claims(iat=_now(3600))),
    "no subject": lambda: signed(claims(sub=None)),
    "subject that is no text": lambda: signed(claims(sub=7)),
    "subject that is empty": lambda: signed(claims(sub="")),
    "subject that breaks a line": lambda: signed(claims(sub="alice\nroot")),
    "subject with a surrogate": lambda: signed(claims(sub="\ud800")),
    "subject with NUL": lambda: signed(claims(sub="\0")),
    "subject that is too long": lambda: signed(claims(sub="a" * 256)),
    # What it is
    "a logout token": lambda: signed(typ="logout+jwt"),
    "a type that is no text": lambda: _made({"alg": "RS256", "typ": []}),
    "an extension that must be understood": lambda: _made({"alg": "RS256", "crit": ["exp"]}),
    "an extension that is": lambda: _made({"alg": "RS256", "crit": ["b64"], "b64": True}),
    "payload elsewhere": lambda: _made({"alg": "RS256", "crit": ["b64"], "b64": False}),
    "payload that is no object": lambda: signed_bytes(b"[]", kid="one"),
    "payload that is deep": lambda: signed_bytes(b"[" * 3000, kid="one"),
    "payload that is no UTF-8": lambda: signed_bytes(b'{"a":"\xff"}', kid="one"),
    "header that is deep": lambda: unpadded(b"[" * 3000) + ".e30.",
    "encrypted": lambda: ".".join([unpadded({"alg": "RSA-OAEP", "enc": "A256GCM"}), *"aaaa"]),
    "two dots": lambda: "..",
    "one part": lambda: "eyJhbGciOiJub25lIn0",
}
