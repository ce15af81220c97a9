"""What must not be sent, on a real database and on real brokers: bounded, counted, and no neighbour is harmed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from bench import bombs
from cli.embedded.broker import find_mosquitto
from core.clock import ManualClock
from core.errors import Misconfigured
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from devices.registry import load_directory
from ingest.batch import Message, MessageQueue
from ingest.latest import LatestWriter
from ingest.metrics import IngestMetrics
from ingest.persist import Writer
from ingest.pipeline import Lane
from tests.fixtures.world import World
from tests.unit.ingest.test_hostile import TRUE, edits, mutate


class HostileBench:
    """A lane on a test's database; whatever is sent must be acknowledged and accounted for."""

    def __init__(self, url: str, pool: Pool, clock: ManualClock) -> None:
        self.clock, self.url = clock, url
        self.acked: list[int] = []
        self.registry = CollectorRegistry()
        with service_transaction(pool) as tx:
            directory = load_directory(tx)
        self.queue = MessageQueue(clock, messages_max=1000, bytes_max=10**8)
        self.lane = Lane(
            self.queue,
            Writer(url, clock),
            directory=lambda: directory,
            refresh_directory=lambda: False,
            acknowledge=lambda messages: self.acked.extend(m.mid for m in messages),
            metrics=IngestMetrics(self.registry).lane("test"),
            clock=clock,
            size_max=1000,
            linger_seconds=0,
            latest=LatestWriter(url, clock),
        )
        self._mid = 0

    def message(self, channel: str, payload: bytes) -> Message:
        self._mid += 1
        return Message(f"anhu/v1/site-a/band-a1/{channel}", payload, 1, self._mid, self.clock.time(), 1)

    def send(self, messages: list[Message]) -> None:
        self.lane.process(messages, threading.Event())
        assert self.acked == [one.mid for one in messages]
        self.acked.clear()
        received, *settled, in_flight = (self.counter(name) for name in (
            "received_total", "stored_total", "duplicate_total", "rejected_total", "in_flight"))  # fmt: skip
        assert received == sum(settled)
        assert in_flight == 0

    def counter(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"anhu_ingest_{name}", {"lane": "test"} | labels) or 0.0

    def one(self, query: str) -> Any:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def hostile(
    database_url: str, world: World, make_pool_for: Callable[[DbRole], Pool], clock: ManualClock
) -> HostileBench:
    del world
    return HostileBench(database_url, make_pool_for("ingest"), clock)


def test_pain_05_every_bomb_is_filed_and_its_neighbours_land(hostile: HostileBench) -> None:
    corpus = bombs.every()
    now = hostile.clock.time()
    batch = []
    for number, (channel, payload) in enumerate(corpus):
        batch.append(hostile.message(channel, payload))
        batch.append(hostile.message("telemetry", json.dumps({"t": now - 1000 - number, "m": {"weight": 60}}).encode()))
    hostile.send(batch)
    weight = "SELECT count(*) FROM latest l JOIN readings r USING (device_key, metric) WHERE l.value = 60"
    assert hostile.one(weight) == len(corpus)
    assert hostile.one("SELECT count(*) FROM rejections") >= len(corpus) - 5, "a few are harmless to us"
    assert hostile.one("SELECT max(octet_length(payload)) FROM rejections") <= 2048


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(TRUE)), edits)
        | st.tuples(
            st.sampled_from(["telemetry", "motion", "event", "status", "command/ack"]), st.binary(max_size=200)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_pain_07_whatever_is_sent_is_stored_or_rejected(hostile: HostileBench, sent: list[tuple[str, Any]]) -> None:
    batch = []
    for name, what in sent:
        channel, payload = (name, what) if isinstance(what, bytes) else (TRUE[name][0], mutate(TRUE[name][1], what))
        batch.append(hostile.message(channel, payload))
    before = hostile.counter("received_total")
    hostile.send(batch)
    assert hostile.counter("received_total") - before >= len(batch), "each comes to something"


@pytest.mark.parametrize("broker", ["rumqttd", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_pain_07_hostile_input_is_counted_bounded_and_harms_no_neighbour(broker: str) -> None:
    if broker == "mosquitto":
        try:
            find_mosquitto()
        except Misconfigured as error:
            pytest.skip(str(error))
    command = [sys.executable, "-m", "cli", "bench", "hostile", "--scale", "0.05", "--seconds", "1", "--json"]
    done = subprocess.run([*command, "--broker", broker], capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    told = json.dumps(figures)
    assert figures["identity_holds"], told
    assert figures["neighbour_missing"] == 0, told
    assert figures["rss_mib_max"] - figures["rss_mib_start"] < 150, told
    assert figures["topics_refused_by_broker"] >= 1, told
    for phase in figures["phases"]:
        assert phase["messages"] >= phase["acknowledged"], told
        assert phase["neighbour"]["event_ms"].get("p50", 0) < 3000, told
    strangers = next(phase for phase in figures["phases"] if "unknown" in phase["phase"])
    assert strangers["rejected"] == strangers["acknowledged"] == 500, told
