"""Effort or rest: step counts enter, who has just been walking leaves.

What is fast at rest is usual on the stairs: detectors ask here before they call a pulse or a breath too fast.
"""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from alerts.detectors.base import Batch, Bools, Floats, Ints, Keyed, column_of, of_metrics
from alerts.detectors.parameters import EFFORT_LEAD, EFFORT_REST, EFFORT_STEPS

_STEPS: Final = column_of(("steps",))
_NO_WALKS: Final = np.empty(0, np.int64), np.empty(0)


class Effort(Keyed):
    """When each resident last walked, from a counter of steps that may begin anew at any time."""

    name = "effort"
    version = "1"
    fields: ClassVar = {
        "steps": ((), np.nan, np.float64),
        "time": ((), np.nan, np.float64),
        "walked": ((), np.nan, np.float64),
    }

    def __init__(self) -> None:
        super().__init__()
        self._walks = _NO_WALKS  # of the batch that is being judged, in the order of row and time

    def note(self, batch: Batch) -> None:
        """Take the step counts of a batch in, before it is judged; `settle` afterwards.

        What is not newer than what is known is passed over.
        """
        batch, _ = of_metrics(batch, _STEPS)
        if not len(batch.subject):
            return
        row = self._row(batch.subject)
        order = np.lexsort((batch.value, batch.time, row))
        row, time, value, s = row[order], batch.time[order], batch.value[order], self._s
        newer = ~(time <= s["time"][row])
        row, time, value = row[newer], time[newer], value[newer]
        first = np.ones(len(row), bool)
        first[1:] = row[1:] != row[:-1]
        before = np.where(first, s["time"][row], np.roll(time, 1))
        steps = np.where(first, s["steps"][row], np.roll(value, 1))
        minutes = np.maximum(time - before, 60.0) / 60
        walking = (value - steps) / minutes >= EFFORT_STEPS.value
        s["time"][row], s["steps"][row] = time, value  # in the order of time: the newest stays
        self._walks = row[walking], time[walking]

    def settle(self) -> None:
        """The batch is judged: of its walks only each person's last is remembered."""
        np.fmax.at(self._s["walked"], *self._walks)
        self._walks = _NO_WALKS

    def active(self, subjects: Ints, time: Floats) -> Bools:
        """Whether each subject had just been walking at that time; no where nothing is known."""
        if not len(self._rows):
            return np.zeros(len(subjects), bool)
        row = self._rows.find(subjects)
        known = np.maximum(row, 0)
        active: Bools = _near(time - self._s["walked"][known])
        walker, walked = self._walks
        if len(walker):
            mine = np.isin(known, walker)
            for i in np.flatnonzero(mine & ~active):
                begin, end = np.searchsorted(walker, (known[i], known[i] + 1))
                active[i] = _near(time[i] - walked[begin:end]).any()
        return active & (row >= 0)


def _near(since: Floats) -> Bools:
    return (since >= -EFFORT_LEAD.value) & (since <= EFFORT_REST.value)
