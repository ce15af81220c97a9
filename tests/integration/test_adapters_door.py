"""Vendors' clouds: a signed batch is taken in once, and ingest stores it by the same way as MQTT."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client import CollectorRegistry

from api.ingest_door.schemas import MESSAGES_MAX
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from devices import ingest_keys
from devices.ingest_keys import REPLAY_SECONDS, IngestKey, sign
from devices.registry import load_directory
from ingest.inbox import Inbox
from ingest.metrics import IngestMetrics
from ingest.persist import Writer
from tests.integration.conftest import DEVICE_KEY, Api


class Door:
    """A vendor with a key of institution a, and the ingester's side of the inbox."""

    def __init__(self, api: Api, url: str, make_pool_for: Callable[[DbRole], Pool]) -> None:
        self.api, self.url = api, url
        self.admin = make_pool_for("admin")
        with service_transaction(self.admin) as tx:
            self.key: IngestKey = ingest_keys.add_key(
                tx, api.clock, device_key=DEVICE_KEY, institution=api.world.a.institution_id, name="vendor"
            )
        with service_transaction(make_pool_for("ingest")) as tx:
            self.directory = load_directory(tx)
        self.registry = CollectorRegistry()
        self.inbox = self.make_inbox(self.registry)

    def make_inbox(self, registry: CollectorRegistry) -> Inbox:
        return Inbox(
            Writer(self.url, self.api.clock),
            directory=lambda: self.directory,
            refresh_directory=lambda: False,
            metrics=IngestMetrics(registry).lane("inbox"),
        )

    def post(self, content: Any, *, site: str = "site-a", **headers: str | bytes) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        signed: dict[str, str | bytes] = {"X-Anhu-Key": self.key.id, "X-Anhu-Signature": self.sign(body)}
        signed["Content-Type"] = "application/json"
        return self.api.anonymous.post(f"/api/v1/ingest/{site}", content=body, headers=signed | headers)

    def sign(self, body: bytes, age: int = 0) -> str:
        return sign(self.key.secret, int(self.api.clock.time()) - age, body)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query, parameters).fetchall()


@pytest.fixture
def door(api: Api, database_url: str, make_pool_for: Callable[[DbRole], Pool]) -> Door:
    return Door(api, database_url, make_pool_for)


def batch(now: float, value: float = 72) -> dict[str, Any]:
    return {
        "messages": [
            {"device": "band-a1", "channel": "telemetry", "payload": {"t": now, "m": {"heart_rate": value}}},
            {"device": "band-a1", "channel": "event", "payload": {"id": f"p{value}", "t": now, "type": "sos"}},
            {"device": "band-a2", "channel": "telemetry", "payload": [{"n": "spo2", "v": 97, "t": now}]},
            {"device": "nobody", "channel": "telemetry", "payload": {"m": {"heart_rate": 70}}},
        ]
    }


def test_a_signed_batch_is_stored_as_if_by_mqtt(door: Door) -> None:
    answer = door.post(batch(door.api.clock.time()))
    assert (answer.status_code, answer.json()) == (202, {"messages": 4, "duplicate": False})
    assert door.rows("SELECT count(*) FROM ingest_inbox") == [(4,)]
    assert door.inbox.work() == 4
    assert door.rows("SELECT count(*) FROM ingest_inbox") == [(0,)]
    assert door.rows("SELECT value FROM readings ORDER BY value") == [(72.0,), (97.0,)]
    assert door.rows("SELECT event_id, type FROM events") == [("p72", "sos")]
    assert door.rows("SELECT reason, device FROM rejections") == [("unknown_device", "nobody")]
    assert door.rows("SELECT last_used_at FROM ingest_keys") == [(door.api.clock.now(),)]
    assert door.registry.get_sample_value("anhu_ingest_received_total", {"lane": "inbox"}) == 4


def test_a_request_sent_again_is_answered_and_not_doubled(door: Door) -> None:
    body = json.dumps(batch(door.api.clock.time())).encode()
    first, again = (door.post(body, **{"Idempotency-Key": "r-1"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {"messages": 4, "duplicate": True}
    door.api.clock.advance(60)
    late = door.post(body, **{"Idempotency-Key": "r-1"})
    assert late.status_code == 200
    other = door.post(batch(door.api.clock.time(), 80), **{"Idempotency-Key": "r-1"})
    assert other.status_code == 409
    assert door.rows("SELECT count(*) FROM ingest_inbox") == [(4,)]


def test_without_a_name_the_signature_tells_a_replay(door: Door) -> None:
    body = json.dumps(batch(door.api.clock.time())).encode()
    signature = door.sign(body)
    assert door.post(body, **{"X-Anhu-Signature": signature}).status_code == 202
    assert door.post(body, **{"X-Anhu-Signature": signature}).status_code == 200
    assert door.rows("SELECT count(*) FROM ingest_inbox") == [(4,)]


def test_what_is_not_rightly_signed_is_refused_alike(door: Door) -> None:
    body = json.dumps(batch(door.api.clock.time())).encode()
    wrong = {
        "body": door.post(body + b" ", **{"X-Anhu-Signature": door.sign(body)}),
        "old": door.post(body, **{"X-Anhu-Signature": door.sign(body, REPLAY_SECONDS + 1)}),
        "future": door.post(body, **{"X-Anhu-Signature": door.sign(body, -REPLAY_SECONDS - 1)}),
        "key": door.post(body, **{"X-Anhu-Key": "a" * 16}),
        "site": door.post(body, site="site-b"),
        "nowhere": door.post(body, site="nowhere"),
        "rubbish": door.post(body, **{"X-Anhu-Signature": "t=,v1="}),
        "unicode": door.post(body, **{"X-Anhu-Signature": "t=²,v1=²".encode("latin-1")}),
    }
    assert {name: answer.status_code for name, answer in wrong.items()} == dict.fromkeys(wrong, 401)
    assert {answer.json()["detail"] for answer in wrong.values()} == {"the key or the signature is not right"}
    assert door.rows("SELECT count(*) FROM ingest_inbox") == [(0,)]
    just_right = door.post(body, **{"X-Anhu-Signature": f"{door.sign(body, REPLAY_SECONDS)},v1=00"})
    assert just_right.status_code == 202


def test_a_revoked_key_opens_nothing(door: Door) -> None:
    with service_transaction(door.admin) as tx:
        ingest_keys.revoke_key(tx, door.api.clock, institution=door.api.world.a.institution_id, key_id=door.key.id)
    assert door.post(batch(door.api.clock.time())).status_code == 401


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", b'{"messages": []}', b'{"messages": [{"device": "a/b", "channel": "event", "payload": {}}]}',
        b'{"messages": [{"device": "a", "channel": "command", "payload": {}}]}',
        b'{"messages": [{"device": "a", "channel": "event", "payload": "x"}]}',
        b'{"messages": [{"device": "a", "channel": "event", "payload": {}}], "more": 1}',
    ],
)  # fmt: skip
def test_a_body_that_is_none_is_told_where(door: Door, content: bytes) -> None:
    answer = door.post(content)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/body")


def test_batches_are_bounded(door: Door) -> None:
    one = {"device": "band-a1", "channel": "telemetry", "payload": {"m": {"spo2": 97}}}
    assert door.post({"messages": [one] * (MESSAGES_MAX + 1)}).status_code == 422
    assert door.post({"messages": [one] * MESSAGES_MAX}).status_code == 202


def test_a_message_the_database_refuses_is_set_aside_and_its_neighbours_land(door: Door) -> None:
    with psycopg.connect(door.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE readings ADD CONSTRAINT no_66 CHECK (value <> 66)")
    now = door.api.clock.time()
    told = [
        {"device": "band-a1", "channel": "telemetry", "payload": {"t": now - k, "m": {"heart_rate": 60 + k}}}
        for k in range(12)
    ]
    assert door.post({"messages": told}).status_code == 202
    while door.inbox.work():
        pass
    assert door.rows("SELECT count(*) FROM readings") == [(11,)]
    assert door.rows("SELECT reason, institution_id FROM rejections") == [
        ("not_storable", door.api.world.a.institution_id)
    ]


def test_two_replicas_share_the_inbox_and_store_each_message_once(door: Door) -> None:
    now = door.api.clock.time()
    told = [
        {"device": "band-a1", "channel": "telemetry", "payload": {"t": now - k, "m": {"heart_rate": 70}}}
        for k in range(400)
    ]
    assert door.post({"messages": told}).status_code == 202
    stop, due = threading.Event(), threading.Event()
    due.set()
    other = door.make_inbox(CollectorRegistry())
    workers = [threading.Thread(target=one.run, args=(due, stop)) for one in (door.inbox, other)]
    for worker in workers:
        worker.start()
    for _ in range(200):
        if door.rows("SELECT count(*) FROM ingest_inbox") == [(0,)]:
            break
        threading.Event().wait(0.05)
    stop.set()
    due.set()
    for worker in workers:
        worker.join(10)
    assert door.rows("SELECT count(*) FROM readings") == [(400,)]


def test_the_api_role_can_neither_read_keys_of_others_nor_empty_the_inbox(
    door: Door, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    door.post(batch(door.api.clock.time()))
    with make_pool_for("api").connection() as connection:
        assert connection.execute("SELECT count(*) AS n FROM ingest_keys").fetchone() == {"n": 0}
        assert connection.execute("SELECT count(*) AS n FROM ingest_inbox").fetchone() == {"n": 0}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM ingest_inbox")
