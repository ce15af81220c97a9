"""The brake on guessing: who is braked, for how long, and how much it remembers."""

from __future__ import annotations

from api.auth import throttle
from api.auth.throttle import ADDRESS_ATTEMPTS_MAX, ATTEMPTS_MAX, NAME_ATTEMPTS_MAX, WINDOW_SECONDS, Throttle
from core.clock import ManualClock


def test_a_pair_is_braked_and_released() -> None:
    clock = ManualClock()
    brake = Throttle(clock)
    for _ in range(ATTEMPTS_MAX):
        assert brake.wait_seconds("li", "a") == 0
        brake.failed("li", "a")
    assert brake.wait_seconds("li", "a") == WINDOW_SECONDS + 1
    assert brake.wait_seconds("li", "b") == 0
    clock.advance(WINDOW_SECONDS - 10)
    assert brake.wait_seconds("li", "a") == 11
    clock.advance(10)
    assert brake.wait_seconds("li", "a") == 0
    brake.failed("li", "a")
    assert brake.wait_seconds("li", "a") == 0


def test_success_forgets_the_pair_but_not_the_address() -> None:
    brake = Throttle(ManualClock())
    for number in range(ADDRESS_ATTEMPTS_MAX):
        brake.failed(f"name{number}", "a")
    brake.succeeded("name1", "a")
    assert brake.wait_seconds("somebody", "a") > 0
    assert brake.wait_seconds("somebody", "b") == 0


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(throttle, "KEYS_MAX", 100)
    brake = Throttle(ManualClock())
    for number in range(1000):
        brake.failed(f"name{number}", f"address{number}")
    assert len(brake._counts) == 100


def test_a_name_guessed_from_everywhere_is_braked_but_not_in_its_own_house() -> None:
    brake = Throttle(ManualClock())
    brake.succeeded("li", "house")
    for number in range(NAME_ATTEMPTS_MAX):
        assert brake.wait_seconds("li", f"address{number}") == 0
        brake.failed("li", f"address{number}")
    assert brake.wait_seconds("li", "one more") > 0
    assert brake.wait_seconds("li", "house") == 0
    assert brake.wait_seconds("wang", "one more") == 0


def test_addresses_of_one_ipv6_customer_count_together() -> None:
    brake = Throttle(ManualClock())
    for number in range(ATTEMPTS_MAX):
        brake.failed("li", f"2001:db8::{number}")
    assert brake.wait_seconds("li", "2001:db8::ffff") > 0
    assert brake.wait_seconds("li", "2001:db8:0:1::1") == 0
