"""`anhu bench alerts`: presses enter over MQTT; how long until each is committed, open, and somebody is paged, leaves.

Every press comes from another resident's pendant. Committed and open are when another connection can read the event
and the alert; paged is when the signed page arrives at a receiver on a real socket. All are measured twice: quiet, and
under telemetry.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench.chaos import await_session
from bench.ingest import load
from bench.messages import Stream
from bench.rig import Rig, machine
from cli import provision
from core.ids import new_id
from db.pool import connect
from db.tenant import Transaction
from devices import registry

PRESS_EVERY_SECONDS = 0.25
WAIT_SECONDS_MAX = 30.0
SETTLE_SECONDS = 2.0
LOAD_DEVICES = 5000
_DAY_MS = 86_400_000


class Watch:
    """When each press was made, was readable in the database, and reached a pager; monotonic seconds by number."""

    def __init__(self, rig: Rig, site: str) -> None:
        self._rig = rig
        self._site = site
        self.pressed: dict[int, float] = {}
        self.stored: dict[int, float] = {}
        self.opened: dict[int, float] = {}
        self.paged: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="events", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        with psycopg.connect(self._rig.database_url, autocommit=True) as connection:
            connection.execute("LISTEN anhu_event")
            connection.execute("LISTEN anhu_alert")
            while not self._stop.is_set():
                for _ in connection.notifies(timeout=0.2, stop_after=1):
                    pass
                rows = connection.execute(
                    "SELECT e.event_id FROM events e JOIN institutions i ON i.id = e.institution_id"
                    " WHERE i.code = %s AND e.received > now() - interval '1 minute'",
                    (self._site,),
                ).fetchall()
                now = time.monotonic()
                for (event,) in rows:
                    self.stored.setdefault(int(event), now)
                rows = connection.execute(
                    "SELECT a.evidence ->> 'event_id' FROM alerts a JOIN institutions i ON i.id = a.institution_id"
                    " WHERE i.code = %s AND a.opened_at > now() - interval '1 minute'",
                    (self._site,),
                ).fetchall()
                now = time.monotonic()
                for (event,) in rows:
                    self.opened.setdefault(int(event), now)

    @contextmanager
    def pager(self) -> Iterator[str]:
        """A receiver of pages on loopback; its URL."""
        paged = self.paged

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                now = time.monotonic()
                page = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                paged.setdefault(int(page["message"]["resident"].removeprefix("P")), now)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- as http.server declares it
                del format, args

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/page"
        finally:
            server.shutdown()
            server.server_close()


def run(rig: Rig, *, seconds: float, load_per_s: int) -> dict[str, Any]:
    """Press for `seconds` in quiet and again under load; the figures as the contract names them."""
    facts = machine()
    site = f"{rig.site}-p"
    presses = max(4, int(seconds / PRESS_EVERY_SECONDS))
    phases = 2 if load_per_s else 1
    watch = Watch(rig, site)
    with watch.pager() as pager, watch:
        _provision(rig, site, presses * phases, pager)
        rig.register(LOAD_DEVICES)
        ingest = rig.role("ingest", ANHU_MQTT_CLIENT_ID="bench-alerts")
        alerts = rig.role("alerts", ANHU_WEBHOOK_ALLOW_PRIVATE="true")
        for role in (ingest, alerts):
            role.start()
        await_session(ingest)
        time.sleep(SETTLE_SECONDS)
        quiet = _press(rig, site, watch, range(presses))
        achieved, loaded = 0.0, quiet
        if load_per_s:
            achieved, loaded = _press_under_load(rig, site, watch, range(presses, 2 * presses), load_per_s)
    with psycopg.connect(rig.database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM alerts a JOIN institutions i ON i.id = a.institution_id WHERE i.code = %s", (site,)
        ).fetchone()
    assert row is not None
    return {
        "seconds": seconds,
        "load_messages_per_s": round(achieved),
        **loaded,
        "quiet": quiet,
        "presses": presses * phases,
        "alerts": int(row[0]),
        "broker": rig.broker.kind,
        "machine": facts,
        "notes": rig.notes,
    }


def _provision(rig: Rig, site: str, residents: int, pager: str) -> None:
    """An institution with one caregiver on duty who has a pager, and a pendant for each resident."""
    clock = rig.clock
    with connect(rig.database_url, "admin") as connection, connection.transaction():
        tx = Transaction(connection)
        institution = provision.create_institution(tx, clock, code=site, name_zh="测试", name_en="Bench")
        caregiver = provision.create_user(
            tx, clock, institution=institution, username=f"care-{site}", password=provision.random_password(),
            role="caregiver", name="Bench", on_duty=True,
        )  # fmt: skip
        provision.add_webhook(tx, clock, institution=institution, target=pager, secret=rig.password, user=caregiver)
        provision.add_webhook(tx, clock, institution=institution, target=pager, secret=rig.password)
        for number in range(residents):
            resident = provision.create_resident(
                tx, clock, institution=institution, name=f"P{number}", sex="female", birth_date=date(1940, 1, 1),
                floor="1", room=str(number),
            )  # fmt: skip
            made = registry.register(
                tx, clock, device_key=rig.password * 2, institution_id=institution, site=site, id=f"p{number}",
                kind="pendant",
            )  # fmt: skip
            before = clock.now() - timedelta(days=1)
            registry.bind(
                tx, clock, institution_id=institution, device_key=made.key, resident_id=resident, at=before
            )  # fmt: skip


def _press(rig: Rig, site: str, watch: Watch, numbers: range) -> dict[str, Any]:
    """One press after another; waits for the last page."""
    target = rig.load_target
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"bench-press-{new_id(rig.clock)}")
    client.username_pw_set(target.username, target.password)
    client.connect(target.host, target.port)
    client.loop_start()
    for number in numbers:
        body = json.dumps({"id": str(number), "t": rig.clock.time(), "type": "sos", "data": {}})
        watch.pressed[number] = time.monotonic()
        client.publish(f"anhu/v1/{site}/p{number}/event", body, qos=1)
        time.sleep(PRESS_EVERY_SECONDS)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline and not (set(numbers) <= watch.paged.keys() & watch.stored.keys()):
        time.sleep(0.05)
    client.disconnect()
    client.loop_stop()
    return {
        "press_to_event_ms": _percentiles(watch, watch.stored, numbers),
        "press_to_open_ms": _percentiles(watch, watch.opened, numbers),
        "press_to_page_ms": _percentiles(watch, watch.paged, numbers),
        "without_page": len(set(numbers) - watch.paged.keys()),
    }


def _press_under_load(
    rig: Rig, site: str, watch: Watch, numbers: range, per_second: int
) -> tuple[float, dict[str, Any]]:
    """The same beside `per_second` messages of telemetry; what of them was published, and the figures."""
    stream = Stream(rig.site, LOAD_DEVICES, int(rig.clock.time() * 1000) - _DAY_MS)
    with load(rig, stream) as (progress, _):
        begin = time.monotonic()
        done = threading.Event()

        def pace() -> None:
            while not done.wait(0.02):
                progress.allowed.value = int((time.monotonic() - begin) * per_second)

        pacer = threading.Thread(target=pace, daemon=True)
        pacer.start()
        time.sleep(SETTLE_SECONDS)
        sent, since = progress.acknowledged.value, time.monotonic()
        figures = _press(rig, site, watch, numbers)
        achieved = (progress.acknowledged.value - sent) / (time.monotonic() - since)
        done.set()
        pacer.join()
    return achieved, figures


def _percentiles(watch: Watch, ends: dict[int, float], numbers: range) -> dict[str, float]:
    spans = [1000 * (ends[n] - watch.pressed[n]) for n in numbers if n in ends]
    if not spans:
        return {}
    return {f"p{q}": round(float(np.percentile(spans, q)), 1) for q in (50, 95, 99)}
