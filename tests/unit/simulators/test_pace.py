"""Simulated against real time: nothing is stamped ahead of the present or beyond what ingest takes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import ManualClock
from core.errors import BadInput
from core.limits import CLOCK_PAST_SECONDS
from simulators.pace import make_pace

NOW = 1_764_000_000.0


def test_real_time_starts_now_and_is_due_when_it_happens(clock: ManualClock) -> None:
    pace = make_pace(clock)
    assert pace.start == clock.time()
    assert pace.due(pace.start + 90.0) == clock.time() + 90.0
    assert pace.stamp() is None


@settings(max_examples=200, deadline=None)
@given(
    speed=st.one_of(st.just(0.0), st.floats(1.0, 1e5)),
    seconds=st.one_of(st.none(), st.floats(1.0, 30 * 86_400.0)),
    share=st.floats(0.0, 1.0),
)
def test_faster_than_real_time_never_overtakes_the_present(speed: float, seconds: float | None, share: float) -> None:
    pace = make_pace(ManualClock(NOW), speed=speed, seconds=seconds)
    time = pace.start + share * (seconds or 20 * 86_400.0)
    due = pace.due(time)
    assert due >= NOW
    assert due >= time
    assert due - time <= CLOCK_PAST_SECONDS - 80_000.0


def test_a_fast_run_with_a_duration_ends_at_the_present() -> None:
    pace = make_pace(ManualClock(NOW), speed=60.0, seconds=3600.0)
    assert pace.due(pace.start + 3600.0) == pytest.approx(NOW + 60.0)
    assert pace.start + 3600.0 == pytest.approx(NOW + 60.0)


def test_an_endless_fast_run_goes_on_in_real_time_once_it_has_caught_up() -> None:
    pace = make_pace(ManualClock(NOW), speed=100.0)
    late = NOW + 86_400.0
    assert pace.due(late) == late


def test_stamp_now_shows_real_time(clock: ManualClock) -> None:
    pace = make_pace(clock, speed=10.0, stamp_mode="now")
    stamp = pace.stamp()
    assert stamp is not None
    assert stamp(pace.start + 600.0) == pace.due(pace.start + 600.0) == pytest.approx(clock.time() + 60.0)


def test_impossible_paces_are_refused(clock: ManualClock) -> None:
    with pytest.raises(BadInput):
        make_pace(clock, speed=-1.0)
    with pytest.raises(BadInput):
        make_pace(clock, speed=float("nan"))
    with pytest.raises(BadInput):
        make_pace(clock, speed=0.0, stamp_mode="now")
    with pytest.raises(BadInput):
        make_pace(clock, stamp_mode="soon")  # type: ignore[arg-type]
