"""`anhu bench chaos`: a seed enters; parts are killed, frozen and restarted in its order; an exact count leaves.

Devices publish with QoS 1 under keys that never repeat and keep each message until the broker acknowledged it. What
was acknowledged must be in the database once, whatever happened between.

Mosquitto hands a message on to a connected ingest before it acknowledges it, keeps the rest of its queue in memory and
writes it now and then. So `kill -9` of a broker that has nothing queued loses nothing, and that is part of the plan: it
comes when ingest has caught up. Killed while ingest or the database is away, it loses what was queued since its last
save: such double faults are asked for by name, and what they cost is counted like everything else.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench.rig import Rig, RoleUnderTest, machine
from cli.embedded.broker import MosquittoBroker
from core.errors import Unavailable
from core.ids import broker_username
from core.metrics import BY_CODE
from devices.accounts.rights import BrokerUser

DEVICES = 8
EVENT_EVERY = 20
PAUSE_SECONDS = (0.3, 1.5)
BETWEEN_SECONDS = (0.3, 1.5)
SETTLE_SECONDS_MAX = 90.0
CATCH_UP_SECONDS_MAX = 60.0


class KeenMosquitto(MosquittoBroker):
    """Mosquitto 2.0 with its strongest setting: its store is written in each turn that changed anything."""

    def _text(self) -> str:
        plain = super()._text()
        keen = plain.replace("autosave_on_changes false", "autosave_on_changes true")
        return keen.replace(f"autosave_interval {self.AUTOSAVE_SECONDS}", "autosave_interval 1")


class Device:
    """A device as devices are: says the next thing every so often, and keeps it until it is acknowledged."""

    def __init__(self, rig: Rig, number: int, base: float, per_second: float) -> None:
        self.id = f"d{number:06d}"
        self.base = base
        self._pause = 1 / per_second
        self._topic = f"anhu/v1/{rig.site}/{self.id}"
        self._sent: dict[int, tuple[bool, int]] = {}
        self._done: set[int] = set()
        self._stop = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=self.id, clean_session=False)
        self._client.username_pw_set(broker_username(rig.site, self.id), rig.password)
        self._client.max_queued_messages_set(0)
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = lambda _client, _data, mid, *_: self._done.add(mid)
        self._client.connect("127.0.0.1", rig.broker.port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._speak, name=self.id, daemon=True)
        self._thread.start()

    def _speak(self) -> None:
        number = 0
        while not self._stop.wait(self._pause):
            # Milliseconds apart and unlike any other device's: the key tells which message a row came from.
            moment = self.base + number / 1000
            if number % EVENT_EVERY == 0:
                body = f'{{"id":"e{number}","t":{moment:.3f},"type":"test","data":{{}}}}'
                self._publish("event", body, number)
            else:
                body = f'{{"t":{moment:.3f},"seq":{number},"m":{{"heart_rate":{60 + number % 40}}}}}'
                self._publish("telemetry", body, number)
            number += 1

    def _publish(self, channel: str, body: str, number: int) -> None:
        # Without a connection paho keeps it for the next one. Packet identifiers do not repeat in so short a life.
        self._sent[self._client.publish(f"{self._topic}/{channel}", body, qos=1).mid] = (channel == "event", number)

    def fall_silent(self) -> None:
        """Say nothing new; what is not acknowledged is still kept and sent again."""
        self._stop.set()
        self._thread.join()

    def unacknowledged(self) -> int:
        return len(self._sent) - len(self._done)

    def acknowledged(self) -> tuple[set[int], set[int]]:
        """Numbers of acknowledged readings, and of acknowledged events."""
        done = [self._sent[mid] for mid in self._done.copy()]  # another thread adds to it
        return {n for is_event, n in done if not is_event}, {n for is_event, n in done if is_event}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Chaos:
    """The parts, and what may happen to each."""

    def __init__(
        self, rig: Rig, ingest: RoleUnderTest, dice: random.Random, *, caught_up: Callable[[], bool] | None
    ) -> None:
        """`caught_up` tells whether nothing waits in the broker; None: the broker is killed at any moment."""
        self._rig = rig
        self._caught_up = caught_up
        self._ingest = ingest
        self._dice = dice
        self.happened: Counter[str] = Counter()
        acts: list[tuple[str, Callable[[], None]]] = [
            ("ingest_kill", self._kill_ingest),
            ("ingest_pause", lambda: self._pause([self._ingest.pid])),
            ("ingest_restart", self._restart_ingest),
        ]
        if rig.postgres is not None:
            acts += [
                ("database_kill", self._kill_database),
                ("database_pause", self._pause_database),
                ("database_restart", self._restart_database),
            ]
        if rig.broker.kind == "mosquitto":
            acts += [
                ("broker_pause", lambda: self._pause([self._rig.broker.pid])),
                ("broker_restart", self._restart_broker),
                ("broker_kill", self._kill_broker),
            ]
        self._acts = acts

    def run(self, until: float) -> None:
        """One thing after another until that monotonic time, in whole rounds of every kind once."""
        bag: list[tuple[str, Callable[[], None]]] = []
        while time.monotonic() < until or bag:
            if not bag:
                bag = self._dice.sample(self._acts, len(self._acts))
            name, act = bag.pop()
            act()
            self.happened[name] += 1
            time.sleep(self._dice.uniform(*BETWEEN_SECONDS))

    def _wait(self) -> None:
        time.sleep(self._dice.uniform(*PAUSE_SECONDS))

    def _kill_ingest(self) -> None:
        self._ingest.kill()
        self._wait()
        self._ingest.start()

    def _restart_ingest(self) -> None:
        self._ingest.stop()
        self._ingest.start()

    def _pause(self, pids: list[int | None]) -> None:
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                if pid is not None:
                    try:
                        os.kill(pid, number)
                    except ProcessLookupError:
                        continue
            if number == signal.SIGSTOP:
                self._wait()

    def _pause_database(self) -> None:
        assert self._rig.postgres is not None
        server = self._rig.postgres.pid
        self._pause([server, *_children(server)])

    def _kill_database(self) -> None:
        """kill -9 of the server and of every process of it, as when the machine's memory runs out."""
        assert self._rig.postgres is not None
        server = self._rig.postgres.pid
        for pid in [server, *_children(server)]:
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        self._wait()
        self._rig.postgres.start()

    def _restart_database(self) -> None:
        assert self._rig.postgres is not None
        self._rig.postgres.stop()
        self._wait()
        self._rig.postgres.start()

    def _restart_broker(self) -> None:
        self._rig.broker.stop(20.0)
        self._wait()
        self._start_broker()

    def _kill_broker(self) -> None:
        deadline = time.monotonic() + CATCH_UP_SECONDS_MAX
        while self._caught_up is not None and not self._caught_up():
            if time.monotonic() > deadline:
                raise Unavailable(f"ingest did not catch up within {CATCH_UP_SECONDS_MAX:.0f} s")
            time.sleep(0.1)
        pid = self._rig.broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self._wait()
        self._start_broker()

    def _start_broker(self) -> None:
        self._rig.broker.start(self._rig.users)


def run(rig: Rig, *, seed: int, seconds: float, per_second: float, double_faults: bool) -> dict[str, Any]:
    """Publish for `seconds` while parts die; the figures as the contract names them.

    With `double_faults` the broker is killed at any moment, also while ingest or the database is away.
    """
    facts = machine()
    keys = rig.register(DEVICES)
    ids = list(keys)
    rig.users += [BrokerUser(broker_username(rig.site, one), rig.password, "device", rig.site, one) for one in ids]
    rig.broker.reload(rig.users)
    ingest = rig.role("ingest", ANHU_MQTT_CLIENT_ID="bench-chaos")
    ingest.start()
    await_session(ingest)
    subscribed = rig.clock.time()
    base = subscribed - 3600
    devices = [Device(rig, number, base + number * 40_000 / 1000, per_second) for number in range(DEVICES)]
    caught_up = None if double_faults else CaughtUp(rig, devices, keys, subscribed)
    chaos = Chaos(rig, ingest, random.Random(seed), caught_up=caught_up)  # noqa: S311 -- repeatable
    try:
        time.sleep(1.0)
        chaos.run(time.monotonic() + seconds)
        for device in devices:
            device.fall_silent()
        settled = _settle(rig, devices, keys)
    finally:
        for device in devices:
            device.close()
    figures = count(rig, devices, keys)
    return {
        "seed": seed,
        "seconds": seconds,
        **figures,
        "kills": sum(n for name, n in chaos.happened.items() if name.endswith("_kill")),
        "happened": dict(sorted(chaos.happened.items())),
        "settled_after_s": settled,
        "double_faults": double_faults,
        "broker": rig.broker.kind,
        "machine": facts,
        "notes": rig.notes,
    }


def count(rig: Rig, devices: list[Device], keys: dict[str, int]) -> dict[str, int]:
    """Every acknowledged reading and event is looked for under its key."""
    acknowledged = stored = lost = duplicated = unacknowledged = 0
    with psycopg.connect(rig.database_url) as connection:
        for device in devices:
            readings, events = device.acknowledged()
            key = keys[device.id]
            rows = connection.execute(
                "SELECT round(extract(epoch FROM time) * 1000)::bigint FROM readings"
                " WHERE device_key = %s AND metric = %s",
                (key, BY_CODE["heart_rate"].id),
            ).fetchall()
            found = np.array([row[0] for row in rows], np.int64) - round(device.base * 1000)
            ids = connection.execute("SELECT event_id FROM events WHERE device_key = %s", (key,)).fetchall()
            numbers = [int(row[0][1:]) for row in ids]
            acknowledged += len(readings) + len(events)
            stored += len(found) + len(numbers)
            lost += len(readings - set(found.tolist())) + len(events - set(numbers))
            duplicated += len(found) - len(set(found.tolist())) + len(numbers) - len(set(numbers))
            unacknowledged += device.unacknowledged()
        row = connection.execute("SELECT count(*) FROM rejections WHERE site = %s", (rig.site,)).fetchone()
        assert row is not None
    return {
        "acknowledged": acknowledged,
        "stored": stored,
        "lost": lost,
        "duplicated": duplicated,
        "rejected": int(row[0]),
        "unacknowledged": unacknowledged,
    }


class CaughtUp:
    """Whether everything acknowledged is stored while more of it comes, and the broker has saved its sessions once.

    Mosquitto first writes its sessions to disk some seconds after its very first start; until then a crash makes it
    forget that anybody subscribed.
    """

    def __init__(self, rig: Rig, devices: list[Device], keys: dict[str, int], subscribed: float) -> None:
        self._rig, self._devices, self._keys = rig, devices, keys
        self._subscribed = subscribed
        self._store = rig.data_dir / "broker" / "mosquitto.db"
        self._before = 0

    def __call__(self) -> bool:
        try:
            saved = self._store.stat().st_mtime > self._subscribed
            figures = count(self._rig, self._devices, self._keys)
        except (OSError, psycopg.OperationalError):
            return False
        before, self._before = self._before, figures["stored"]
        return saved and figures["lost"] == 0 and self._before > before > 0


def _settle(rig: Rig, devices: list[Device], keys: dict[str, int]) -> float:
    """Wait until all is acknowledged and stored, or nothing moves any more; seconds it took."""
    started = moved = time.monotonic()
    before: tuple[int, int] | None = None
    while time.monotonic() - started < SETTLE_SECONDS_MAX and time.monotonic() - moved < 15:
        try:
            figures = count(rig, devices, keys)
        except psycopg.OperationalError:
            time.sleep(0.2)
            continue
        if figures["unacknowledged"] == 0 and figures["lost"] == 0:
            break
        if (now := (figures["unacknowledged"], figures["stored"])) != before:
            before, moved = now, time.monotonic()
        time.sleep(0.2)
    return round(time.monotonic() - started, 1)


def await_session(ingest: RoleUnderTest) -> None:
    """Wait until ingest has subscribed, on every lane: what is published before belongs to nobody."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if ingest.log().count('"event": "connected to the broker"') >= 2:
            time.sleep(1.0)
            return
        if ingest.pid is None:
            break
        time.sleep(0.1)
    raise Unavailable(f"ingest did not connect: {ingest.log()[-500:]}")


def _children(pid: int | None) -> list[int]:
    """Processes started by this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if fields[1] == str(pid):
            found.append(int(path.parent.name))
    return found
