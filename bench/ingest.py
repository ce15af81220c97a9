"""`anhu bench ingest`: parts and seconds enter, throughput beside the machine's own ceilings leaves.

Three phases on the same broker, database and messages: a bare paho subscriber that only counts (before and after);
bare staged COPY of the same rows; the whole path, everything on. What came out of it is counted in the database at
the end.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench.messages import METRICS, Stream
from bench.publisher import Progress, publish
from bench.rig import INGEST_USER, Rig, RoleUnderTest, cpu_seconds, free_port, machine, rss_mib, rss_mib_max
from core.metrics import BY_CODE
from db.copy import readings_stream
from db.pool import connect
from db.queries import sql

BACKLOG_MESSAGES = 6_000
WARM_UP_SECONDS = 2.0
DRAIN_SECONDS_MAX = 60.0
COPY_ROWS = 10_000
CONNECTIONS = 4
_DAY_MS = 86_400_000


@dataclass(slots=True)
class Run:
    """One phase: messages counted at the reader over a window."""

    messages_per_s: float
    acknowledged: int
    sent: int
    cpu_us: dict[str, float] = field(default_factory=dict)


def run(rig: Rig, *, seconds: float, devices: int, pack: int) -> dict[str, Any]:
    """Measure; the figures as the contract names them."""
    facts = machine()
    keys = rig.register(devices)
    bare_seconds = max(3.0, seconds / 2)
    now_ms = int(rig.clock.time() * 1000)
    stream = Stream(rig.site, devices, now_ms - _DAY_MS, pack)
    before = bare_subscriber(rig, stream, bare_seconds / 2)
    threaded = bare_subscriber(rig, stream, 3.0, threaded=True)
    copy_rate = bare_copy(rig, stream, keys, bare_seconds, day_offset=2)
    whole, ingest_facts = whole_path(rig, stream, seconds)
    after = bare_subscriber(rig, stream, bare_seconds / 2)
    # Whoever shares the machine comes and goes: the ceiling is measured on both sides of what is held against it.
    bare = (before.messages_per_s + after.messages_per_s) / 2
    counted = count(rig, stream, keys, whole.acknowledged)
    readings = whole.messages_per_s * stream.readings_per_message
    return {
        "seconds": seconds,
        "messages_per_s": round(whole.messages_per_s),
        "readings_per_s": round(readings),
        "bare_subscriber_messages_per_s": round(bare),
        "bare_subscriber_before_and_after": [round(before.messages_per_s), round(after.messages_per_s)],
        "bare_threaded_subscriber_messages_per_s": round(threaded.messages_per_s),
        "bare_copy_rows_per_s": round(copy_rate),
        "share_of_subscriber": round(whole.messages_per_s / bare, 3),
        "share_of_threaded_subscriber": round(whole.messages_per_s / threaded.messages_per_s, 3),
        "share_of_copy": round(readings / copy_rate, 3),
        **counted,
        **ingest_facts,
        "cpu_us_per_message": whole.cpu_us,
        "bare_subscriber_cpu_us_per_message": before.cpu_us,
        "pack": pack,
        "devices": devices,
        "metrics_per_instant": len(METRICS),
        "database": database_name(rig),
        "broker": rig.broker.kind,
        "machine": facts,
        "notes": rig.notes,
    }


@contextmanager
def load(rig: Rig, stream: Stream) -> Iterator[tuple[Progress, Any]]:
    """The load generator, running; stopped and waited for at the end, with everything sent acknowledged."""
    progress = Progress.new()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=publish, args=(rig.load_target, stream, CONNECTIONS, progress), daemon=True)
    process.start()
    try:
        yield progress, process
    finally:
        progress.stop.set()
        process.join(30)
        if process.is_alive():
            process.terminate()
            raise RuntimeError("the broker does not acknowledge what the load generator published")


def _measure(
    progress: Progress, done: Callable[[], int], parts: Callable[[], dict[str, float]], seconds: float
) -> tuple[float, dict[str, float]]:
    """Keep the generator `BACKLOG_MESSAGES` ahead of the reader; messages/s, and CPU microseconds a message."""
    started = time.monotonic()
    begin: tuple[float, int, dict[str, float]] | None = None
    while True:
        arrived = done()
        now = time.monotonic()
        progress.allowed.value = arrived + BACKLOG_MESSAGES
        if begin is None and now - started >= WARM_UP_SECONDS and arrived:
            begin = (now, arrived, parts())
        if begin is not None and now - begin[0] >= seconds:
            break
        if begin is None and now - started > DRAIN_SECONDS_MAX:
            raise RuntimeError("nothing arrived at the reader")
        time.sleep(0.02)
    first, count_first, cpu_first = begin
    messages = max(1, arrived - count_first)
    spent = {name: round((value - cpu_first[name]) * 1e6 / messages, 1) for name, value in parts().items()}
    return messages / (now - first), spent


def bare_subscriber(rig: Rig, stream: Stream, seconds: float, *, threaded: bool = False) -> Run:
    """A paho client with the same subscription that does nothing but count.

    In `loop_forever`, paho's fastest way; threaded: in `loop_start`, as a program uses it that has other things to do.
    """
    context = multiprocessing.get_context("spawn")
    counter, ready = context.Value("q", 0, lock=False), context.Event()
    arguments = (rig.broker.port, rig.password, counter, ready, threaded)
    process = context.Process(target=_count_messages, args=arguments, daemon=True)
    process.start()
    if not ready.wait(20):
        raise RuntimeError("the bare subscriber could not subscribe")
    try:
        with load(rig, stream) as (progress, generator):
            pids = {"subscriber": process.pid, "broker": rig.broker.pid, "generator": generator.pid}
            rate, spent = _measure(
                progress, lambda: counter.value, lambda: {k: cpu_seconds(p) for k, p in pids.items()}, seconds
            )
        return Run(rate, progress.acknowledged.value, progress.sent.value, spent)
    finally:
        process.terminate()
        process.join()


def _count_messages(port: int, password: str, counter: Any, ready: Any, threaded: bool) -> None:  # noqa: FBT001 -- private, called in one place
    client = Client(CallbackAPIVersion.VERSION2, client_id="bench-bare", clean_session=True)
    client.username_pw_set(INGEST_USER, password)

    def on_message(*_: Any) -> None:
        counter.value += 1

    client.on_message = on_message
    client.on_connect = lambda client, *_: client.subscribe("anhu/v1/+/+/telemetry", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    if threaded:
        client.loop_start()
        threading.Event().wait()
    client.loop_forever()


def bare_copy(rig: Rig, stream: Stream, keys: dict[str, int], seconds: float, *, day_offset: int) -> float:
    """The same rows, built with NumPy, through the same staging table into the same table; rows/s."""
    metric_ids = np.array([BY_CODE[code].id for code in METRICS], np.int16)
    key_of = np.array([keys[stream.device_id(n)] for n in range(stream.devices)], np.int32)
    per_batch = max(1, COPY_ROWS // stream.readings_per_message)
    rows = batch = 0
    with connect(rig.database_url, "ingest") as connection:
        connection.execute(sql("ingest.create_stage"))
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            numbers = np.arange(batch * per_batch, (batch + 1) * per_batch)
            k = (numbers[:, None] * stream.instants + np.arange(stream.instants)).ravel()
            device = np.repeat(key_of[numbers % stream.devices], stream.readings_per_message)
            moment = np.repeat((stream.base_ms - day_offset * _DAY_MS + k) / 1000, len(METRICS))
            metric = np.tile(metric_ids, len(k))
            n = len(device)
            body = readings_stream(device, metric, moment, np.full(n, 70.0), np.zeros(n, np.int16), moment[0])
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(sql("ingest.copy_stage")) as copy:
                    copy.write(body)
                rows += cursor.execute(sql("ingest.insert_staged")).rowcount
            batch += 1
        return rows / (time.monotonic() - started)


def whole_path(rig: Rig, stream: Stream, seconds: float) -> tuple[Run, dict[str, Any]]:
    """`anhu run ingest` with everything on: registry and range checks, latest, feed, metrics."""
    port = free_port()
    role = rig.role("ingest", ANHU_METRICS_PORT=str(port), ANHU_MQTT_CLIENT_ID="bench-ingest")
    role.start()
    await_lane(role, port)
    with psycopg.connect(rig.database_url, autocommit=True) as connection:
        state = {"seq": _scalar(connection, "SELECT seq FROM feed_head"), "rows": 0}

        def committed() -> int:
            row = connection.execute(
                "SELECT coalesce(sum(rows), 0), coalesce(max(seq), 0) FROM feed WHERE seq > %s", (state["seq"],)
            ).fetchone()
            assert row is not None
            state["rows"] += row[0]
            state["seq"] = max(state["seq"], row[1])
            return int(state["rows"]) // stream.readings_per_message

        def parts() -> dict[str, float]:
            spent = {"ingest": cpu_seconds(role.pid), "broker": cpu_seconds(rig.broker.pid)}
            if rig.postgres is not None:
                spent["database"] = cpu_seconds(rig.postgres.pid, with_children=True)
            return spent | {"generator": cpu_seconds(generator.pid)}

        with load(rig, stream) as (progress, generator):
            memory = Memory(role)
            rate, spent = _measure(progress, committed, memory.beside(parts), seconds)
        _drain(committed, progress.acknowledged.value)
    assert role.pid is not None
    facts = {**memory.figures(), **_identity(port)}
    role.stop()
    return Run(rate, progress.acknowledged.value, progress.sent.value, spent), facts


class Memory:
    """The resident set of a role at the beginning and at the end of a measured window."""

    def __init__(self, role: RoleUnderTest) -> None:
        self._role = role
        self._seen: list[float | None] = []

    def beside(self, parts: Callable[[], dict[str, float]]) -> Callable[[], dict[str, float]]:
        """`parts`, which is asked at both ends of the window, and a look at the memory."""

        def both() -> dict[str, float]:
            assert self._role.pid is not None
            self._seen.append(rss_mib(self._role.pid))
            return parts()

        return both

    def figures(self) -> dict[str, float | None]:
        # The kernel counts a thread's pages a little late: its own maximum may lie below what was read before.
        most = max((one for one in (*self._seen, rss_mib_max(self._role.pid)) if one is not None), default=None)
        return {"rss_mib_start": self._seen[0], "rss_mib_end": self._seen[-1], "rss_mib_max": most}


def await_lane(role: RoleUnderTest, port: int) -> None:
    """Wait until ingest has subscribed: what is published before belongs to nobody."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if role.pid is None:
            break
        try:
            if series(port).get('anhu_ingest_broker_connected{lane="telemetry"}') == 1.0:
                time.sleep(0.5)
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"ingest did not connect: {role.log()[-800:]}")


def _drain(committed: Callable[[], int], wanted: int) -> None:
    """Wait until everything acknowledged is committed, or nothing has moved for ten seconds."""
    last, since = -1, time.monotonic()
    while (arrived := committed()) < wanted and time.monotonic() - since < 10:
        if arrived != last:
            last, since = arrived, time.monotonic()
        time.sleep(0.1)


def series(port: int) -> dict[str, float]:
    """What a role tells on its metrics port, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def _identity(port: int) -> dict[str, Any]:
    """Whether received = stored + duplicate + rejected + in flight, as the process itself counts."""
    found = series(port)

    def value(name: str) -> float:
        return found.get(f'anhu_ingest_{name}{{lane="telemetry"}}', 0.0)

    settled = value("stored_total") + value("duplicate_total") + value("rejected_total") + value("in_flight")
    batches = value("batch_messages_count") or 1.0
    return {
        "identity_holds": value("received_total") == settled,
        "messages_per_batch": round(value("batch_messages_sum") / batches),
        "commit_ms_mean": round(1000 * value("commit_seconds_sum") / (value("commit_seconds_count") or 1.0), 1),
    }


def count(rig: Rig, stream: Stream, keys: dict[str, int], acknowledged: int) -> dict[str, int]:
    """Exactly what was lost and doubled: every acknowledged reading is looked for under its key."""
    last_ms = stream.base_ms + acknowledged * stream.instants
    with psycopg.connect(rig.database_url) as connection:
        rows = connection.execute(
            "SELECT device_key, metric, (extract(epoch FROM time) * 1000)::bigint FROM readings"
            " WHERE device_key = ANY(%s) AND time >= to_timestamp(%s) AND time < to_timestamp(%s)",
            (list(keys.values()), (stream.base_ms - 1) / 1000, (last_ms + 1) / 1000),
            binary=True,
        ).fetchall()
        rejected = _scalar(connection, "SELECT count(*) FROM rejections WHERE site = %s", rig.site)
    found = np.array(rows, np.int64).reshape(-1, 3)
    key_of = np.array([keys[stream.device_id(n)] for n in range(stream.devices)], np.int64)
    offset = found[:, 2] - stream.base_ms
    number = offset // stream.instants
    ours = (offset >= 0) & (number < acknowledged)
    ours &= key_of[number % stream.devices] == found[:, 0]
    ours &= np.isin(found[:, 1], [BY_CODE[code].id for code in METRICS])
    # One number for each key, so that a key which stands twice is seen.
    identity = offset[ours] * 64 + found[ours, 1]
    distinct = len(np.unique(identity))
    expected = acknowledged * stream.readings_per_message
    return {
        "acknowledged": acknowledged,
        "expected_readings": expected,
        "stored_readings": len(found),
        "lost": expected - distinct,
        "duplicated": len(identity) - distinct,
        "foreign": len(found) - int(ours.sum()),
        "rejected": rejected,
    }


def database_name(rig: Rig) -> str:
    with psycopg.connect(rig.database_url) as connection:
        version = connection.info.server_version // 10_000
        timescale = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    return f"PostgreSQL {version}" + (f" with TimescaleDB {timescale[0]}" if timescale else "")


def _scalar(connection: psycopg.Connection[Any], query: str, *parameters: Any) -> int:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return int(row[0])
