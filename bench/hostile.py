"""`anhu bench hostile`: everything that must not be sent enters; what became of it, and of a neighbour, leaves.

One phase after another against a real broker, `anhu run ingest` and a real database. Beside each phase a neighbour
says something ten times a second and presses its button once a second: how long until it is committed tells whether
it was harmed. Every message that the broker acknowledged must be counted by ingest, and every item of it be stored,
known already, or rejected.
"""

from __future__ import annotations

import itertools
import json
import random
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench import bombs
from bench.ingest import await_lane, load, series
from bench.messages import Stream, remaining_length
from bench.publisher import connect_packet
from bench.rig import Rig, RoleUnderTest, free_port, machine, rss_mib, rss_mib_max
from core.limits import METRICS_PER_INSTANT_MAX
from core.metrics import BY_CODE

WINDOW_MESSAGES = 200
SAY_EVERY_SECONDS = 0.1
PRESS_EVERY = 10
SETTLE_SECONDS_MAX = 60.0
SCRAPES_MAX = 50
LARGE_BYTES = 1024 * 1024 - 256
"""The broker takes packets of 1 MiB; topic and header are in it."""
LANES = ("events", "telemetry", "gateways")

Publication = tuple[str, bytes]


class Neighbour:
    """A well-behaved wristband: what it says, and when each of it was committed."""

    def __init__(self, rig: Rig, device: str, key: int) -> None:
        self._rig, self._device, self._key = rig, device, key
        self._base = rig.clock.time() - 3600
        self._said: dict[int, float] = {}
        self._pressed: dict[int, float] = {}
        self.stored: dict[int, float] = {}
        self.committed: dict[int, float] = {}
        self._stop = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"bench-neighbour-{device}")
        self._client.username_pw_set(rig.load_target.username, rig.password)
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._speak, self._watch)]

    def __enter__(self) -> Neighbour:
        self._client.connect("127.0.0.1", self._rig.broker.port)
        self._client.loop_start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _speak(self) -> None:
        topic = f"anhu/v1/{self._rig.site}/{self._device}"
        for number in itertools.count(1):
            self._said[number] = time.monotonic()
            body = {"t": self._base + number, "seq": number, "m": {"steps": number}}
            self._client.publish(f"{topic}/telemetry", json.dumps(body), qos=1)
            if number % PRESS_EVERY == 0:
                self._pressed[number] = time.monotonic()
                press = {"id": str(number), "t": self._rig.clock.time(), "type": "test"}
                self._client.publish(f"{topic}/event", json.dumps(press), qos=1)
            if self._stop.wait(SAY_EVERY_SECONDS):
                return

    def _watch(self) -> None:
        steps = BY_CODE["steps"].id
        with psycopg.connect(self._rig.database_url, autocommit=True) as connection:
            while not self._stop.is_set():
                rows = connection.execute(
                    "SELECT value::int FROM readings WHERE device_key = %s AND metric = %s AND value > %s",
                    (self._key, steps, max(self.stored, default=0)),
                ).fetchall()
                events = connection.execute(
                    "SELECT event_id::int FROM events WHERE device_key = %s AND received > now() - interval '1 minute'",
                    (self._key,),
                ).fetchall()
                now = time.monotonic()
                for (number,) in rows:
                    self.stored.setdefault(number, now)
                for (number,) in events:
                    self.committed.setdefault(number, now)
                self._stop.wait(0.01)

    def spans(self, since: float, until: float) -> dict[str, Any]:
        """Milliseconds from each saying and each press of a time to its commit; how many were never committed."""
        figures: dict[str, Any] = {}
        missing = 0
        for name, begun, ended in (
            ("telemetry_ms", self._said, self.stored),
            ("event_ms", self._pressed, self.committed),
        ):
            mine = {n: at for n, at in list(begun.items()) if since <= at < until}
            spans = [1000 * (ended[n] - at) for n, at in mine.items() if n in ended]
            missing += len(mine) - len(spans)
            figures[name] = {f"p{q}": round(float(np.percentile(spans, q)), 1) for q in (50, 99)} if spans else {}
        return figures | {"missing": missing}


def send(rig: Rig, publications: Iterable[Publication]) -> int:
    """Publish with QoS 1, `WINDOW_MESSAGES` at most unacknowledged; how many were acknowledged."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"bench-hostile-{secrets.token_hex(4)}")
    client.username_pw_set(rig.load_target.username, rig.password)
    client.max_inflight_messages_set(WINDOW_MESSAGES)
    client.max_queued_messages_set(0)
    room = threading.Semaphore(WINDOW_MESSAGES)
    acknowledged = itertools.count(1)
    done = [0]

    def note(*_: Any) -> None:
        done[0] = next(acknowledged)
        room.release()

    client.on_publish = note
    client.connect("127.0.0.1", rig.broker.port)
    client.loop_start()
    sent = 0
    for topic, payload in publications:
        room.acquire()
        client.publish(topic, payload, qos=1)
        sent += 1
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while done[0] < sent and time.monotonic() < deadline:
        time.sleep(0.02)
    client.disconnect()
    client.loop_stop()
    return done[0]


def send_raw(rig: Rig, topic: bytes, payload: bytes) -> bool:
    """One PUBLISH of QoS 1 past any client library; whether the broker acknowledged it rather than hang up."""
    with socket.create_connection(("127.0.0.1", rig.broker.port), 10) as wire:
        wire.sendall(connect_packet(rig.load_target, f"bench-raw-{secrets.token_hex(4)}"))
        if wire.recv(4) != b"\x20\x02\x00\x00":
            raise ConnectionError("the broker refused the connection itself")
        body = len(topic).to_bytes(2, "big") + topic + b"\0\1" + payload
        try:
            wire.sendall(b"\x32" + remaining_length(len(body)) + body)
            return wire.recv(4)[:2] == b"\x40\x02"
        except OSError:
            return False


def phases(rig: Rig, scale: float) -> Iterator[tuple[str, Iterable[Publication]]]:
    """Name and messages of each phase; at scale 1 what the names say."""
    dice = random.Random(7)  # noqa: S311 -- repeatable
    own = f"anhu/v1/{rig.site}/d000000"

    def times(number: int) -> range:
        return range(max(1, int(number * scale)))

    yield "5,000 broken packets", ((f"{own}/telemetry", dice.randbytes(dice.randrange(400))) for _ in times(5000))
    large = b'{"m":{"heart_rate":70}}'.ljust(LARGE_BYTES)
    yield "300 payloads of 1 MiB", ((f"{own}/telemetry", large) for _ in times(300))
    hello = b'{"m":{"heart_rate":70}}'
    yield (
        "10,000 unknown devices",
        ((f"anhu/v1/{rig.site}/stranger-{n}/telemetry", hello) for n in times(10_000)),
    )
    per = METRICS_PER_INSTANT_MAX
    yield (
        "100,000 metric names",
        (
            (f"{own}/telemetry", json.dumps({"m": {f"metric_{n}_{k}": 1 for k in range(per)}}).encode())
            for n in times(-(-100_000 // per))
        ),
    )
    corpus = [(f"{own}/{channel}", raw) for channel, raw in bombs.every()]
    yield "20 times every bomb", itertools.chain.from_iterable(corpus for _ in times(20))


def counts(port: int) -> dict[str, float]:
    """What ingest counts, over its lanes; read again while a batch was being settled between two numbers."""
    for _ in range(SCRAPES_MAX):
        found = _counts(port)
        if identity(found):
            break
    return found


def identity(found: dict[str, float]) -> bool:
    """Whether received = stored + duplicate + rejected + in flight."""
    settled = sum(found[f"{name}_total"] for name in ("stored", "duplicate", "rejected"))
    return found["received_total"] == settled + found["in_flight"]


def _counts(port: int) -> dict[str, float]:
    found = series(port)
    names = ("messages_total", "received_total", "stored_total", "duplicate_total", "rejected_total", "in_flight",
             "queue_messages")  # fmt: skip
    return {name: sum(found.get(f'anhu_ingest_{name}{{lane="{lane}"}}', 0.0) for lane in LANES) for name in names}


class Watch:
    """Ingest and a neighbour during one phase after another."""

    def __init__(self, role: RoleUnderTest, port: int, neighbour: Neighbour) -> None:
        self._role, self._port, self._neighbour = role, port, neighbour
        self.done: list[dict[str, Any]] = []

    def phase(self, name: str, work: Any) -> None:
        """Run `work`, which tells how many of its messages were acknowledged; wait until ingest has counted them."""
        assert self._role.pid is not None
        before = counts(self._port)
        since = time.monotonic()
        acknowledged = work()
        published = time.monotonic()
        while time.monotonic() - published < SETTLE_SECONDS_MAX:
            after = counts(self._port)
            if after["queue_messages"] == after["in_flight"] == 0 and (
                after["messages_total"] - before["messages_total"] >= acknowledged
            ):
                break
            time.sleep(0.1)
        until = time.monotonic()
        time.sleep(0.5)
        grown = {name.removesuffix("_total"): int(after[name] - before[name]) for name in after}
        self.done.append(
            {
                "phase": name,
                "seconds": round(until - since, 1),
                "acknowledged": acknowledged,
                **{key: grown[key] for key in ("messages", "received", "stored", "duplicate", "rejected")},
                "identity_holds": identity(before) and identity(after),
                "rss_mib": rss_mib(self._role.pid),
                "neighbour": self._neighbour.spans(since, until),
            }
        )


def run(rig: Rig, *, scale: float, flood_seconds: float) -> dict[str, Any]:
    """Every phase; the figures of each."""
    facts = machine()
    keys = rig.register(3)
    port = free_port()
    role = rig.role("ingest", ANHU_METRICS_PORT=str(port), ANHU_MQTT_CLIENT_ID="bench-hostile")
    role.start()
    await_lane(role, port)
    assert role.pid is not None
    with Neighbour(rig, "d000001", keys["d000001"]) as neighbour:
        watch = Watch(role, port, neighbour)
        watch.phase("quiet", lambda: _rest(5 * scale))
        start = rss_mib(role.pid)
        for name, publications in phases(rig, scale):
            watch.phase(name, lambda publications=publications: send(rig, publications))
        refused = sum(not send_raw(rig, topic, b"{}") for topic in bombs.topics(rig.site))
        watch.phase(f"a flood from one device, {flood_seconds:g} s", lambda: _flood(rig, flood_seconds))
        watch.phase("quiet again", lambda: _rest(5 * scale))
        total = counts(port)
        figures = {
            "phases": watch.done,
            "identity_holds": identity(total) and all(phase["identity_holds"] for phase in watch.done),
            "neighbour_missing": sum(phase["neighbour"]["missing"] for phase in watch.done),
            "topics_refused_by_broker": refused,
            "topics": len(bombs.topics(rig.site)),
            "rss_mib_start": start,
            "rss_mib_end": rss_mib(role.pid),
            "rss_mib_max": rss_mib_max(role.pid),
        }
    role.stop()
    return figures | {"broker": rig.broker.kind, "machine": facts, "notes": rig.notes}


def _rest(seconds: float) -> int:
    time.sleep(max(2.0, seconds))
    return 0


def _flood(rig: Rig, seconds: float) -> int:
    """One device as fast as the broker takes it."""
    stream = Stream(rig.site, 1, int(rig.clock.time() * 1000) - 86_400_000)
    with load(rig, stream) as (progress, _):
        progress.allowed.value = 2**40
        begun = time.monotonic()
        while not progress.acknowledged.value and time.monotonic() - begun < SETTLE_SECONDS_MAX:
            time.sleep(0.05)
        time.sleep(seconds)
        progress.allowed.value = 0
    return int(progress.acknowledged.value)
