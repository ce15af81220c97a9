"""`anhu bench storage`: residents and days enter; bytes a reading, read latencies and their plans leave.

Two measurements on a real database with the product's schema. Compression: every device of the simulators for some
days, packed as the columnstore packs them. Reading: the API's own question (30 days of heart rate at 1 h) for many
residents, over raw readings at full rate where the API reads raw, and over rollups of the whole history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from time import perf_counter
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import numpy as np
import psycopg
import typer
from numpy.typing import NDArray

from api.residents import series
from bench.rig import fresh_database, machine
from core.clock import Clock, SystemClock
from core.ids import new_id
from core.metrics import BY_CODE
from db.copy import readings_stream
from db.migrate import migrate
from db.pool import make_pool
from db.queries import sql
from db.tenant import tenant_transaction
from simulators.sensors import make_sensor
from simulators.sensors.base import SensorOptions
from simulators.world import make_world

HEART = BY_CODE["heart_rate"]
ROLLED_METRICS = tuple(BY_CODE[code].id for code in ("heart_rate", "spo2", "steps"))
RAW_DAYS = 9
"""The API reads raw readings of the last eight days; one to spare."""
PERIOD_SECONDS = 60
READ_DAYS = 30
DELAY_SECONDS = 0.15
"""Median from a device's clock to the commit; log-normal."""
_DAY = 86_400.0
_COPY = sql("ingest.copy_readings")


class Columns(NamedTuple):
    """Readings of one day in order of receipt; arrays of shape (n,), times in Unix seconds."""

    device: NDArray[np.int32]
    metric: NDArray[np.int16]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    received: NDArray[np.float64]


def command(
    residents: Annotated[int, typer.Option(min=1, help="Residents with a wristband each.")] = 1000,
    days: Annotated[int, typer.Option(min=10, help="Days of history.")] = 90,
    reads: Annotated[int, typer.Option(min=1, help="Residents whose 30 days are read.")] = 300,
    packed: Annotated[int, typer.Option(min=0, help="Simulated residents of the columnstore's day.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, last.")] = False,  # noqa: FBT002 -- an option: always named
    database_url: Annotated[str | None, typer.Option(help="A server of yours; else an embedded one.")] = None,
) -> None:
    """Bytes a reading in the columnstore, and how fast a resident's 30 days answer. Makes its own database."""
    clock = SystemClock()
    with fresh_database(database_url, clock) as url:
        migrate(url)
        figures = run(url, clock, residents=residents, days=days, reads=reads, packed_residents=packed)
    plans = figures["read"]["plans"] if as_json else figures["read"].pop("plans")
    typer.echo(json.dumps(figures, ensure_ascii=False, indent=None if as_json else 1))
    if not as_json:
        typer.echo("\n\n".join(f"{name}\n{plan}" for name, plan in plans.items()))


def run(url: str, clock: Clock, *, residents: int, days: int, reads: int, packed_residents: int) -> dict[str, Any]:
    """Measure on an empty migrated database; the figures.

    url: a superuser's. days: of history for the reads. packed_residents: simulated for the bytes a reading (0: none;
    needs TimescaleDB).
    """
    figures: dict[str, Any] = {"machine": machine()}
    with psycopg.connect(url, autocommit=True) as connection:
        timescale = bool(_value(connection, sql("maintenance.is_timescale")))
        figures["database"] = {
            "postgresql": _value(connection, "SHOW server_version"),
            "timescaledb": _value(connection, "SELECT max(extversion) FROM pg_extension WHERE extname = 'timescaledb'"),
        }
        if timescale:
            connection.execute("SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs")
            if packed_residents:
                figures["columnstore"] = pack(connection, clock, packed_residents)
        tenant, people = register(connection, clock, residents)
        figures["history"] = fill(connection, clock, people, days, timescale=timescale)
    figures["read"] = read(url, clock, tenant, list(people), reads)
    return figures


def simulated_day(residents: int, start: float, seed: int = 7) -> Columns:
    """What every device of the simulated residents reports in a day, with the delay of a network; no motion windows."""
    world = make_world(residents, seed, "storage")
    rows: list[tuple[int, int, float, float]] = []
    key = 0
    for resident in world.residents:
        for device in resident.devices:
            key += 1
            sensor = make_sensor(device, world.life(resident), SensorOptions(motion="off"))
            for hour in range(24):
                for entry in sensor.entries(start + hour * 3600):
                    if entry.channel == "telemetry":
                        rows += [(key, BY_CODE[c].id, round(entry.time, 3), v) for c, v in entry.content.items()]
    device_key, metric, time, value = (np.array(column) for column in zip(*rows, strict=True))
    _, message = np.unique(np.stack([device_key, np.rint(time * 1000)]), axis=1, return_inverse=True)
    message = message.ravel()
    delays = np.random.default_rng(seed).lognormal(np.log(DELAY_SECONDS), 0.6, message.max() + 1)
    received = time + delays[message]
    order = np.argsort(received, kind="stable")
    columns = (device_key.astype("i4"), metric.astype("i2"), time, value.astype("f8"), received)
    return Columns(*(column[order] for column in columns))


def pack(connection: psycopg.Connection[Any], clock: Clock, residents: int) -> dict[str, Any]:
    """Bytes a reading before and after the columnstore, in a day's chunk of the product's table."""
    day = simulated_day(residents, (clock.time() - 60 * _DAY) // _DAY * _DAY)
    flags = np.zeros(len(day.time), np.int16)
    with connection.cursor().copy(_COPY) as copy:
        copy.write(readings_stream(day.device, day.metric, day.time, day.value, flags, day.received))
    before = _bytes(connection, "readings")
    began = perf_counter()
    connection.execute("SELECT compress_chunk(chunk) FROM show_chunks('readings') AS chunk")
    seconds = perf_counter() - began
    after = _bytes(connection, "readings")
    connection.execute("TRUNCATE readings")
    rows = len(day.time)
    return {
        "residents": residents, "readings": rows, "bytes_before": round(before / rows, 2),
        "bytes_after": round(after / rows, 2), "times_smaller": round(before / after, 1), "seconds": round(seconds, 2),
    }  # fmt: skip


def register(connection: psycopg.Connection[Any], clock: Clock, residents: int) -> tuple[UUID, dict[UUID, int]]:
    """An institution whose residents wear a wristband each; its id, and the key of each resident's wristband."""
    tenant, now = new_id(clock), clock.now()
    people = [new_id(clock) for _ in range(residents)]
    given = {"tenant": tenant, "now": now, "people": people, "since": now - timedelta(days=4000)}
    connection.execute(
        "INSERT INTO institutions (id, code, name_zh, created_at) VALUES (%(tenant)s, 'storage', '测试', %(now)s)",
        given,
    )
    connection.execute(
        "INSERT INTO residents (id, institution_id, name, sex, birth_date, created_at, updated_at)"
        " SELECT p, %(tenant)s, '测试', 'female', '1940-01-01', %(now)s, %(now)s FROM unnest(%(people)s::uuid[]) AS p",
        given,
    )
    rows = connection.execute(
        "WITH made AS (INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash,"
        " credential_rotated_at, supervision_seconds, created_at, updated_at)"
        " SELECT %(tenant)s, p::text, 'wristband', 'salt', 'hash', %(now)s, 900, %(now)s, %(now)s"
        " FROM unnest(%(people)s::uuid[]) AS p RETURNING id::uuid AS resident, key),"
        " bound AS (INSERT INTO bindings (id, institution_id, device_key, resident_id, bound_from)"
        " SELECT gen_random_uuid(), %(tenant)s, key, resident, %(since)s FROM made)"
        " SELECT resident, key FROM made ORDER BY key",
        given,
    ).fetchall()
    return tenant, dict(rows)


def fill(
    connection: psycopg.Connection[Any], clock: Clock, people: dict[UUID, int], days: int, *, timescale: bool
) -> dict[str, Any]:
    """Raw heart rate every minute for the days that are read raw; hours and days of three metrics for the history."""
    now = clock.time() // 3600 * 3600
    raw_from = (now - RAW_DAYS * _DAY) // _DAY * _DAY
    connection.execute(
        "SELECT ensure_partitions((%(now)s::timestamptz)::date - %(days)s, (%(now)s::timestamptz)::date + 1)",
        {"now": clock.now(), "days": RAW_DAYS + 2},
    )
    began = perf_counter()
    keys = np.array(list(people.values()), "i4")
    rows = 0
    for batch in _minutes(keys, raw_from, now):
        with connection.cursor().copy(_COPY) as copy:
            copy.write(batch)
        rows += len(keys) * 3600 // PERIOD_SECONDS
    raw_seconds = perf_counter() - began
    _history(connection, keys.tolist(), now - days * _DAY, raw_from, timescale=timescale)
    if timescale:
        # From midnight to midnight in China, so that the history beside it stays as it was inserted.
        first, last = (datetime.fromtimestamp(at, clock.now().tzinfo) for at in (raw_from + 16 * 3600, now))
        for view in ("rollup_5m", "rollup_1h", "rollup_1d"):
            connection.execute(f"CALL refresh_continuous_aggregate('{view}', %s, %s)", (first, last))
        for job in connection.execute(
            "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression' ORDER BY 1"
        ).fetchall():
            connection.execute(f"CALL run_job({int(job[0])})")
    for table in ("readings", "rollup_1h", "rollup_1d"):
        connection.execute(f"VACUUM (ANALYZE) {_stored(connection, table)}")
    hours = _stored(connection, "rollup_1h")
    sizes = {name: _bytes(connection, _stored(connection, name)) for name in ("readings", "rollup_1h", "rollup_1d")}
    return {
        "residents": len(people), "days": days, "raw_days": RAW_DAYS, "raw_readings": rows,
        "raw_rows_per_s": round(rows / raw_seconds),
        "rollup_1h_rows": _value(connection, f"SELECT count(*) FROM {hours}"),  # noqa: S608 -- a name of ours
        "mib": {name: round(size / 2**20, 1) for name, size in sizes.items()},
    }  # fmt: skip


def _minutes(keys: NDArray[np.int32], start: float, end: float) -> Iterator[bytes]:
    """COPY streams of an hour each, rows in the order of time as devices send them: whole beats around a daily wave."""
    rng = np.random.default_rng(11)
    phase, rest = rng.uniform(0, PERIOD_SECONDS, len(keys)), rng.normal(72, 6, len(keys))
    for hour in np.arange(start, end, 3600):
        time = (np.arange(hour, hour + 3600, PERIOD_SECONDS)[:, None] + phase).round(3)
        order = np.argsort(time.ravel(), kind="stable")
        wave = 8 * np.sin(2 * np.pi * (time / _DAY))
        value = np.round(rest + wave + rng.normal(0, 3, time.shape)).clip(HEART.low, HEART.high).ravel()[order]
        device = np.broadcast_to(keys, time.shape).ravel()[order]
        n = len(order)
        flags, metric = np.zeros(n, "i2"), np.full(n, HEART.id, "i2")
        yield readings_stream(device, metric, time.ravel()[order], value, flags, hour + 3600)


def _history(
    connection: psycopg.Connection[Any], keys: list[int], start: float, end: float, *, timescale: bool
) -> None:
    """Rollups as they would stand after `start`, made up: sixty readings an hour."""
    for view, width in (("rollup_1h", 3600), ("rollup_1d", 86_400)):
        last = end + 16 * 3600 if timescale else end + RAW_DAYS * _DAY
        table = _stored(connection, view)
        connection.execute(
            f"INSERT INTO {table} (device_key, metric, bucket, count, sum, min, max)"  # noqa: S608 -- a name of ours
            " SELECT device, metric, to_timestamp(at), %(width)s::int / 60, %(width)s::int / 60 * (70.0 + device %% 7),"
            " 60 + device %% 9, 90 + at %% 11"
            " FROM generate_series(%(first)s::bigint, %(last)s::bigint - 1, %(width)s::bigint) AS at,"
            " unnest(%(metrics)s::smallint[]) AS metric, unnest(%(keys)s::int[]) AS device ON CONFLICT DO NOTHING",
            {
                "width": width, "keys": keys, "metrics": list(ROLLED_METRICS), "last": last,
                "first": (start + 8 * 3600) // width * width - 8 * 3600,
            },
        )  # fmt: skip


def read(url: str, clock: Clock, tenant: UUID, people: list[UUID], reads: int) -> dict[str, Any]:
    """Latency of `GET /residents/{id}/readings?metric=heart_rate&bucket=1h` over 30 days, in the database's part:
    through the API's own code, role, tenant transaction and views. Every read asks for another resident.
    """
    now = clock.now()
    pool = make_pool(url, "api", size_max=1)
    pool.wait()
    chosen = np.random.default_rng(3).choice(len(people), min(reads, len(people)), replace=False)
    question = series.plan(HEART, now - timedelta(days=READ_DAYS), now, "1h", now)
    seconds: list[float] = []
    points = 0
    try:
        for index in chosen:
            began = perf_counter()
            with tenant_transaction(pool, tenant) as tx:
                points = len(series.read(tx, people[index], question, now=now))
            seconds.append(perf_counter() - began)
        plans = explain(pool, tenant, people[chosen[0]], question, now)
    finally:
        pool.close()
    p50, p95, p99 = (round(float(q) * 1000, 2) for q in np.percentile(seconds, (50, 95, 99)))
    first = round(seconds[0] * 1000, 2)
    return {"reads": len(seconds), "points": points, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "first_ms": first,
            "plans": plans}  # fmt: skip


def explain(pool: Any, tenant: UUID, person: UUID, question: series.SeriesQuery, now: datetime) -> dict[str, str]:
    """EXPLAIN (ANALYZE, BUFFERS) of each query that the API runs for the question."""
    plans = {}
    given = {"resident": person, "metric": question.metric.id, "width": question.width, "origin": series._ORIGIN}
    with tenant_transaction(pool, tenant) as tx:
        for source, start, end in series._parts(question, now - series.RAW_AGE_MAX):
            query = f"EXPLAIN (ANALYZE, BUFFERS, COSTS off) {sql(f'readings.{source}')}"
            rows = tx.connection.execute(query, {**given, "start": start, "end": end}).fetchall()
            plans[source] = "\n".join(row["QUERY PLAN"] for row in rows)
    return plans


def _stored(connection: psycopg.Connection[Any], name: str) -> str:
    """The table that holds a series: the name itself, or what TimescaleDB keeps below a continuous aggregate."""
    if _value(connection, "SELECT relkind FROM pg_class WHERE oid = %s::regclass", name) != "v":
        return name
    return str(
        _value(
            connection,
            "SELECT format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name)"
            " FROM timescaledb_information.continuous_aggregates WHERE view_name = %s",
            name,
        )
    )


def _bytes(connection: psycopg.Connection[Any], table: str) -> int:
    """Everything of a series on disk: heap, indexes, TOAST, of each partition or chunk."""
    if _value(connection, sql("maintenance.is_timescale")):
        return int(_value(connection, "SELECT hypertable_size(%s)", table))
    return int(
        _value(connection, "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%s)", table)
        or _value(connection, "SELECT pg_total_relation_size(%s)", table)
    )


def _value(connection: psycopg.Connection[Any], query: Any, *given: Any) -> Any:
    row = connection.execute(query, given or None).fetchone()
    return row[0] if row else None
