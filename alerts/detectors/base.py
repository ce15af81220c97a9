"""The contract of every detector: batches of readings and the passing of time enter, findings leave.

A detector is pure: NumPy and `core` only, no input or output, no database, and no clock of its own; whoever runs it
says what time it is. So the same code runs live, in a replay and in the evaluation of recorded signals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from core.metrics import BY_CODE, BY_ID
from core.vocabulary import Severity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Phase = Literal["raised", "cleared"]


class Batch(NamedTuple):
    """One pass of readings, in any order; duplicates and late readings may be among them. All arrays have n elements.

    A negative subject is unknown and ignored, as is a time or value that is not finite.
    """

    subject: NDArray[np.int64]
    """Resident key for vitals, device key for silence."""
    metric: NDArray[np.int16]
    """Ids of `core.metrics`."""
    time: NDArray[np.float64]
    """Device time, Unix seconds."""
    value: NDArray[np.float64]
    """In the metric's unit."""


def make_batch(rows: list[tuple[int, int, float, float]]) -> Batch:
    """A batch from (subject, metric, time, value) rows."""
    table = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return Batch(
        np.array(table[0], np.int64),
        np.array(table[1], np.int16),
        np.array(table[2], np.float64),
        np.array(table[3], np.float64),
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector has seen; the alert lifecycle decides what comes of it.

    A condition is `raised` once, again if it becomes more severe, and `cleared` once when it is known to be over.
    """

    detector: str
    version: str
    subject: int
    type: str
    """A key of `core.vocabulary.ALERT_TYPES`."""
    time: float
    """Unix seconds: when the condition was met."""
    score: float
    """0-1."""
    severity: Severity
    phase: Phase
    evidence: dict[str, Any] = field(default_factory=dict)
    """Value, limit, rule, unit and so on; plain JSON types."""


class Detector(Protocol):
    """What runs inside the alerts role; `tests/contract` puts every implementation through the same checks."""

    name: str
    version: str

    def consume(self, batch: Batch) -> list[Finding]:
        """Take a pass of readings; the input arrays are left as they are."""
        ...

    def tick(self, now: float) -> list[Finding]:
        """Let time pass: durations and silence end without waiting for a message. `now` is in Unix seconds."""
        ...

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """A checkpoint: copies of everything that the next call depends on, bit for bit."""
        ...

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Go back to a checkpoint of the same version; raises BadInput if it does not fit."""
        ...


class Rows:
    """Keys enter, dense row numbers leave; new keys get new rows, so that per-key state can live in arrays."""

    def __init__(self) -> None:
        self.keys: Ints = np.empty(0, np.int64)
        self._order: Ints = np.empty(0, np.int64)
        self._sorted: Ints = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: Ints) -> Ints:
        """Row of each key, -1 where there is none."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._order[at], -1)

    def add(self, keys: Ints) -> Ints:
        """Row of each key, made where there was none, in the order of the key's value."""
        rows = self.find(keys)
        fresh = np.unique(keys[rows < 0])
        if len(fresh):
            self.load(np.concatenate([self.keys, fresh]))
            rows = self.find(keys)
        return rows

    def load(self, keys: Ints) -> None:
        """Take over the keys of a checkpoint, row 0 first."""
        self.keys = keys.astype(np.int64)
        self._order = np.argsort(self.keys, kind="stable").astype(np.int64)
        self._sorted = self.keys[self._order]


def grown(array: np.ndarray[Any, Any], rows: int, fill: float) -> np.ndarray[Any, Any]:
    """The array with at least `rows` rows, the new ones filled; doubles, so that growing is rare."""
    if len(array) >= rows:
        return array
    bigger = np.full((max(rows, 2 * len(array), 64), *array.shape[1:]), fill, array.dtype)
    bigger[: len(array)] = array
    return bigger


def checked(
    detector: str,
    keys: str,
    state: Mapping[str, np.ndarray[Any, Any]],
    fields: Mapping[str, tuple[tuple[int, ...], float, type]],
) -> dict[str, np.ndarray[Any, Any]]:
    """Copies of a checkpoint's arrays, one row per key and shaped as `fields` says; BadInput where one does not fit."""
    rows = state[keys].shape if keys in state else ()
    if len(rows) != 1 or state[keys].dtype != np.int64:
        raise BadInput(f"checkpoint of {detector} does not fit: {keys}")
    for name, (shape, _, dtype) in fields.items():
        if name not in state or state[name].shape != (*rows, *shape) or state[name].dtype != dtype:
            raise BadInput(f"checkpoint of {detector} does not fit: {name}")
    return {name: np.array(state[name]) for name in fields}


class Keyed:
    """State of a detector in arrays, one row per key; what a detector adds is its judgement."""

    name: str
    version: str
    keys: ClassVar[str] = "subject"
    fields: ClassVar[Mapping[str, tuple[tuple[int, ...], float, type]]]
    """Array name -> (shape per key, fill, dtype); together they are the checkpoint."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._s: dict[str, np.ndarray[Any, Any]] = {
            n: np.full((0, *d), fill, t) for n, (d, fill, t) in self.fields.items()
        }

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """A checkpoint: copies of everything that the next call depends on, bit for bit."""
        n = len(self._rows)
        return {self.keys: self._rows.keys.copy(), **{name: array[:n].copy() for name, array in self._s.items()}}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Go back to a checkpoint of the same version; raises BadInput if it does not fit."""
        self._s = checked(self.name, self.keys, state, self.fields)
        self._rows.load(np.array(state[self.keys]))

    def tick(self, now: float) -> list[Finding]:  # noqa: ARG002 -- the contract's; detectors of durations have their own
        """Time alone tells nothing here."""
        return []

    def _row(self, keys: Ints) -> Ints:
        """Rows of keys; new keys get filled rows."""
        before = len(self._rows)
        rows = self._rows.add(keys)
        if len(self._rows) > before:
            for name, (_, fill, _) in self.fields.items():
                self._s[name] = grown(self._s[name], len(self._rows), fill)
        return rows


class Listening(Keyed):
    """A `Keyed` that remembers when time last passed, so that time in which nobody listened does not count."""

    def __init__(self) -> None:
        super().__init__()
        self._now = -np.inf

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        return super().state() | {"now": np.array(self._now)}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        now = state.get("now", np.empty(0))
        if now.shape != () or now.dtype != np.float64:
            raise BadInput(f"checkpoint of {self.name} does not fit: now")
        super().restore(state)
        self._now = float(now)


def column_of(codes: Sequence[str]) -> Ints:
    """A table from metric id to the place of its code in `codes`, -1 for all others."""
    table = np.full(max(BY_ID) + 1, -1, np.int64)
    table[[BY_CODE[code].id for code in codes]] = np.arange(len(codes))
    return table


def of_metrics(batch: Batch, table: Ints) -> tuple[Batch, Ints]:
    """The usable readings of the metrics in a `column_of` table, with their columns."""
    known = (batch.metric >= 0) & (batch.metric < len(table))
    mine = known & (table[np.where(known, batch.metric, 0)] >= 0)
    kept = usable(Batch(batch.subject[mine], batch.metric[mine], batch.time[mine], batch.value[mine]))
    return kept, table[kept.metric]


def usable(batch: Batch) -> Batch:
    """The readings that can be judged: known subject, finite time and value."""
    keep = (batch.subject >= 0) & np.isfinite(batch.time) & np.isfinite(batch.value)
    if keep.all():
        return batch
    return Batch(batch.subject[keep], batch.metric[keep], batch.time[keep], batch.value[keep])


def rounds(slot: Ints, time: Floats, value: Floats) -> Iterator[Ints]:
    """Indices of the readings, every slot at most once per round, each slot's in the order of time.

    Equal times of a slot stand in the order of value, so that the order of arrival within a batch plays no part.
    """
    if len(slot) and slot.max() <= 16 * len(slot) and np.bincount(slot).max() == 1:
        yield np.arange(len(slot))  # the usual case, and sorting is what costs
        return
    order = np.lexsort((value, time, slot))
    first = np.ones(len(order), bool)
    first[1:] = slot[order][1:] != slot[order][:-1]
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, len(order)))
    for r in range(int(lengths.max(initial=0))):
        yield order[starts[lengths > r] + r]
