"""A batch of messages and the device registry enter; readings of the flawless ones leave as columns, the rest as is.

The fast twin of `ingest.interpret`: for telemetry without any flaw both come to the same readings, here without an
object for each value. A message with anything unusual about it (a value out of range, a strange clock, another
channel, a device that is not known) is left to the twin, which can say what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.errors import Rejected
from core.limits import (
    CLOCK_FUTURE_SECONDS,
    CLOCK_PAST_SECONDS,
    INSTANTS_PER_MESSAGE_MAX,
    METRICS_PER_INSTANT_MAX,
    MILLISECONDS_ABOVE,
    PAYLOAD_BYTES_MAX,
)
from core.metrics import METRICS
from devices.registry import DeviceEntry, Directory
from ingest.batch import Message
from ingest.decode import TELEMETRY
from ingest.replayed import ReplayBook
from ingest.topics import parse_topic

_UNKNOWN = 0
"""Stands for every code that is no metric; its range is empty."""


class _Ids(dict[str, int]):
    def __missing__(self, code: str) -> int:
        return _UNKNOWN


_IDS = _Ids({metric.code: metric.id for metric in METRICS})
_LOW = np.full(max(metric.id for metric in METRICS) + 1, np.inf)
_HIGH = np.full(len(_LOW), -np.inf)
for _metric in METRICS:
    _LOW[_metric.id], _HIGH[_metric.id] = _metric.low, _metric.high


@dataclass(frozen=True, slots=True, eq=False)
class CleanReadings:
    """Readings of m flawless messages as columns of equal length n; none carries a flag."""

    entries: list[DeviceEntry]
    """The device of each message, m of them."""
    newest: NDArray[np.float64]
    """The newest time of each message, shape (m,)."""
    device_key: NDArray[np.int32]
    metric: NDArray[np.int16]
    time: NDArray[np.float64]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.metric)


NO_READINGS = CleanReadings(
    [], np.empty(0), np.empty(0, np.int32), np.empty(0, np.int16), np.empty(0), np.empty(0)
)  # fmt: skip


class ColumnReader:
    """Reads batches; remembers the device of each telemetry topic as long as the registry stays the same."""

    def __init__(self) -> None:
        self._directory: Directory | None = None
        self._entries: dict[str, DeviceEntry] = {}
        self._book = ReplayBook()
        self.replayed: set[int] = set()
        """`id` of the messages of the last batch that say again what was said before; they are among the rest."""

    def read(self, messages: Sequence[Message], directory: Directory) -> tuple[CleanReadings, list[Message]]:
        """The readings of the flawless messages, and the other messages in their order."""
        if directory is not self._directory:
            self._directory, self._entries = directory, {}
        raw = _Raw(self._book)
        rest: list[Message] = []
        for message in messages:
            entry = self._entries.get(message.topic) or self._find(message.topic, directory)
            if entry is None or message.retain or not raw.add(message, entry):
                rest.append(message)
        self.replayed = raw.replayed
        if not raw.messages:
            return NO_READINGS, rest
        readings, flawed = raw.columns()
        if flawed:
            # Rare: put them among the rest in the order in which they came.
            left = set(map(id, rest)) | set(map(id, flawed))
            rest = [message for message in messages if id(message) in left]
        return readings, rest

    def _find(self, topic: str, directory: Directory) -> DeviceEntry | None:
        """Only topics of known devices are remembered, so that strangers cannot fill the memory."""
        try:
            site, device, channel = parse_topic(topic)[:3]
        except Rejected:
            return None
        entry = directory.lookup(site, device) if channel == "telemetry" else None
        if entry is not None:
            self._entries[topic] = entry
        return entry


class _Raw:
    """What messages said, end to end: per message, per instant, per value."""

    def __init__(self, book: ReplayBook) -> None:
        self._book = book
        self.replayed: set[int] = set()
        self.messages: list[Message] = []
        self._entries: list[DeviceEntry] = []
        self._instants: list[int] = []
        self._times: list[float | None] = []
        self._sizes: list[int] = []
        self._codes: list[str] = []
        self._values: list[float] = []

    def add(self, message: Message, entry: DeviceEntry) -> bool:
        """Decode a message and take it in; False when it is not plain telemetry."""
        if len(message.payload) > PAYLOAD_BYTES_MAX:
            return False
        try:
            document = TELEMETRY.decode(message.payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if document.s is None:
            if not document.m:
                return False
            if self._book.repeats(entry.key, document.seq, document.t, document.m):
                self.replayed.add(id(message))
                return False
            self._times.append(document.t)
            self._sizes.append(len(document.m))
            self._codes.extend(document.m)
            self._values.extend(document.m.values())
            self._instants.append(1)
        else:
            if not 0 < len(document.s) <= INSTANTS_PER_MESSAGE_MAX:
                return False
            for moment in document.s:
                self._times.append(moment.t)
                self._sizes.append(len(moment.m))
                self._codes.extend(moment.m)
                self._values.extend(moment.m.values())
            self._instants.append(len(document.s))
        self.messages.append(message)
        self._entries.append(entry)
        return True

    def columns(self) -> tuple[CleanReadings, list[Message]]:
        """Check everything at once: the readings of flawless messages, and the messages with a flaw."""
        messages = self.messages
        message_of_instant = np.repeat(np.arange(len(messages)), self._instants)
        instant_of_value = np.repeat(np.arange(len(self._times)), self._sizes)
        received = np.array([message.received for message in messages])[message_of_instant]
        # A missing time becomes NaN, which lies in no window.
        time = np.array(self._times, np.float64)
        time = np.where(time > MILLISECONDS_ABOVE, time / 1000, time)
        size = np.array(self._sizes)
        instant_good = (received - CLOCK_PAST_SECONDS <= time) & (time <= received + CLOCK_FUTURE_SECONDS)
        instant_good &= (size > 0) & (size <= METRICS_PER_INSTANT_MAX)
        metric = np.fromiter(map(_IDS.__getitem__, self._codes), np.int16, len(self._codes))
        value = np.array(self._values)
        value_good = (_LOW[metric] <= value) & (value <= _HIGH[metric])
        message_of_value = message_of_instant[instant_of_value]
        good = np.ones(len(messages), bool)
        good[message_of_instant[~instant_good]] = False
        good[message_of_value[~value_good]] = False
        keys = np.array([entry.key for entry in self._entries], np.int32)
        newest = np.maximum.reduceat(time, _starts(self._instants))
        kept = good[message_of_value]
        every = bool(good.all())
        readings = CleanReadings(
            self._entries if every else [entry for entry, yes in zip(self._entries, good, strict=True) if yes],
            newest[good],
            keys[message_of_value[kept]],
            metric[kept],
            time[instant_of_value[kept]],
            value[kept],
        )
        return readings, [] if every else [message for message, yes in zip(messages, good, strict=True) if not yes]


def _starts(sizes: list[int]) -> NDArray[Any]:
    """Where each run of consecutive elements begins; no size is 0."""
    return np.concatenate([[0], np.cumsum(sizes)[:-1]])
