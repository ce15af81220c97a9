"""A sign of life is noted at most every few seconds, with the newest sample."""

from __future__ import annotations

from uuid import UUID

import numpy as np

from devices.registry import DeviceEntry
from ingest.columns import NO_READINGS, CleanReadings
from ingest.seen import SEEN_EVERY_SECONDS, SeenBook


def entry(key: int) -> DeviceEntry:
    return DeviceEntry(key, UUID(int=1), "home", f"d{key}", "wristband", 900, "")


def clean(*said: tuple[int, float]) -> CleanReadings:
    return CleanReadings(
        [entry(key) for key, _ in said],
        np.array([t for _, t in said]),
        NO_READINGS.device_key,
        NO_READINGS.metric,
        NO_READINGS.time,
        NO_READINGS.value,
    )


def test_each_device_once_with_its_newest_sample_sorted_by_key() -> None:
    due = SeenBook().due(clean((5, 10.0), (2, 11.0), (5, 12.0), (5, 9.0)), [(entry(2), 13.0), (entry(1), 1.0)], 100.0)
    assert {key: sample for key, (_, sample) in due.items()} == {1: 1.0, 2: 13.0, 5: 12.0}
    assert list(due) == [1, 2, 5]


def test_not_again_before_its_time() -> None:
    book = SeenBook()
    book.remember(list(book.due(clean((5, 10.0)), [(entry(7), 10.0)], 100.0)), 100.0)
    soon = 100.0 + SEEN_EVERY_SECONDS - 0.1
    assert book.due(clean((5, 10.0), (6, 10.0)), [(entry(7), 10.0)], soon).keys() == {6}
    assert book.due(clean((5, 10.0)), [(entry(7), 10.0)], 100.0 + SEEN_EVERY_SECONDS).keys() == {5, 7}


def test_what_was_not_committed_is_due_still() -> None:
    book = SeenBook()
    book.due(clean((5, 10.0)), [], 100.0)
    assert book.due(clean((5, 10.0)), [], 100.1).keys() == {5}
    book.remember([5], 100.1)
    book.clear()
    assert book.due(clean((5, 10.0)), [], 100.2).keys() == {5}
