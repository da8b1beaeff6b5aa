"""Marks of tests that one kind of database is enough for, or that concern one alone."""

import pytest

on_sqlite = pytest.mark.parametrize("seeded_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("seeded_url", ["postgresql"], indirect=True)
