"""What one batch leaves in a real database: rows once, latest guarded, feed in order, neighbours intact."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from core.clock import ManualClock
from core.errors import Unavailable
from core.readings import Flag
from db import feed
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from devices.registry import Directory, load_directory
from ingest.batch import Message, MessageQueue
from ingest.interpret import interpret
from ingest.latest import LatestWriter
from ingest.metrics import IngestMetrics
from ingest.persist import Writer
from ingest.pipeline import Lane
from ingest.rows import Rows
from tests.fixtures.processes import until
from tests.fixtures.world import World


class Bench:
    """A lane on a test's database, fed by hand."""

    def __init__(self, url: str, pool: Pool, clock: ManualClock) -> None:
        self.clock = clock
        self.url = url
        self.acked: list[int] = []
        self.registry = CollectorRegistry()
        with service_transaction(pool) as tx:
            self.directory: Directory = load_directory(tx)
        self.writer = Writer(url, clock)
        self.lane = Lane(
            MessageQueue(clock, messages_max=100, bytes_max=10**6),
            self.writer,
            directory=lambda: self.directory,
            refresh_directory=lambda: False,
            acknowledge=lambda messages: self.acked.extend(m.mid for m in messages),
            metrics=IngestMetrics(self.registry).lane("test"),
            clock=clock,
            size_max=100,
            linger_seconds=0,
        )
        self._mid = 0

    def message(self, payload: Any, channel: str = "telemetry", device: str = "band-a1", **options: Any) -> Message:
        self._mid += 1
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        site = f"site-{device[-2]}" if device[-1].isdigit() else f"site-{device[-1]}"
        return Message(f"anhu/v1/{site}/{device}/{channel}", raw, 1, self._mid, self.clock.time(), 1, **options)

    def send(self, *messages: Message) -> None:
        self.lane.process(messages, threading.Event())

    def rows(self, query: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query, parameters).fetchall()

    def counter(self, name: str) -> float:
        return self.registry.get_sample_value(f"anhu_ingest_{name}", {"lane": "test"}) or 0.0


@pytest.fixture
def bench(database_url: str, world: World, make_pool_for: Callable[[DbRole], Pool], clock: ManualClock) -> Bench:
    del world
    return Bench(database_url, make_pool_for("ingest"), clock)


def test_pain_13_readings_land_once_however_often_they_come(bench: Bench) -> None:
    payload = {"t": bench.clock.time(), "seq": 1, "m": {"heart_rate": 72, "spo2": 97}}
    bench.send(bench.message(payload), bench.message(payload))
    bench.send(bench.message(payload))
    assert bench.rows("SELECT count(*) FROM readings") == [(2,)]
    assert bench.acked == [1, 2, 3]
    assert (bench.counter("received_total"), bench.counter("stored_total")) == (6, 2)
    assert bench.counter("duplicate_total") == 4


def test_pain_07_received_is_stored_duplicate_rejected_and_in_flight(bench: Bench) -> None:
    now = bench.clock.time()
    bench.send(
        bench.message({"t": now, "m": {"heart_rate": 72, "mood": 3}}),
        bench.message({"t": now, "m": {"heart_rate": 72}}),
        bench.message(b"rubbish"),
        bench.message({"online": True, "t": now}, "status"),
    )
    total = sum(bench.counter(f"{name}_total") for name in ("stored", "duplicate", "rejected"))
    assert bench.counter("received_total") == total + bench.counter("in_flight") == 5


def test_pain_15_older_data_never_overwrites_the_latest(bench: Bench, world: World) -> None:
    now = bench.clock.time()
    for age, value in ((10, 70), (0, 80), (20, 60)):
        bench.send(bench.message({"t": now - age, "m": {"heart_rate": value}}))
    assert bench.rows("SELECT value FROM latest WHERE device_key = %s", world.a.devices[0].key) == [(80.0,)]
    assert bench.rows("SELECT count(*) FROM readings") == [(3,)]


def test_late_readings_inside_the_week_land_in_their_place(bench: Bench) -> None:
    late = bench.clock.time() - 6.9 * 86_400
    bench.send(bench.message({"t": late, "m": {"weight": 61.5}}))
    [(time, flags)] = bench.rows("SELECT extract(epoch FROM time)::float8, flags FROM readings")
    assert (time, flags) == (pytest.approx(late, abs=1e-5), 0)


@pytest.mark.parametrize("together", [True, False])
def test_pain_19_a_cache_that_repeats_itself_under_fresh_times_is_flagged(bench: Bench, *, together: bool) -> None:
    """Same number, same values, later time; not a redelivery, a new number, new values, or a message without one."""
    now = bench.clock.time() - 100
    said = [
        {"t": now, "seq": 7, "m": {"heart_rate": 72, "spo2": 97}},
        {"t": now + 10, "seq": 7, "m": {"heart_rate": 72, "spo2": 97}},
        {"t": now + 20, "seq": 7, "m": {"heart_rate": 72, "spo2": 97}},
        {"t": now + 30, "seq": 8, "m": {"heart_rate": 72, "spo2": 97}},
        {"t": now + 30, "seq": 8, "m": {"heart_rate": 72, "spo2": 97}},
        {"t": now + 40, "seq": 8, "m": {"heart_rate": 73, "spo2": 97}},
        {"t": now + 50, "m": {"heart_rate": 73, "spo2": 97}},
        {"t": now + 60, "m": {"heart_rate": 73, "spo2": 97}},
    ]
    messages = [bench.message(one) for one in said]
    for batch in [messages] if together else [[one] for one in messages]:
        bench.send(*batch)
    flags = bench.rows("SELECT flags FROM readings WHERE metric = 1 ORDER BY time")
    assert [row[0] for row in flags] == [0, Flag.REPLAYED, Flag.REPLAYED, 0, 0, 0, 0]
    assert bench.rows("SELECT count(*) FROM rejections") == [(0,)]


def test_pain_18_redelivery_of_a_message_without_a_clock_is_known_by_its_digest(bench: Bench) -> None:
    payload = {"t": 5, "seq": 9, "m": {"heart_rate": 71}}
    bench.send(bench.message(payload))
    bench.clock.advance(3)
    bench.send(bench.message(payload))
    assert bench.rows("SELECT count(*) FROM readings") == [(1,)]
    bench.send(bench.message({"t": 5, "seq": 10, "m": {"heart_rate": 71}}))
    assert bench.rows("SELECT count(*) FROM readings") == [(2,)]


def test_events_are_stored_once_under_their_id(bench: Bench) -> None:
    press = {"id": "p1", "t": bench.clock.time(), "type": "sos"}
    bench.send(bench.message(press, "event"), bench.message(press, "event"))
    bench.send(bench.message(press | {"id": "p2"}, "event"))
    assert bench.rows("SELECT event_id, type FROM events ORDER BY event_id") == [("p1", "sos"), ("p2", "sos")]


def test_motion_windows_are_stored_once_and_fed_on(bench: Bench) -> None:
    window = {"t0": bench.clock.time(), "hz": 50, "unit": "g", "acc": [[0, 0, 1]] * 100}
    bench.send(bench.message(window, "motion"), bench.message(window, "motion"))
    assert bench.rows("SELECT hz, octet_length(counts) FROM motion_windows") == [(50.0, 600)]
    assert bench.rows("SELECT kind, rows FROM feed") == [(feed.MOTION, 1)]


def test_pain_23_status_follows_the_device_and_its_last_will(bench: Bench, world: World) -> None:
    now = bench.clock.time()

    def online() -> Any:
        return bench.rows("SELECT online, battery FROM device_status WHERE device_key = %s", world.a.devices[0].key)

    bench.send(bench.message({"online": True, "t": now, "seq": 5, "battery": 80}, "status"))
    assert online() == [(True, 80.0)]
    bench.send(bench.message({"online": False, "t": now - 3600, "seq": 1}, "status"))
    assert online() == [(False, 80.0)], "a last will was worded when the connection began"
    bench.send(bench.message({"online": True, "t": now - 10, "seq": 4}, "status"))
    assert online() == [(False, 80.0)], "pain 23: an older 'online' out of turn changes nothing"
    bench.send(bench.message({"online": True, "t": now + 1, "seq": 1}, "status"))
    assert online() == [(True, 80.0)], "after a restart its numbers begin anew, at a later time"


def test_last_seen_and_last_sample(bench: Bench, world: World) -> None:
    sample = bench.clock.time() - 30
    bench.send(bench.message({"t": sample, "m": {"heart_rate": 70}}))
    [row] = bench.rows(
        "SELECT extract(epoch FROM last_seen)::float8, extract(epoch FROM last_sample)::float8 FROM device_status"
        " WHERE device_key = %s",
        world.a.devices[0].key,
    )
    assert row == (pytest.approx(bench.clock.time(), abs=1e-3), pytest.approx(sample, abs=1e-3))


def test_rejections_keep_reason_topic_payload_and_tenant(bench: Bench, world: World) -> None:
    bench.send(bench.message(b"{broken"))
    bench.send(Message("anhu/v1/nowhere/x/telemetry", b"{}", 1, 99, bench.clock.time(), 1))
    assert bench.rows("SELECT institution_id, device, topic, payload, reason FROM rejections ORDER BY id") == [
        (world.a.institution_id, "band-a1", "anhu/v1/site-a/band-a1/telemetry", b"{broken", "not_json"),
        (None, "x", "anhu/v1/nowhere/x/telemetry", b"{}", "unknown_site"),
    ]


def test_pain_11_a_message_the_database_refuses_is_set_aside_and_its_neighbours_land(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE readings ADD CONSTRAINT no_66 CHECK (value <> 66)")
    now = bench.clock.time()
    bench.send(*(bench.message({"t": now - k, "m": {"heart_rate": 60 + k}}) for k in range(10)))
    assert bench.rows("SELECT count(*) FROM readings") == [(9,)]
    assert bench.rows("SELECT reason FROM rejections") == [("not_storable",)]
    assert len(bench.acked) == 10
    assert bench.counter("received_total") == 10


def test_pain_04_without_a_database_nothing_is_acknowledged_and_work_resumes_by_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    good_url = bench.writer._url
    bench.writer._url = "postgresql://nobody@127.0.0.1:1/none"
    bench.writer.close()
    message = bench.message({"t": bench.clock.time(), "m": {"heart_rate": 70}})
    worker = threading.Thread(target=lambda: bench.send(message))
    worker.start()
    worker.join(0.4)
    assert worker.is_alive()
    assert bench.acked == []
    assert bench.counter("in_flight") == 1
    bench.writer._url = good_url
    worker.join(15)
    assert bench.acked == [message.mid]
    assert bench.rows("SELECT count(*) FROM readings") == [(1,)]


def test_feed_numbers_follow_the_order_of_commit(
    bench: Bench, make_pool_for: Callable[[DbRole], Pool], clock: ManualClock
) -> None:
    now = clock.time()

    def write(part: int) -> None:
        writer = Writer(bench.url, clock)
        for k in range(15):
            message = bench.message({"t": now - part * 100 - k, "m": {"spo2": 96}})
            writer.write([interpret(message, bench.directory)])
        writer.close()

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    pool = make_pool_for("alerts")
    while len(seen) < 60:
        with service_transaction(pool) as tx:
            batch = feed.read_after(tx, seen[-1] if seen else 0, batches_max=7)
        seen += [row.seq for row in batch]
        assert all(isinstance(row.columns, feed.ReadingColumns) and len(row.columns) == 1 for row in batch)
    for thread in threads:
        thread.join()
    assert seen == list(range(1, 61)), "a follower that reads while others commit meets every number once, in order"


def test_another_institutions_device_id_is_not_reached(bench: Bench) -> None:
    bench.send(Message("anhu/v1/site-b/band-a1/telemetry", b'{"m":{"spo2":97}}', 1, 1, bench.clock.time(), 1))
    assert bench.rows("SELECT reason FROM rejections") == [("wrong_site",)]
    assert bench.rows("SELECT count(*) FROM readings") == [(0,)]


def test_pain_05_a_value_that_cannot_even_be_sent_is_set_aside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a character: JSON may name it, and the driver refuses to send it."""
    monkeypatch.setattr("ingest.interpret.storable", lambda text: text)
    now = bench.clock.time()
    good = [bench.message({"t": now - k, "m": {"spo2": 97}}) for k in range(3)]
    bench.send(good[0], bench.message(b'{"m":{"\\ud800":1}}'), *good[1:])
    assert bench.rows("SELECT count(*) FROM readings") == [(3,)]
    assert bench.rows("SELECT reason, device FROM rejections") == [("not_storable", "band-a1")]
    assert len(bench.acked) == 4
    assert bench.counter("received_total") == bench.counter("stored_total") + bench.counter("rejected_total") == 4


class Balky(LatestWriter):
    """Finds the database away as long as `away` is set."""

    away = threading.Event()
    tried = threading.Event()

    def write(self, some: Sequence[Rows]) -> None:
        self.tried.set()
        if self.away.is_set():
            raise Unavailable("away")
        super().write(some)


def test_pain_15_latest_values_written_beside_the_series_are_right(bench: Bench, world: World) -> None:
    now = bench.clock.time()

    def pack(end: float, value: float) -> Message:
        metrics = ("heart_rate", "spo2", "humidity", "steps", "weight")
        return bench.message({"s": [{"t": end - k, "m": dict.fromkeys(metrics, value)} for k in range(150)]})

    queue = MessageQueue(bench.clock, messages_max=100, bytes_max=10**7)
    latest = Balky(bench.url, bench.clock)
    latest.away.set()
    lane = Lane(
        queue,
        bench.writer,
        directory=lambda: bench.directory,
        refresh_directory=lambda: False,
        acknowledge=lambda messages: bench.acked.extend(m.mid for m in messages),
        metrics=IngestMetrics(CollectorRegistry()).lane("beside"),
        clock=bench.clock,
        size_max=1,
        linger_seconds=0,
        latest=latest,
    )
    sent = [pack(now, 90), pack(now - 1000, 70), pack(now - 2000, 80)]
    queue.put_many(sent)
    stop = threading.Event()
    worker = threading.Thread(target=lane.run_overlapped, args=(stop,))
    worker.start()
    try:
        until(lambda: bench.rows("SELECT count(*) FROM readings") == [(3 * 750,)], "the series")
        assert latest.tried.wait(5)
        assert bench.acked == [], "acknowledged when both are committed, not sooner"
        assert lane.lag_seconds() == 0.0, "the clock stands"
        bench.clock.advance(7)
        assert lane.lag_seconds() == pytest.approx(7)
        latest.away.clear()
        until(lambda: len(bench.acked) == 3, "the acknowledgements")
    finally:
        latest.away.clear()
        stop.set()
        worker.join()
    assert bench.acked == [one.mid for one in sent]
    assert lane.lag_seconds() == 0.0
    found = bench.rows("SELECT DISTINCT value, count(*) FROM latest WHERE device_key = %s GROUP BY value",
                       world.a.devices[0].key)  # fmt: skip
    assert found == [(90.0, 5)]


def test_every_stage_has_its_figures_and_its_batch_in_the_log(bench: Bench) -> None:
    with capture_logs() as told:
        bench.send(bench.message({"t": bench.clock.time(), "m": {"spo2": 97, "mood": 1}}))
        bench.send(bench.message(b"{"))
    rejected = [line for line in told if line["event"] == "messages were rejected"]
    assert [(line["batch"], line["rejected"], line["reasons"]) for line in rejected] == [
        ("test-1", 1, ["unknown_metric"])
    ], "the next within a second is counted, not told"
    assert bench.counter("messages_total") == bench.counter("batch_messages_sum") == 2
    for stage in ("read_seconds", "commit_seconds"):
        assert bench.counter(f"{stage}_count") == 2
        assert bench.counter(f"{stage}_sum") > 0
    for name in ("lag_seconds", "queue_messages", "in_flight"):
        assert bench.registry.get_sample_value(f"anhu_ingest_{name}", {"lane": "test"}) == 0
    reasons = {r: bench.registry.get_sample_value("anhu_ingest_rejections_total", {"reason": r})
               for r in ("unknown_metric", "not_json")}  # fmt: skip
    assert reasons == {"unknown_metric": 1, "not_json": 1}
