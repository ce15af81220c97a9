"""Storage that lasts, on plain PostgreSQL: late readings, retention beside rollups, and how reads go."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from api.residents import series
from core.clock import ManualClock, from_unix
from core.metrics import BY_CODE
from core.settings import Settings
from db import maintenance, retention
from db.pool import DbRole, Pool
from db.queries import sql
from db.tenant import tenant_transaction
from tests.fixtures.world import World
from tests.integration.test_maintenance import store

Pools = Callable[[DbRole], Pool]

HEART = BY_CODE["heart_rate"]
LEVELS = {"rollup_5m": (300, 0), "rollup_1h": (3600, 0), "rollup_1d": (86_400, 8 * 3600)}
SHORTEST = Settings(raw_retention_days=14, motion_retention_days=14)


def bucket(url: str, table: str, device: int, t: float) -> tuple[Any, ...] | None:
    width, offset = LEVELS[table]
    start = from_unix((t + offset) // width * width - offset)
    with psycopg.connect(url) as connection:
        return connection.execute(
            f"SELECT count, sum, min, max FROM {table} WHERE device_key = %s AND metric = %s AND bucket = %s",
            (device, HEART.id, start),
        ).fetchone()


def test_late_reading_is_rolled_up_at_every_level(
    database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    jobs, ingest, key = make_pool_for("jobs"), make_pool_for("ingest"), world.a.devices[0].key
    maintenance.make_partitions(jobs, clock)
    late = (clock.time() - 6.9 * 86_400) // 300 * 300 + 60
    maintenance.roll_up(jobs, clock)
    store(database_url, ingest, [(key, HEART.id, late - 30, 60.0), (key, HEART.id, clock.time(), 61.0)], clock)
    maintenance.roll_up(jobs, clock)
    store(database_url, ingest, [(key, HEART.id, late, 160.0)], clock)
    maintenance.roll_up(jobs, clock)
    for table in LEVELS:
        assert bucket(database_url, table, key, late) == (2, 220.0, 60.0, 160.0)


def test_rollups_outlive_their_readings_and_no_later_refresh_erases_them(
    database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    jobs, ingest, key = make_pool_for("jobs"), make_pool_for("ingest"), world.a.devices[0].key
    maintenance.make_partitions(jobs, clock)
    maintenance.roll_up(jobs, clock)
    old = clock.time() // 300 * 300 + 1
    store(database_url, ingest, [(key, HEART.id, old + n * 30, 70.0 + n) for n in range(4)], clock)
    maintenance.roll_up(jobs, clock)
    wanted = {table: bucket(database_url, table, key, old) for table in LEVELS}
    clock.advance(timedelta(days=16))
    maintenance.make_partitions(jobs, clock)
    assert f"readings_{from_unix(old):%Y%m%d}" in retention.apply_retention(jobs, clock, SHORTEST)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone() == (0,)
        # The jobs were restored from a backup: the follower meets all of the feed again.
        connection.execute("UPDATE feed_followers SET seq = 0 WHERE name = 'rollup'")
    store(database_url, ingest, [(key, HEART.id, clock.time() - 6.9 * 86_400, 99.0)], clock)
    maintenance.roll_up(jobs, clock)
    assert all(wanted.values())
    assert {table: bucket(database_url, table, key, old) for table in LEVELS} == wanted


def test_readings_without_a_partition_grow_old_too(
    database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    clock.advance(timedelta(days=400))
    key = world.a.devices[0].key
    store(database_url, make_pool_for("ingest"), [(key, HEART.id, clock.time(), 70.0)], clock)
    clock.advance(timedelta(days=13))
    retention.apply_retention(make_pool_for("jobs"), clock, SHORTEST)
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM readings_rest").fetchone() == (1,)
        clock.advance(timedelta(days=3))
        assert "1 rows of readings_rest" in retention.apply_retention(make_pool_for("jobs"), clock, SHORTEST)
        assert connection.execute("SELECT count(*) FROM readings_rest").fetchone() == (0,)


def test_days_of_readings_and_windows_are_dropped_each_at_its_own_age(
    database_url: str, make_pool_for: Pools, clock: ManualClock
) -> None:
    jobs = make_pool_for("jobs")
    maintenance.make_partitions(jobs, clock)
    made = clock.now().date() - timedelta(days=maintenance.PARTITION_DAYS_BEHIND)
    clock.advance(timedelta(days=20))
    report = retention.apply_retention(jobs, clock, Settings(raw_retention_days=25, motion_retention_days=15))

    def partitions(series_name: str, first: date, last: date) -> list[str]:
        days = (first + timedelta(days=n) for n in range((last - first).days))
        return [f"{series_name}_{day:%Y%m%d}" for day in days]

    today = clock.now().date()
    assert report == [
        *partitions("readings", made, today - timedelta(days=25)),
        *partitions("motion_windows", made, today - timedelta(days=15)),
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_each_rollup_level_has_its_own_age(
    level: str, database_url: str, world: World, make_pool_for: Pools, clock: ManualClock
) -> None:
    """With the other two kept longest, the one loses exactly what is older than its setting."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table in LEVELS:
            connection.execute(
                f"INSERT INTO {table} SELECT %s, 1, %s - n * INTERVAL '1 day', 1, 1, 1, 1"
                " FROM generate_series(0, 60) AS n",
                (world.a.devices[0].key, clock.now()),
            )
        ages = {f"{table}_retention_days": 40 if table == level else 61 for table in LEVELS}
        report = retention.apply_retention(make_pool_for("jobs"), clock, Settings(**ages))
        assert report == [f"20 rows of {level}"]
        for table in LEVELS:
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert found == (41 if table == level else 61,)


def test_old_rollups_are_found_by_an_index_of_their_age(database_url: str, clock: ManualClock) -> None:
    """Else every run of the retention job would read years of rollups."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO rollup_5m SELECT device, 1, %s - n * INTERVAL '1 hour', 1, 1, 1, 1"
            " FROM generate_series(100, 1, -1) AS n, generate_series(1, 2000) AS device",
            (clock.now(),),
        )
        connection.execute("VACUUM (ANALYZE) rollup_5m")
        found = connection.execute(
            "EXPLAIN (ANALYZE, COSTS off, TIMING off, BUFFERS off) SELECT FROM rollup_5m WHERE bucket < %s",
            (clock.now() - timedelta(hours=98),),
        ).fetchall()
    plan = "\n".join(line for (line,) in found)
    assert "Bitmap Index Scan on rollup_5m_age" in plan, plan
    read = re.search(r"Heap Blocks: lossy=(\d+)", plan)
    assert read is not None
    assert int(read[1]) <= 128, "of two thousand pages"


@pytest.fixture
def history(database_url: str, world: World, make_pool_for: Pools, clock: ManualClock) -> str:
    """Nine days of raw readings and thirty of hours, of every device; the planner knows them."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        given = {"now": clock.now(), "keys": [d.key for d in world.a.devices + world.b.devices]}
        connection.execute(
            "SELECT ensure_partitions(%(now)s::timestamptz::date - 10, %(now)s::timestamptz::date)", given
        )
        connection.execute(
            "INSERT INTO readings (device_key, metric, time, value, received)"
            " SELECT device, metric, %(now)s - n * INTERVAL '5 minutes', 60 + n %% 30, %(now)s"
            " FROM generate_series(1, 9 * 288) AS n, unnest(%(keys)s::int[]) AS device,"
            " generate_series(1, 5) AS metric",
            given,
        )
        connection.execute(
            "INSERT INTO rollup_1h SELECT device, metric, date_trunc('hour', %(now)s - n * INTERVAL '1 hour'),"
            " 12, 800, 60, 90 FROM generate_series(1, 30 * 24) AS n, unnest(%(keys)s::int[]) AS device,"
            " generate_series(1, 5) AS metric",
            given,
        )
        connection.execute("VACUUM (ANALYZE)")
    return database_url


def test_thirty_days_by_the_hour_touch_indexes_and_only_the_partitions_in_question(
    history: str,
    world: World,
    make_pool_for: Pools,
    clock: ManualClock,
) -> None:
    now = clock.now()
    question = series.plan(HEART, now - timedelta(days=30), now, "1h", now)
    given = {"resident": world.a.residents[0], "metric": HEART.id, "width": question.width, "origin": series._ORIGIN}
    plans = {}
    with tenant_transaction(make_pool_for("api"), world.a.institution_id) as tx:
        for source, start, end in series._parts(question, now - series.RAW_AGE_MAX):
            rows = tx.connection.execute(
                f"EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off) {sql(f'readings.{source}')}",
                {**given, "start": start, "end": end},
            ).fetchall()
            plans[source] = "\n".join(row["QUERY PLAN"] for row in rows)
    assert plans.keys() == {"bucketed_1h", "bucketed_raw"}
    for plan in plans.values():
        assert "Seq Scan on readings" not in plan, plan
        assert "Seq Scan on rollup" not in plan, plan
    assert "using rollup_1h_pkey" in plans["bucketed_1h"], plans["bucketed_1h"]
    raw = plans["bucketed_raw"]
    assert raw.count("Index Only Scan using readings_") + raw.count("never executed") >= 8, raw
    days = {word for word in raw.split() if word.startswith("readings_20") and word[9:].isdigit()}
    assert 8 <= len(days) <= 10, "a partition a day, and what the range touches at its ends"
