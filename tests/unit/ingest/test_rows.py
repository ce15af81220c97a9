"""Rows leave sorted, each key once, and the newest of each key; a slow twin says which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.readings import Reading
from ingest.columns import NO_READINGS
from ingest.rows import Rows, newest_of, sorted_rows

readings = st.lists(
    st.builds(
        Reading,
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(0, 5).map(lambda k: 1_764_000_000.0 + k / 2),
        st.floats(0, 100),
        st.integers(0, 1),
    ),
    max_size=30,
)


def listed(rows: Rows) -> list[tuple[int, int, float, float, int]]:
    c = rows.columns
    columns = (c.device_key.tolist(), c.metric.tolist(), c.time.tolist(), c.value.tolist(), rows.flags.tolist())
    return list(zip(*columns, strict=True))


@given(readings)
def test_sorted_by_key_and_the_first_under_a_key_stays(some: list[Reading]) -> None:
    first: dict[tuple[int, int, float], Reading] = {}
    for reading in some:
        first.setdefault((reading.device_key, reading.metric, reading.time), reading)
    rows = sorted_rows(NO_READINGS, some)
    assert listed(rows) == [(*key, one.value, one.flags) for key, one in sorted(first.items())]
    assert rows.doubled == len(some) - len(first)


@given(readings)
def test_newest_of_each_device_and_metric(some: list[Reading]) -> None:
    rows = sorted_rows(NO_READINGS, some)
    newest: dict[tuple[int, int], tuple[int, int, float, float, int]] = {}
    for row in listed(rows):
        newest[row[:2]] = row
    assert listed(rows.newest()) == list(newest.values()) if some else True


def test_two_times_that_the_database_cannot_tell_apart_are_one_key() -> None:
    t = 1_764_000_000.0
    rows = sorted_rows(NO_READINGS, [Reading(1, 1, t, 70.0), Reading(1, 1, t + 2e-7, 71.0)])
    assert (len(rows), rows.doubled) == (1, 1)


@given(st.lists(readings, min_size=1, max_size=4))
def test_newest_of_several_batches(batches: list[list[Reading]]) -> None:
    found = newest_of([sorted_rows(NO_READINGS, some) for some in batches])
    best: dict[tuple[int, int], float] = {}
    for one in (one for some in batches for one in some):
        key = (one.device_key, one.metric)
        best[key] = max(one.time, best.get(key, one.time))
    c = found.columns
    assert list(zip(c.device_key.tolist(), c.metric.tolist(), strict=True)) == sorted(best)
    assert c.time.tolist() == pytest.approx([best[key] for key in sorted(best)], abs=1e-6)
