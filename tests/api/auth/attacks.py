"""Invalid tokens, each made by a different attack."""

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
    """Sign with the attacker's key, under the `kid` of a valid key."""
    return signed(kid="one", by="mallory", **header)


_PUBLIC = PublicFormat.SubjectPublicKeyInfo


def unpadded(content: bytes | dict[str, Any]) -> str:
    """Encode bytes, or an object as JSON, as a part of a token."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _made(header: dict[str, Any], sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    """Build a token with any header, which libraries refuse to do."""
    content = f"{unpadded({'kid': 'one', **header})}.{unpadded(claims())}"
    return f"{content}.{unpadded(sign(content.encode()))}"


def _hs256(secret: bytes) -> str:
    return _made({"alg": "HS256"}, lambda content: hmac.new(secret, content, hashlib.sha256).digest())


def _public(encoding: Encoding) -> bytes:
    written: bytes = private_key("RS256", "one").public_key().public_bytes(encoding, _PUBLIC)
    return written


def _with(name: str, value: bytes) -> str:
    """Have the issuer sign valid claims and one that libraries refuse to write."""
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
    "no signature, in mixed case": lambda: _made({"alg": "nOnE"}),
    "empty signature": lambda: signed().rpartition(".")[0] + ".",
    "no algorithm": lambda: _made({}),
    "algorithm that is not a string": lambda: _made({"alg": ["RS256"]}),
    "HS256 with the public key as PEM": lambda: _hs256(_public(Encoding.PEM)),
    "HS256 with the public key as DER": lambda: _hs256(_public(Encoding.DER)),
    "HS256 with the published key": lambda: _hs256(json.dumps(public_jwk("RS256", "one")).encode()),
    "HS256 with an empty secret": lambda: _hs256(b""),
    "RS384, which is not accepted": lambda: signed(algorithm="RS384"),
    "PS256, which is not accepted": lambda: signed(algorithm="PS256"),
    "a key of another kind": lambda: signed(kid="two", by="one"),
    "ES256 with zeros": lambda: _made({"alg": "ES256", "kid": "two"}, lambda _: bytes(64)),
    # The key
    "the attacker's key": _by_mallory,
    "a key in the token": lambda: _by_mallory(jwk=public_jwk("RS256", "mallory")),
    "a key at a URL in the token": lambda: _by_mallory(jku=_NOWHERE),
    "a certificate at a URL in the token": lambda: _by_mallory(x5u=_NOWHERE),
    "a certificate in the token": lambda: _by_mallory(x5c=["MIIB"]),
    "an unpublished key": lambda: signed(kid="mallory"),
    "a kid that is a path": lambda: signed(kid="../../dev/null", by="one"),
    "a kid that is not a string": lambda: _made({"alg": "RS256", "kid": 1}),
    # The claims
    "another payload": _with_payload_of_another,
    "another issuer": lambda: signed(claims(iss=ISSUER.rstrip("/"))),
    "issuer as a list": lambda: signed(claims(iss=[ISSUER])),
    "no issuer": lambda: signed(claims(iss=None)),
    "another audience": lambda: signed(claims(aud="https://other.example")),
    "audience with a suffix": lambda: signed(claims(aud=AUDIENCE + "/more")),
    "audience as an object": lambda: signed(claims(aud={AUDIENCE: 1})),
    "no audience": lambda: signed(claims(aud=None)),
    "expired": lambda: signed(claims(exp=_now(-31))),
    "no expiry": lambda: signed(claims(exp=None)),
    "expiry that is a string": lambda: signed(claims(exp="tomorrow")),
    "infinite expiry": lambda: _with("exp", b"1e400"),
    "expiry NaN": lambda: _with("exp", b"NaN"),
    "expiry of many digits": lambda: _with("exp", b"9" * 5000),
    "expiry of as many digits as can be parsed": lambda: _with("exp", b"9" * 4000),
    "not yet valid": lambda: signed(claims(nbf=_now(120))),
    "no not-before time": lambda: signed(claims(nbf=None)),
    "issued in the future": lambda: signed(claims(iat=_now(3600))),
    "no subject": lambda: signed(claims(sub=None)),
    "subject that is not a string": lambda: signed(claims(sub=7)),
    "empty subject": lambda: signed(claims(sub="")),
    "subject with a line feed": lambda: signed(claims(sub="alice\nroot")),
    "subject with a surrogate": lambda: signed(claims(sub="\ud800")),
    "subject with NUL": lambda: signed(claims(sub="\0")),
    "subject of 256 characters": lambda: signed(claims(sub="a" * 256)),
    # The type
    "a logout token": lambda: signed(typ="logout+jwt"),
    "a type that is not a string": lambda: _made({"alg": "RS256", "typ": []}),
    "an unknown critical extension": lambda: _made({"alg": "RS256", "crit": ["exp"]}),
    "a known critical extension": lambda: _made({"alg": "RS256", "crit": ["b64"], "b64": True}),
    "detached payload": lambda: _made({"alg": "RS256", "crit": ["b64"], "b64": False}),
    "payload that is an array": lambda: signed_bytes(b"[]", kid="one"),
    "deeply nested payload": lambda: signed_bytes(b"[" * 3000, kid="one"),
    "payload that is not UTF-8": lambda: signed_bytes(b'{"a":"\xff"}', kid="one"),
    "deeply nested header": lambda: unpadded(b"[" * 3000) + ".e30.",
    "encrypted": lambda: ".".join([unpadded({"alg": "RSA-OAEP", "enc": "A256GCM"}), *"aaaa"]),
    "two dots": lambda: "..",
    "one part": lambda: "eyJhbGciOiJub25lIn0",
}
