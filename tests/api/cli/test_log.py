"""`itemledger log`: a key is created for its owner alone, and another implementation verifies its signatures."""

import stat
from pathlib import Path

import httpx
import metamorphic_log

from tests.api.cli.command import Done, without_database
from tests.support.service import serving

NAME = "ledger.example.com/log"


def log(*arguments: object, **settings: object) -> Done:
    return without_database("log", *arguments, **settings)


def test_the_service_signs_checkpoints_with_a_generated_key(sqlite_url: str, tmp_path: Path) -> None:
    made = log("keygen", NAME, tmp_path / "key")
    assert (made.returncode, made.stderr) == (0, "")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    shown = log("public-key", ITEMLEDGER_LOG_KEY_FILE=tmp_path / "key")
    assert (shown.returncode, shown.stdout) == (0, made.stdout)
    secret = (tmp_path / "key").read_text().strip().split("+", 4)[4]
    with serving(sqlite_url, environment={"ITEMLEDGER_LOG_KEY_FILE": str(tmp_path / "key")}) as server:
        note = httpx.get(f"{server.url}/log/checkpoint").text
        server.terminate()
        assert secret not in server.output()
    head = metamorphic_log.checkpoint_verify(note, [made.stdout.strip()])
    assert (head.origin, head.size) == (NAME, 0)


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("precious")
    done = log("keygen", NAME, tmp_path / "key")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Error: {tmp_path / 'key'}: File exists\n"
    assert (tmp_path / "key").read_text() == "precious"


def test_an_invalid_name_is_refused(tmp_path: Path) -> None:
    done = log("keygen", "my log", tmp_path / "key")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: NAME: " in done.stderr
    assert not (tmp_path / "key").exists()


def test_without_a_key_public_key_fails() -> None:
    done = log("public-key")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: No key is configured. Set ITEMLEDGER_LOG_KEY_FILE or ITEMLEDGER_LOG_KEY.\n"


def test_an_invalid_key_is_refused_and_not_printed() -> None:
    done = log("public-key", ITEMLEDGER_LOG_KEY="swordfish")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: ITEMLEDGER_LOG_KEY: a private key must begin with PRIVATE+KEY+\n"
