"""`itemledger serve` over TLS, with certificates that the test creates."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from api.edge import event_loop
from api.edge.progress import Progress
from api.http.responses import PIECE_BYTES
from tests.api.cli.command import itemledger
from tests.support.service import Server


def certify(directory: Path, name: str, password: bytes | None = None) -> list[str]:
    """Create a certificate for 127.0.0.1 and its key. Return the options that name them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    (directory / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return ["--tls-cert", str(directory / f"{name}.crt"), "--tls-key", str(directory / f"{name}.key")]


def test_with_a_certificate_it_serves_https_only(sqlite_url: str, tmp_path: Path) -> None:
    options = certify(tmp_path, "server")
    trusted = ssl.create_default_context(cafile=options[1])
    server = Server(sqlite_url, *options)
    server.url = server.url.replace("http:", "https:")
    try:
        server.wait_until_ready(verify=trusted)
        answer = httpx.get(f"{server.url}/livez", verify=trusted)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        old = ssl.create_default_context(cafile=options[1])
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert httpx.get(f"{server.url}/livez", verify=old).status_code == 200
        with pytest.raises(httpx.ConnectError):  # the client does not trust the certificate
            httpx.get(f"{server.url}/livez")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{server.port}/livez")
    finally:
        server.close()


@pytest.mark.parametrize("case", ["one alone", "of two pairs", "no certificate", "a key with a password", "no file"])
def test_an_invalid_certificate_or_key_is_refused_in_one_line(case: str, sqlite_url: str, tmp_path: Path) -> None:
    one, other = certify(tmp_path, "one"), certify(tmp_path, "other")
    options = {
        "one alone": one[:2],
        "of two pairs": [*one[:2], *other[2:]],
        "no certificate": [*one[2:3], one[3], "--tls-cert", one[3]],
        "a key with a password": certify(tmp_path, "locked", b"swordfish"),
        "no file": ["--tls-cert", str(tmp_path / "none"), *one[2:]],
    }[case]
    done = itemledger(sqlite_url, "serve", *options)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "--tls-" in done.stderr.splitlines()[-1]


def test_a_client_that_does_not_start_tls_is_disconnected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "_TLS_HANDSHAKE_SECONDS", 0.1)
    _, certificate, _, key = certify(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def silent() -> bytes:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(300):
            said = await reader.read()
        writer.close()
        server.close()
        return said

    with asyncio.Runner(loop_factory=event_loop.Loop) as runner:
        assert runner.run(silent()) == b""


def test_little_is_encrypted_that_the_client_does_not_take(tmp_path: Path) -> None:
    _, certificate, _, key = certify(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    trusted = ssl.create_default_context(cafile=certificate)
    piece = b"x" * PIECE_BYTES

    class Filling(asyncio.Protocol):
        """Writes until it is paused; `unsent` is then what the process still has."""

        unsent: asyncio.Future[int]

        def connection_made(self, transport: Any) -> None:
            transport.set_write_buffer_limits(high=1, low=0)
            connection, written = transport.get_extra_info("socket"), 0
            self.paused = False
            while not self.paused:
                transport.write(piece)
                written += len(piece)
            progress = Progress(connection, 1)
            self.unsent.set_result(written - progress._unacknowledged() - progress._acknowledged())

        def pause_writing(self) -> None:
            self.paused = True

    async def unread() -> int:
        Filling.unsent = asyncio.get_running_loop().create_future()
        server = await asyncio.get_running_loop().create_server(Filling, "127.0.0.1", 0, ssl=context)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=trusted)
        async with asyncio.timeout(300):
            size = await Filling.unsent
        writer.transport.abort()
        server.close()
        return size

    with asyncio.Runner(loop_factory=event_loop.Loop) as runner:
        assert runner.run(unread()) <= 2 * PIECE_BYTES
