"""An issuer of access tokens: its keys, the set that it publishes, and whatever it, or an attacker, signs."""

import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example/", "https://items.example"

_ALGORITHMS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def private_key(algorithm: str, kid: str) -> Any:
    """Return the private key of this name; the same in every test of a run."""
    return _private_key("RSA" if algorithm[0] in "RP" else algorithm, kid)


@cache
def _private_key(kind: str, kid: str) -> Any:
    match kind:
        case "RSA":
            return rsa.generate_private_key(65537, 2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def public_jwk(algorithm: str, kid: str, **more: object) -> dict[str, Any]:
    """Return the public half of a key as its issuer publishes it."""
    written: dict[str, Any] = json.loads(_ALGORITHMS[algorithm].to_jwk(private_key(algorithm, kid).public_key()))
    written.pop("key_ops", None)
    return {**written, "kid": kid, "use": "sig", "alg": algorithm, **more}


def published(*keys: tuple[str, str], more: list[dict[str, Any]] | None = None) -> bytes:
    """Return a JWK Set of these keys: (algorithm, name)."""
    return json.dumps({"keys": [*(public_jwk(*key) for key in keys), *(more or [])]}).encode()


def claims(**changes: object) -> dict[str, Any]:
    """Return the claims of a good token, with `changes`; what is None is left out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "nbf": now, "exp": now + 600}
    return {name: value for name, value in {**good, "scope": "items:read", **changes}.items() if value is not None}


def signed(
    payload: dict[str, Any] | None = None,
    algorithm: str = "RS256",
    kid: str | None = "one",
    by: str | None = None,
    **header: object,
) -> str:
    """Sign claims, by default good ones, by the key `by`, but naming `kid`; more header fields as they are given."""
    named = {} if kid is None else {"kid": kid}
    content = json.dumps(claims() if payload is None else payload).encode()
    return signed_bytes(content, algorithm, by or kid or "one", **named, **header)


def signed_bytes(payload: bytes, algorithm: str = "RS256", by: str = "one", **header: object) -> str:
    """Sign any bytes."""
    return jwt.api_jws.encode(payload, private_key(algorithm, by), algorithm, headers=header)
