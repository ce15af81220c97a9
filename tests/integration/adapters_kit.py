"""A lane on a test's database, fed by hand with what a gateway publishes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry

from core.clock import ManualClock
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from devices import foreign
from devices.registry import Directory, load_directory
from ingest.batch import Message, MessageQueue
from ingest.metrics import IngestMetrics
from ingest.persist import Writer
from ingest.pipeline import Lane
from tests.fixtures.world import World, WorldDevice


class GatewayBench:
    """Institution a's spare device as a gateway; its readings and events are looked up by the registered device."""

    def __init__(self, url: str, make_pool_for: Callable[[DbRole], Pool], clock: ManualClock, world: World) -> None:
        self.clock, self.url, self.world = clock, url, world
        self.gateway: WorldDevice = world.a.devices[2]
        self._pool = make_pool_for("ingest")
        self._admin = make_pool_for("admin")
        self.registry = CollectorRegistry()
        self.directory: Directory = self.load()
        self.lane = Lane(
            MessageQueue(clock, messages_max=100, bytes_max=10**6),
            Writer(url, clock),
            directory=lambda: self.directory,
            refresh_directory=lambda: False,
            acknowledge=lambda messages: None,
            metrics=IngestMetrics(self.registry).lane("test"),
            clock=clock,
            size_max=100,
            linger_seconds=0,
        )
        self._mid = 0

    def load(self) -> Directory:
        with service_transaction(self._pool) as tx:
            self.directory = load_directory(tx)
        return self.directory

    def message(self, path: str, payload: Any, **options: Any) -> Message:
        self._mid += 1
        raw = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        topic = f"anhu/v1/{self.world.a.site}/{self.gateway.id}/x/{path}"
        return Message(topic, raw, 1, self._mid, self.clock.time(), 1, **options)

    def send(self, *messages: Message) -> None:
        self.lane.process(messages, threading.Event())

    def say(self, path: str, payload: Any, **options: Any) -> Message:
        message = self.message(path, payload, **options)
        self.send(message)
        return message

    def map(self, native_id: str, device: WorldDevice, sos: Sequence[str] | None = None) -> None:
        [(number,)] = self.rows("SELECT id FROM foreign_devices WHERE native_id = %s", native_id)
        with service_transaction(self._admin) as tx:
            foreign.map_device(tx, foreign_id=number, device=device.id, sos_actions=sos)
        self.load()

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query, parameters).fetchall()

    def readings(self, device: WorldDevice) -> dict[str, float]:
        found = self.rows(
            "SELECT m.code, r.value FROM readings r JOIN metrics m ON m.id = r.metric WHERE r.device_key = %s"
            " ORDER BY r.time",
            device.key,
        )
        return dict(found)

    def events(self, device: WorldDevice) -> list[str]:
        found = self.rows("SELECT type FROM events WHERE device_key = %s ORDER BY received, type", device.key)
        return [word for (word,) in found]

    def online(self, device: WorldDevice) -> bool:
        return bool(self.rows("SELECT online FROM device_status WHERE device_key = %s", device.key)[0][0])

    def counter(self, name: str) -> float:
        return self.registry.get_sample_value(f"anhu_ingest_{name}", {"lane": "test"}) or 0.0

    def balance(self) -> tuple[float, float]:
        """What was received, and what became of it."""
        settled = sum(self.counter(f"{name}_total") for name in ("stored", "duplicate", "rejected"))
        return self.counter("received_total"), settled + self.counter("in_flight")
