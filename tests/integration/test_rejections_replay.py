"""A refused message is tried again after its cause was mended, once, under the time it was first received."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from core.clock import ManualClock
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from devices.registry import load_directory
from ingest.batch import Message
from ingest.inbox import Inbox
from ingest.metrics import IngestMetrics
from ingest.persist import Writer
from tests.integration.conftest import Api
from tests.integration.test_ingest_writer import Bench

Pools = Callable[[DbRole], Pool]


class Mending:
    """Ingest on one side, the administrator on the other."""

    def __init__(self, api: Api, bench: Bench, pool: Pool) -> None:
        self.api, self.bench, self._pool = api, bench, pool
        self.admin = api.as_user("admin")

    def refuse(self, payload: Any, channel: str = "telemetry", device: str = "late-1") -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        now = self.bench.clock.time()
        self.bench.send(Message(f"anhu/v1/site-a/{device}/{channel}", raw, 1, 1, now, 1))

    def register(self, device: str = "late-1") -> None:
        answer = self.admin.post("/api/v1/devices", json={"id": device, "kind": "wristband"})
        assert answer.status_code == 201, answer.text

    def replay(self, user: str = "admin", **body: Any) -> int:
        answer = self.api.as_user(user).post("/api/v1/rejections/replay", json=body)
        assert answer.status_code == 202, answer.text
        return int(answer.json()["replayed"])

    def take(self) -> None:
        with service_transaction(self._pool) as tx:
            directory = load_directory(tx)
        writer = Writer(self.bench.url, self.bench.clock)
        inbox = Inbox(
            writer,
            directory=lambda: directory,
            refresh_directory=lambda: False,
            metrics=IngestMetrics(CollectorRegistry()).lane("inbox"),
        )
        while inbox.work():
            pass
        writer.close()


@pytest.fixture
def mending(api: Api, database_url: str, make_pool_for: Pools, clock: ManualClock) -> Mending:
    return Mending(api, Bench(database_url, make_pool_for("ingest"), clock), make_pool_for("ingest"))


def test_what_a_stranger_said_lands_once_it_is_registered(mending: Mending) -> None:
    began = mending.bench.clock.time()
    mending.refuse({"m": {"heart_rate": 72}})
    mending.refuse({"t": began - 60, "m": {"spo2": 97}})
    assert mending.bench.rows("SELECT reason, count(*) FROM rejections GROUP BY 1") == [("unknown_device", 2)]
    mending.register()
    mending.bench.clock.advance(3600)
    assert mending.replay(reason="unknown_device", device="late-1") == 2
    mending.take()
    times = mending.bench.rows("SELECT metric, round(extract(epoch FROM time)) FROM readings ORDER BY metric")
    assert times == [(1, round(began)), (2, round(began - 60))], "the time is that of the first receipt"
    assert mending.replay() == 0, "each message is tried again once"
    assert mending.bench.rows("SELECT count(*) FROM ingest_inbox") == [(0,)]


def test_what_fails_again_is_a_new_rejection(mending: Mending) -> None:
    mending.refuse(b"{broken", device="band-a1")
    assert mending.replay() == 1
    mending.take()
    shown = mending.admin.get("/api/v1/rejections").json()["items"]
    assert [(one["reason"], one["replayed_at"] is None) for one in shown] == [("not_json", True), ("not_json", False)]


def test_a_clipped_message_is_not_tried_again_and_shows_it(mending: Mending) -> None:
    mending.refuse(b"[" + b" " * 5000, device="band-a1")
    assert mending.replay() == 0
    assert [one["clipped"] for one in mending.admin.get("/api/v1/rejections").json()["items"]] == [True]


def test_an_old_press_is_tried_again_only_when_asked_for(mending: Mending) -> None:
    mending.refuse({"id": "p", "t": mending.bench.clock.time(), "type": "sos"}, "event")
    mending.register()
    assert mending.replay() == 0
    assert mending.replay(events=True) == 1
    mending.take()
    assert mending.bench.rows("SELECT event_id, type FROM events") == [("p", "sos")]


def test_another_institution_replays_nothing_of_ours(mending: Mending) -> None:
    mending.refuse({"m": {"heart_rate": 72}})
    [(number,)] = mending.bench.rows("SELECT id FROM rejections")
    answer = mending.api.as_user("admin", mending.api.world.b).post("/api/v1/rejections/replay", json={"ids": [number]})
    assert answer.json() == {"replayed": 0}
