"""`itemledger log`: a key is made, kept to its owner, and signs what another implementation verifies."""

import stat
from pathlib import Path

import httpx
import metamorphic_log
from click.testing import CliRunner, Result

from api.cli import main
from tests.support.service import serving

NAME = "ledger.example.com/log"


def log(*arguments: object, **environment: object) -> Result:
    settings = {name: str(value) for name, value in environment.items()}
    return CliRunner().invoke(main, ["log", *map(str, arguments)], prog_name="itemledger", env=settings)


def test_a_key_signs_the_checkpoints_of_the_service_that_is_given_its_file(sqlite_url: str, tmp_path: Path) -> None:
    made = log("keygen", NAME, tmp_path / "key")
    assert (made.exit_code, made.stderr) == (0, "")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    shown = log("public-key", ITEMLEDGER_LOG_KEY_FILE=tmp_path / "key")
    assert (shown.exit_code, shown.stdout) == (0, made.stdout)
    secret = (tmp_path / "key").read_text().strip().rpartition("+")[2]
    with serving(sqlite_url, environment={"ITEMLEDGER_LOG_KEY_FILE": str(tmp_path / "key")}) as server:
        note = httpx.get(f"{server.url}/log/checkpoint").text
        server.terminate()
        assert secret not in server.output()
    head = metamorphic_log.checkpoint_verify(note, [made.stdout.strip()])
    assert (head.origin, head.size) == (NAME, 0)


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("precious")
    done = log("keygen", NAME, tmp_path / "key")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"Error: {tmp_path / 'key'}: File exists\n"
    assert (tmp_path / "key").read_text() == "precious"


def test_a_name_that_no_key_can_have_is_refused(tmp_path: Path) -> None:
    done = log("keygen", "my log", tmp_path / "key")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: NAME: " in done.stderr
    assert not (tmp_path / "key").exists()


def test_without_a_key_there_is_none_to_show() -> None:
    done = log("public-key")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: No key is set, by ITEMLEDGER_LOG_KEY_FILE or ITEMLEDGER_LOG_KEY\n"


def test_a_key_that_is_none_is_refused_and_not_told() -> None:
    done = log("public-key", ITEMLEDGER_LOG_KEY="swordfish")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: ITEMLEDGER_LOG_KEY: a private key begins with PRIVATE+KEY+\n"
