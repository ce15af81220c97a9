"""A lane that reads ahead keeps one order, and acknowledges nothing past a batch that was given up."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from core.clock import ManualClock
from core.errors import Unavailable
from devices.registry import DeviceEntry, Directory
from ingest.batch import Message, MessageQueue
from ingest.columns import NO_READINGS, CleanReadings
from ingest.interpret import Interpreted
from ingest.metrics import IngestMetrics
from ingest.persist import Counts, Writer
from ingest.pipeline import Lane

HERE = UUID(int=1)
DIRECTORY = Directory(
    {"home": HERE}, {("home", "band"): DeviceEntry(7, HERE, "home", "band", "wristband", 900, "")}, frozenset({"band"})
)


class Recorder(Writer):
    """Stands in for the database alone: it is away while `away` is set, and remembers what it was given."""

    def __init__(self) -> None:
        self.away = threading.Event()
        self.tried = threading.Event()
        self.values: list[float] = []

    def write(
        self, batch: Sequence[Interpreted], clean: CleanReadings = NO_READINGS, *, leave_latest: bool = False
    ) -> Counts:
        del leave_latest
        self.tried.set()
        if self.away.is_set():
            raise Unavailable("away")
        self.values += clean.value.tolist()
        return Counts(stored=len(clean) + sum(one.items for one in batch))

    def close(self) -> None:
        pass


class Rig:
    """A lane with a queue, a recorder and what was acknowledged."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.queue = MessageQueue(self.clock, messages_max=10_000, bytes_max=10**8)
        self.writer = Recorder()
        self.acked: list[int] = []
        self.registry = CollectorRegistry()
        self.registry_away = threading.Event()
        self.stop = threading.Event()
        self.lane = Lane(
            self.queue,
            self.writer,
            directory=lambda: DIRECTORY,
            refresh_directory=self._refresh,
            acknowledge=lambda messages: self.acked.extend(m.mid for m in messages),
            metrics=IngestMetrics(self.registry).lane("test"),
            clock=self.clock,
            size_max=10,
            linger_seconds=0,
        )
        self.thread = threading.Thread(target=self.lane.run_overlapped, args=(self.stop,))

    def _refresh(self) -> bool:
        if self.registry_away.is_set():
            raise Unavailable("away")
        return False

    def say(self, mid: int, device: str = "band") -> None:
        payload = json.dumps({"t": self.clock.time(), "m": {"steps": mid}}).encode()
        self.queue.put(Message(f"anhu/v1/home/{device}/telemetry", payload, 1, mid, self.clock.time(), 1))

    def until(self, acked: int) -> None:
        for _ in range(500):
            if len(self.acked) >= acked:
                return
            threading.Event().wait(0.01)
        raise AssertionError(f"{len(self.acked)} of {acked} were acknowledged")

    def counter(self, name: str) -> float:
        return self.registry.get_sample_value(f"anhu_ingest_{name}", {"lane": "test"}) or 0.0


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_commits_and_acknowledgements_keep_the_order(rig: Rig) -> None:
    for mid in range(1, 501):
        rig.say(mid)
    rig.thread.start()
    rig.until(500)
    rig.stop.set()
    rig.thread.join(5)
    assert rig.acked == list(range(1, 501))
    assert rig.writer.values == [float(mid) for mid in rig.acked]
    assert (rig.counter("received_total"), rig.counter("in_flight")) == (500, 0)


def test_nothing_is_acknowledged_past_a_batch_that_was_given_up(rig: Rig) -> None:
    rig.writer.away.set()
    for mid in range(1, 41):
        rig.say(mid)
    rig.thread.start()
    assert rig.writer.tried.wait(5)
    rig.stop.set()
    rig.writer.away.clear()
    rig.thread.join(5)
    assert rig.acked == list(range(1, len(rig.acked) + 1)), "a prefix, or nothing"


def test_a_stranger_is_judged_only_when_the_registry_can_be_asked(rig: Rig) -> None:
    rig.registry_away.set()
    rig.say(1, device="newcomer")
    rig.thread.start()
    threading.Event().wait(0.3)
    assert rig.acked == []
    assert rig.counter("received_total") == 0
    rig.registry_away.clear()
    rig.until(1)
    rig.stop.set()
    rig.thread.join(5)
    assert rig.counter("received_total") == rig.counter("stored_total") == 1


def test_the_lag_is_the_age_of_the_oldest_message_without_acknowledgement(rig: Rig) -> None:
    """It grows while the database is away, whatever still comes, and ends with the acknowledgement."""
    assert rig.lane.lag_seconds() == 0
    rig.say(1)
    rig.clock.advance(3)
    assert rig.lane.lag_seconds() == 3, "waiting in memory"
    rig.writer.away.set()
    rig.thread.start()
    assert rig.writer.tried.wait(5)
    rig.clock.advance(4)
    rig.say(2)
    assert rig.lane.lag_seconds() == 7, "taken, not committed"
    rig.writer.away.clear()
    rig.until(2)
    rig.stop.set()
    rig.thread.join(5)
    assert rig.lane.lag_seconds() == 0
