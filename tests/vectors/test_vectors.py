"""The files of vectors are what the tests of this version make: the browser runs exactly these."""

import pytest

from tests.vectors.build import FILES, FOLDER, text_of


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_vectors_is_current(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_bytes() == text_of(name), "run .venv/bin/python -m tests.vectors.build"
