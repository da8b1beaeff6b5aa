"""Token buckets admit exactly the rate limit, and report their state correctly."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from api.edge.token_bucket import RateLimit, TokenBuckets

QUOTAS = st.integers(1, 50)
WINDOWS = st.integers(1, 3600)
#: Pauses before each request, in thousandths of a second.
PAUSES = st.lists(st.integers(0, 30_000), max_size=120)

steady = settings(deadline=None, max_examples=300)


@steady
@given(QUOTAS, WINDOWS, PAUSES)
def test_it_admits_what_a_bucket_of_counted_tokens_would(quota: int, window: int, pauses: list[int]) -> None:
    buckets, now = TokenBuckets(RateLimit("any", quota, window), 10), 0
    tokens, rate = Fraction(quota), Fraction(quota, window * 1000)
    for pause in pauses:
        now += pause
        tokens = min(Fraction(quota), tokens + rate * pause)
        state = buckets.take("me", now / 1000)
        assert state.admitted == (tokens >= 1)
        tokens -= state.admitted
        assert state.remaining == int(tokens)


@steady
@given(QUOTAS, WINDOWS, PAUSES)
def test_the_remaining_requests_are_admitted_at_once_and_no_more(quota: int, window: int, pauses: list[int]) -> None:
    buckets, now, remaining = TokenBuckets(RateLimit("any", quota, window), 10), 0.0, quota
    for pause in pauses:
        now += pause / 1000
        remaining = buckets.take("me", now).remaining
    assert [buckets.take("me", now).admitted for _ in range(remaining + 1)] == [True] * remaining + [False]


@steady
@given(QUOTAS, WINDOWS, st.integers(0, 10**9))
def test_a_retry_after_the_stated_time_is_admitted_and_not_much_earlier(quota: int, window: int, start: int) -> None:
    buckets, now = TokenBuckets(RateLimit("any", quota, window), 10), float(start)
    while (state := buckets.take("me", now)).admitted:
        pass
    assert not buckets.take("me", now + state.reset_seconds - 1.001).admitted or state.reset_seconds == 1
    assert buckets.take("me", now + state.reset_seconds).admitted


@steady
@given(QUOTAS, WINDOWS, st.integers(1, 50))
def test_the_bucket_is_full_at_the_stated_time(quota: int, window: int, taken: int) -> None:
    buckets, now = TokenBuckets(RateLimit("any", quota, window), 10), 1000.0
    states = [buckets.take("me", now) for _ in range(min(taken, quota))]
    assert buckets.take("me", now + states[-1].reset_seconds).remaining == quota - 1


def test_clients_have_a_bucket_each() -> None:
    buckets = TokenBuckets(RateLimit("any", 1), 10)
    assert [buckets.take(client, 0).admitted for client in "abab"] == [True, True, False, False]


def test_a_token_that_is_given_back_can_be_taken_again() -> None:
    buckets = TokenBuckets(RateLimit("any", 2), 10)
    for _ in range(10):
        assert buckets.take("me", 5).remaining == 1
        buckets.give_back("me")
    buckets.give_back("a stranger")
    assert len(buckets._full_at) == 1
    # Never more than the bucket holds, however much is given back.
    for _ in range(10):
        buckets.give_back("me")
    assert [buckets.take("me", 5).admitted for _ in range(3)] == [True, True, False]


def test_memory_is_bounded_and_the_least_recent_client_forgotten_first() -> None:
    buckets = TokenBuckets(RateLimit("any", 1), 100)
    admitted = 0
    for number in range(1000):
        buckets.take(number, 0)
        admitted += buckets.take("busy", 0).admitted
        assert len(buckets._full_at) <= 100
    assert admitted == 1, "a client that keeps asking is not forgotten"
    assert not buckets.take(999, 0).admitted
    assert buckets.take(0, 0).admitted


def test_a_client_within_the_limit_is_not_forgotten_either() -> None:
    buckets = TokenBuckets(RateLimit("any", 2000), 100)
    for number in range(1000):
        buckets.take(number, 0)
        buckets.take("steady", 0)
    assert buckets.take("steady", 0).remaining == 999
