"""How often somebody may ask: buckets that fill evenly, a brake on guesses, bounded memory."""

from __future__ import annotations

import pytest

from api import limits
from api.limits import RateLimit, WrongGuesses, is_limited, network_of
from core.clock import ManualClock


def test_a_bucket_holds_a_minute_and_fills_evenly() -> None:
    clock = ManualClock()
    limit = RateLimit(clock, 60)
    assert [limit.take("a") for _ in range(60)] == [0] * 60
    assert limit.take("a") == 2
    assert limit.take("b") == 0
    clock.advance(1)
    assert limit.take("a") == 0
    assert limit.take("a") > 0
    clock.advance(3600)
    assert [limit.take("a") for _ in range(60)] == [0] * 60
    assert limit.take("a") > 0


def test_the_wait_that_is_told_is_enough() -> None:
    clock = ManualClock()
    limit = RateLimit(clock, 7)
    while not (wait := limit.take("a")):
        pass
    clock.advance(wait)
    assert limit.take("a") == 0


def test_zero_switches_it_off() -> None:
    limit = RateLimit(ManualClock(), 0)
    assert {limit.take("a") for _ in range(1000)} == {0}


def test_memory_is_bounded_and_the_busy_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEYS_MAX", 100)
    limit, guesses = RateLimit(ManualClock(), 2), WrongGuesses(ManualClock(), misses_max=2, window_seconds=10)
    limit.take("busy"), limit.take("busy")
    for number in range(1000):
        limit.take(f"k{number}")
        guesses.missed(f"k{number}")
        assert limit.take("busy") > 0
    assert len(limit._buckets) == len(guesses._misses) == 100


def test_guesses_are_braked_and_the_brake_ends() -> None:
    clock = ManualClock()
    guesses = WrongGuesses(clock, misses_max=2, window_seconds=10)
    guesses.missed("a")
    assert guesses.wait_seconds("a") == 0
    guesses.missed("a")
    assert (guesses.wait_seconds("a"), guesses.wait_seconds("b")) == (11, 0)
    clock.advance(10)
    assert guesses.wait_seconds("a") == 0
    guesses.missed("a")
    assert guesses.wait_seconds("a") == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_ipv6_customer_counts_once(address: str, network: str) -> None:
    assert network_of(address) == network


UUID = "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/metrics", "/api/v1/ingest/demo", "/family/a/abcdefgh", "/api/v1/alerts/stream"]
    + [f"/api/v1/alerts/{UUID}{end}" for end in ("", "/acknowledge", "/arrive", "/resolve", "/escalate", "/comment")],
)
def test_what_answers_an_emergency_is_never_limited(path: str) -> None:
    assert not is_limited(path)


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/alerts", "/api/v1/residents", "/api/v1/auth/token", "/healthz/x", "/api/v1/ingest/a/b"]
)
def test_everything_else_is(path: str) -> None:
    assert is_limited(path)
