"""Nodes of intervals: a position leads to each interval that contains it, and no node has two disjoint ones."""

from itertools import combinations_with_replacement

from hypothesis import given
from hypothesis import strategies as st

from projections.items.intervals import node_of, nodes_above

_NUMBERS = st.integers(1, 2**62) | st.integers(1, 40)


def halvings(number: int) -> int:
    return (number & -number).bit_length() - 1


def test_a_node_is_the_number_of_its_interval_that_can_be_halved_most_often() -> None:
    for first, last in combinations_with_replacement(range(1, 70), 2):
        assert node_of(first, last) == max(range(first, last + 1), key=halvings)


def test_every_position_of_an_interval_leads_to_its_node() -> None:
    for first, last in combinations_with_replacement(range(1, 40), 2):
        for position in range(first, last + 1):
            assert node_of(first, last) in nodes_above(position)


@given(_NUMBERS, _NUMBERS, _NUMBERS)
def test_every_position_of_a_long_interval_leads_to_its_node(one: int, two: int, three: int) -> None:
    first, position, last = sorted((one, two, three))
    assert node_of(first, last) in nodes_above(position)
    assert first <= node_of(first, last) <= last


@given(_NUMBERS)
def test_the_nodes_above_a_position_are_one_on_each_level(position: int) -> None:
    nodes = nodes_above(position)
    assert [halvings(node) for node in nodes] == list(range(63))
    assert max(nodes) < 2**63
