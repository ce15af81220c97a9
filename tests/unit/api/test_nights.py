"""Nights in bed out of buckets of five minutes, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from api.residents.nights import HELD, STEP, Points, night

BEGINS = datetime(2026, 1, 31, 10, tzinfo=UTC)  # 18:00 in China
ENDS = BEGINS + timedelta(hours=18)
EVENING = BEGINS.date()


def at(hours: float) -> datetime:
    return BEGINS + timedelta(hours=hours)


def points(first: float, last: float, *, up: tuple[float, ...] = (), bed: tuple[float, float] = (4.0, 13.0)) -> Points:
    """Buckets from `first` to `last`, hours of the night; in bed within `bed`, up for a part of the bucket at `up`."""
    made: Points = []
    t = at(first)
    while t < at(last):
        lies = at(bed[0]) <= t < at(bed[1])
        rises = any(t <= at(hour) < t + STEP for hour in up)
        made.append({"t": t, "avg": 0.6 if rises else float(lies), "min": 0.0 if rises else float(lies)})
        t += STEP
    return made


def test_a_plain_night() -> None:
    found = night(points(0, 18), EVENING, BEGINS, ENDS, ENDS)
    assert (found.in_bed_at, found.up_at) == (at(4), at(13))
    assert (found.in_bed_minutes, found.times_up, found.up_minutes, found.unknown_minutes) == (540, 0, 0, 0)
    assert [(one.begins_at, one.ends_at, one.state) for one in found.spans] == [
        (at(0), at(4), "out"), (at(4), at(13), "in"), (at(13), at(18), "out"),
    ]  # fmt: skip


def test_short_walks_are_counted_although_most_of_their_five_minutes_was_in_bed() -> None:
    found = night(points(0, 18, up=(6.0, 6.1, 9.0)), EVENING, BEGINS, ENDS, ENDS)
    assert (found.times_up, found.up_minutes) == (2, 6)
    assert found.in_bed_minutes == 534


def test_silence_is_unknown_and_neither_in_nor_out() -> None:
    spoken = [one for one in points(0, 18) if not at(6) <= one["t"] < at(8)]
    found = night(spoken, EVENING, BEGINS, ENDS, ENDS)
    assert found.unknown_minutes == 120 - (HELD - STEP) / timedelta(minutes=1)
    assert [one.state for one in found.spans] == ["out", "in", "in", "out"]
    assert found.spans[1].ends_at < found.spans[2].begins_at
    assert found.times_up == 0


def test_a_night_that_runs_ends_now() -> None:
    found = night(points(0, 7), EVENING, BEGINS, ENDS, at(7))
    assert (found.up_at, found.unknown_minutes, found.in_bed_minutes) == (at(7), 0, 180)


def test_nobody_in_bed_and_nothing_heard() -> None:
    empty = night(points(0, 18, bed=(0, 0)), EVENING, BEGINS, ENDS, ENDS)
    assert (empty.in_bed_at, empty.in_bed_minutes, empty.times_up) == (None, 0, 0)
    silent = night([], EVENING, BEGINS, ENDS, ENDS)
    assert (silent.spans, silent.unknown_minutes) == ([], 18 * 60)
    ahead = night([], EVENING, BEGINS, ENDS, BEGINS - timedelta(hours=1))
    assert (ahead.spans, ahead.unknown_minutes) == ([], 0)


def test_a_night_equals_its_slow_twin_minute_by_minute() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        known = [one for one in points(0, 18, up=tuple(rng.uniform(4.5, 12.5, 3))) if rng.random() > 0.3]
        found = night(known, EVENING, BEGINS, ENDS, ENDS)
        state: list[str] = []
        for minute in range(18 * 60):
            moment = BEGINS + timedelta(minutes=minute)
            before = [one for one in known if one["t"] <= moment < one["t"] + HELD]
            state.append("" if not before else "in" if before[-1]["avg"] >= 0.5 else "out")
        told = [""] * (18 * 60)
        for span in found.spans:
            first, last = (round((end - BEGINS) / timedelta(minutes=1)) for end in (span.begins_at, span.ends_at))
            told[first:last] = [span.state] * (last - first)
        assert told == state
        assert found.unknown_minutes == state.count("")
