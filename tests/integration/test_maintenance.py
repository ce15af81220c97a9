"""Rollups agree with the readings whatever order they came in; partitions and retention do as the settings say."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import psycopg
import pytest

from cli import doctor
from core.clock import ManualClock, from_unix
from core.settings import Settings
from db import feed, maintenance, retention
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from tests.fixtures.world import World

Pools = Callable[[DbRole], Pool]


def store(url: str, pool: Pool, rows: list[tuple[int, int, float, float]], clock: ManualClock) -> None:
    """Readings as ingest leaves them: rows and a feed entry."""
    with psycopg.connect(url) as connection:
        connection.cursor().executemany(
            "INSERT INTO readings (device_key, metric, time, value, received) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [(d, m, from_unix(t), v, clock.now()) for d, m, t, v in rows],
        )
    device, metric, time, value = (np.array(column) for column in zip(*rows, strict=True))
    columns = feed.ReadingColumns(device.astype("i4"), metric.astype("i2"), time.astype(float), value.astype(float))
    with service_transaction(pool) as tx:
        feed.append(tx, columns, clock.now())


@pytest.mark.parametrize("seed", [1, 2])
def test_rollups_agree_with_the_readings_in_any_order(
    seed: int, database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    chance = random.Random(seed)
    keys = [device.key for device in world.a.devices]
    rows = [
        (
            chance.choice(keys),
            chance.choice((1, 2)),
            clock.time() - chance.randrange(6 * 86_400),
            chance.uniform(40, 140),
        )
        for _ in range(600)
    ]
    maintenance.roll_up(make_pool_for("jobs"), clock)
    for start in range(0, 600, 150):
        batch = rows[start : start + 150] + chance.sample(rows[: start + 150], 20)
        store(database_url, make_pool_for("ingest"), batch, clock)
        maintenance.roll_up(make_pool_for("jobs"), clock)
    with psycopg.connect(database_url) as connection:
        for table, width, origin in (
            ("rollup_5m", "5 minutes", "2000-01-01 00:00+00"),
            ("rollup_1h", "1 hour", "2000-01-01 00:00+00"),
            ("rollup_1d", "1 day", "2000-01-01 16:00+00"),
        ):
            wanted = connection.execute(
                "SELECT device_key, metric, date_bin(%s, time, %s) AS b, count(*), round(sum(value)::numeric, 6),"
                " min(value), max(value) FROM readings GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                (width, origin),
            ).fetchall()
            found = connection.execute(
                f"SELECT device_key, metric, bucket, count, round(sum::numeric, 6), min, max FROM {table}"
                " ORDER BY 1, 2, 3"
            ).fetchall()
            assert found == wanted
            assert len(found) > 5


def test_partitions_are_ahead_and_the_rest_partition_is_emptied_into_them(
    database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    clock.step(400 * 86_400)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO readings (device_key, metric, time, value, received) VALUES (%s, 1, %s, 70, %s)",
            (world.a.devices[0].key, clock.now(), clock.now()),
        )
        assert connection.execute("SELECT count(*) FROM readings_rest").fetchone() == (1,)
        assert maintenance.make_partitions(make_pool_for("jobs"), clock) > 0
        assert maintenance.make_partitions(make_pool_for("jobs"), clock) == 0
        assert connection.execute("SELECT count(*) FROM readings_rest").fetchone() == (0,)
        day = f"readings_{clock.now():%Y%m%d}"
        assert connection.execute(f"SELECT count(*) FROM {day}").fetchone() == (1,)


def test_retention_drops_old_days_and_keeps_young_ones(
    database_url: str, make_pool_for: Pools, clock: ManualClock
) -> None:
    maintenance.make_partitions(make_pool_for("jobs"), clock)
    old_day = clock.now().date() - timedelta(days=8)
    clock.advance(timedelta(days=20))
    settings = Settings(raw_retention_days=14, motion_retention_days=10)
    report = retention.apply_retention(make_pool_for("jobs"), clock, settings)
    assert f"readings_{old_day:%Y%m%d}" in report
    with psycopg.connect(database_url) as connection:
        left = {name for (name,) in connection.execute("SELECT relname FROM pg_class WHERE relispartition").fetchall()}
    assert f"readings_{old_day:%Y%m%d}" not in left
    assert f"readings_{old_day + timedelta(days=15):%Y%m%d}" in left


def test_the_feed_is_kept_until_every_follower_has_it(
    database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    with service_transaction(make_pool_for("alerts")) as tx:
        tx.run("feed.start_follower", name="slow", now=clock.now())
    store(database_url, make_pool_for("ingest"), [(world.a.devices[0].key, 1, clock.time(), 70.0)], clock)
    maintenance.roll_up(make_pool_for("jobs"), clock)
    clock.advance(7200)
    retention.apply_retention(make_pool_for("jobs"), clock, Settings())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM feed").fetchone() == (1,)
    with service_transaction(make_pool_for("alerts")) as tx:
        tx.run("feed.checkpoint_follower", name="slow", seq=1, checkpoint=None, now=clock.now())
    retention.apply_retention(make_pool_for("jobs"), clock, Settings())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM feed").fetchone() == (0,)


@pytest.mark.parametrize(("room", "hours"), [("30GB", 24), ("12MB", 12), ("8MB", 8), ("8kB", 1)])
def test_chunks_that_outgrow_the_memory_are_told_with_the_length_that_fits(
    room: str, hours: int, database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    """A day of readings half over: judged as it will be when it is full, against a third of the cache told of."""
    jobs = make_pool_for("jobs")
    clock.advance(timedelta(seconds=86_400 + 43_200 - clock.time() % 86_400))
    maintenance.make_partitions(jobs, clock)
    with service_transaction(jobs) as tx:
        nothing_yet = maintenance.chunk_load(tx, clock)
    assert nothing_yet is not None
    assert nothing_yet.fits
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO readings (device_key, metric, time, value, delay_seconds)"
            " SELECT %s, 1, %s - n * INTERVAL '1.4 seconds', 70, 0 FROM generate_series(1, 30000) AS n",
            (world.a.devices[0].key, clock.now()),
        )
        size = connection.execute(f"SELECT pg_total_relation_size('readings_{clock.now():%Y%m%d}')").fetchone()
        assert size is not None
        assert size[0] * 2 / 2**20 == pytest.approx(6.7, rel=0.2), "what the bounds below are made for"
    with service_transaction(jobs) as tx:
        tx.connection.execute(f"SET LOCAL effective_cache_size = '{room}'")
        load = maintenance.chunk_load(tx, clock)
    assert load is not None
    assert load.bytes == pytest.approx(size[0] * 2, rel=0.01)
    assert load.hours == 24
    assert (load.fits, load.hours_advised) == (hours == 24, hours)


def test_the_doctor_says_what_to_do_about_chunks_too_large(
    database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    maintenance.make_partitions(make_pool_for("jobs"), clock)
    store(database_url, make_pool_for("ingest"), [(world.a.devices[0].key, 1, clock.time(), 70.0)], clock)
    with service_transaction(make_pool_for("admin")) as tx:
        [well] = doctor._look_at_chunks(tx, clock, timescale=False)
        tx.connection.execute("SET LOCAL effective_cache_size = '8kB'")
        [plain] = doctor._look_at_chunks(tx, clock, timescale=False)
        [timescale] = doctor._look_at_chunks(tx, clock, timescale=True)
    assert well.advice == ""
    assert "TimescaleDB" in plain.advice
    assert "ANHU_CHUNK_HOURS=1;" in timescale.advice
    assert "effective_cache_size" in timescale.advice
