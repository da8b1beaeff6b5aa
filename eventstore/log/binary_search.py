"""Binary search in SQL, over what is numbered without a gap and grows with its number."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Select, case, literal, select

from eventstore.log.tables import BigInt


def last_at_or_before(
    value_of: Callable[[ColumnElement[int]], Select[int]], bound: ColumnElement[int]
) -> ColumnElement[int]:
    """Give the greatest of the numbers 1, 2, 3, ... whose value is at most `bound`, 0 where no value is.

    `value_of` gives the query for a number's value, which is never less than that of the number before, and finds
    nothing behind the last. The answer takes 63 look-ups, most of them of numbers that nothing has.
    """
    # From the highest bit to the lowest: is there a number that has this one as well, and a value within the bound?
    found = select(literal(0, BigInt).label("number"), literal(2**62, BigInt).label("bit")).cte(recursive=True)
    tried = value_of(found.c.number + found.c.bit).correlate(found).scalar_subquery()
    better = found.c.number + case((tried <= bound, found.c.bit), else_=0)
    found = found.union_all(select(better, found.c.bit // 2).where(found.c.bit > 0))
    return select(found.c.number).where(found.c.bit == 0).scalar_subquery()
