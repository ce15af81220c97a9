"""Counts and times of each lane enter, Prometheus series leave.

At every moment: received = stored + duplicate + rejected + in flight (items: a reading, event, window, status,
answer or rejection).
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ingest.interpret import Interpreted
from ingest.persist import Counts
from ingest.persist_foreign import unmapped_in


class IngestMetrics:
    """The series of one process; make it once per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        lane = ["lane"]
        self.messages = Counter("anhu_ingest_messages_total", "MQTT messages taken up", lane, registry=registry)
        self.ignored = Counter(
            "anhu_ingest_ignored_total", "Messages without effect on purpose: retained events", lane, registry=registry
        )
        self.received = Counter("anhu_ingest_received_total", "Items decoded", lane, registry=registry)
        self.stored = Counter("anhu_ingest_stored_total", "Items stored", lane, registry=registry)
        self.duplicate = Counter("anhu_ingest_duplicate_total", "Items stored before", lane, registry=registry)
        self.rejected = Counter("anhu_ingest_rejected_total", "Items rejected", lane, registry=registry)
        self.in_flight = Gauge("anhu_ingest_in_flight", "Items decoded, not yet committed", lane, registry=registry)
        self.reasons = Counter("anhu_ingest_rejections_total", "Rejections by reason", ["reason"], registry=registry)
        self.waiting = Gauge("anhu_ingest_queue_messages", "Messages waiting in memory", lane, registry=registry)
        self.lag = Gauge(
            "anhu_ingest_lag_seconds", "Age of the oldest message that is not committed", lane, registry=registry
        )
        self.connected = Gauge("anhu_ingest_broker_connected", "1 while connected", lane, registry=registry)
        self.away = Counter(
            "anhu_ingest_database_away_total", "Commits that had to wait for the database", lane, registry=registry
        )
        self.batch_size = Histogram(
            "anhu_ingest_batch_messages", "Messages a batch", lane, registry=registry,
            buckets=(1, 3, 10, 30, 100, 300, 1000, 3000),
        )  # fmt: skip
        self.commit = Histogram(
            "anhu_ingest_commit_seconds", "Time to commit a batch or latest values", lane, registry=registry,
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
        )  # fmt: skip

        self.read = Histogram(
            "anhu_ingest_read_seconds", "Time to decode and check a batch", lane, registry=registry,
            buckets=(0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1),
        )  # fmt: skip

    def lane(self, name: str) -> LaneMetrics:
        """The series of one lane."""
        return LaneMetrics(self, name)


class LaneMetrics:
    """The series of one lane, with the identity kept."""

    def __init__(self, parent: IngestMetrics, lane: str) -> None:
        self.name = lane
        self._reasons = parent.reasons
        self._messages = parent.messages.labels(lane)
        self._ignored = parent.ignored.labels(lane)
        self._received = parent.received.labels(lane)
        self._stored = parent.stored.labels(lane)
        self._duplicate = parent.duplicate.labels(lane)
        self._rejected = parent.rejected.labels(lane)
        self._in_flight = parent.in_flight.labels(lane)
        self._batch_size = parent.batch_size.labels(lane)
        self.waiting = parent.waiting.labels(lane)
        self.lag = parent.lag.labels(lane)
        self._connected = parent.connected
        self._lane = lane
        self.database_away = parent.away.labels(lane)
        self.read_seconds = parent.read.labels(lane)
        self.commit_seconds = parent.commit.labels(lane)

    @property
    def connected(self) -> Gauge:
        """Exported from the first use: a lane that hears no broker has no such figure."""
        return self._connected.labels(self._lane)

    def received(self, items: int, messages: int) -> None:
        """A batch was decoded."""
        self._messages.inc(messages)
        self._received.inc(items)
        self._in_flight.inc(items)
        self._batch_size.observe(messages)

    def settled(self, counts: Counts, items: int, singles: Sequence[Interpreted]) -> None:
        """A batch was committed. singles: those of its messages that may hold rejections, or nothing at all."""
        self._stored.inc(counts.stored)
        self._duplicate.inc(counts.duplicate)
        self._rejected.inc(counts.rejected)
        self._in_flight.dec(items)
        self._ignored.inc(sum(not one.items for one in singles))
        for one in singles:
            for rejection in one.rejections:
                self._reasons.labels(rejection.reason).inc()
        for reason, number in unmapped_in(singles).items():
            self._reasons.labels(reason).inc(number)

    def abandoned(self, items: int) -> None:
        """The process stops before the database came back; the broker keeps the messages."""
        self._in_flight.dec(items)
