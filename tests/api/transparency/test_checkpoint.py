"""Checkpoints and proofs as texts: the examples of c2sp.org, and another implementation as the reader."""

import metamorphic_log
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.transparency.formats.checkpoint import Checkpoint, read
from api.transparency.formats.inclusion_proof import TlogProof
from api.transparency.formats.signed_note import NoteError, SignerKey

KEY = SignerKey.generate("example.com/behind-the-sofa")
#: The text of the example at c2sp.org/tlog-checkpoint.
TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
#: The proof of the example at c2sp.org/tlog-proof.
PROOF = """\
c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog hI2DJwAA
"""
HASHES = st.binary(min_size=32, max_size=32)


def test_the_example_of_the_specification_round_trips() -> None:
    checkpoint = Checkpoint.parse(TEXT)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root.hex()[:8]) == (KEY.verifier.name, 20852163, "0ac5186a")
    assert checkpoint.write([]) == TEXT
    assert read(TEXT) == read(checkpoint.write([KEY])) == checkpoint


@settings(max_examples=100)
@given(st.integers(0, 2**63 - 1), HASHES)
def test_another_implementation_reads_our_checkpoints(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(KEY.verifier.name, size, root)
    written = checkpoint.write([KEY])
    assert read(written, [KEY.verifier]) == checkpoint
    head = metamorphic_log.checkpoint_verify(written, [str(KEY.verifier)])
    assert (head.origin, head.size, head.root) == (checkpoint.origin, size, root)


def test_extension_lines_are_signed_and_ignored() -> None:
    assert Checkpoint.parse(f"{TEXT}more\n") == Checkpoint.parse(TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "\n1\n" + TEXT.split("\n")[2] + "\n",
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "\u0661"),
        TEXT.replace("20852163", "1" * 20),
        TEXT.replace("q2I=", "q2I"),
        TEXT.replace("CsUY", ""),
        "example.com/log\n1\n",
        f"{TEXT}\nmore\n",
    ],
)
def test_an_invalid_checkpoint_is_rejected(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


def test_a_checkpoint_is_accepted_only_from_a_key_of_its_origin() -> None:
    written = Checkpoint.parse(TEXT).write([KEY])
    other = SignerKey.generate("example.com/other")
    assert read(written, [other.verifier, KEY.verifier]).size == 20852163
    for unsigned in (TEXT, Checkpoint.parse(TEXT).write([other])):
        with pytest.raises(NoteError, match="not signed"):
            read(unsigned, [KEY.verifier, other.verifier])
    with pytest.raises(NoteError, match=r"is of 'example.com/behind-the-sofa', not of example.com/other"):
        read(Checkpoint.parse(TEXT).write([KEY, other]), [other.verifier])


def test_the_example_of_a_proof_round_trips() -> None:
    proof = TlogProof.parse(PROOF)
    assert (proof.index, len(proof.hashes), proof.checkpoint.partition("\n")[0]) == (73894, 2, "example.com/fancylog")
    assert proof.write() == PROOF


@settings(max_examples=100)
@given(st.integers(0, 2**63 - 1), st.lists(HASHES, max_size=8), st.none() | st.binary(max_size=99))
def test_a_proof_round_trips(index: int, hashes: list[bytes], extra: bytes | None) -> None:
    proof = TlogProof(index, tuple(hashes), Checkpoint.parse(TEXT).write([KEY]), extra)
    assert TlogProof.parse(proof.write()) == proof


@pytest.mark.parametrize(
    "text",
    [
        "",
        PROOF.replace("@v1", "@v2"),
        PROOF.replace("index 73894", "index 073894"),
        PROOF.replace("index 73894\n", ""),
        PROOF.replace("extra ", "extra  "),
        PROOF.replace("gSKy", ""),
    ],
)
def test_an_invalid_proof_is_rejected(text: str) -> None:
    with pytest.raises(NoteError):
        TlogProof.parse(text)
