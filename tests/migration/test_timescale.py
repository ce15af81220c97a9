"""The schema on a real TimescaleDB: every migration, what it made, and how readings live in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from db.migrate import migrate, migrations

pytestmark = pytest.mark.timescale

HERE, THERE = UUID(int=1), UUID(int=2)
START = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def migrated(timescale_url: str) -> str:
    report = migrate(timescale_url)
    assert report.flavour == "timescale"
    assert report.version == migrations("timescale")[-1].number
    assert migrate(timescale_url).applied == ()
    return timescale_url


@pytest.fixture(scope="module")
def connection(migrated: str) -> Iterator[psycopg.Connection[Any]]:
    """One connection for the module: the WebAssembly server has no second one. Two homes, a device each, ten days."""
    with psycopg.connect(migrated, autocommit=True) as connection:
        for number, (home, code) in enumerate(((HERE, "here"), (THERE, "there")), 1):
            connection.execute(
                "INSERT INTO institutions (id, code, name_zh, created_at) VALUES (%s, %s, %s, now())",
                (home, code, code),
            )
            connection.execute(
                "INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,"
                " supervision_seconds, created_at, updated_at)"
                " VALUES (%s, %s, 'wristband', '', '', now(), 900, now(), now())",
                (home, f"band-{number}"),
            )
        connection.execute(
            "INSERT INTO readings (device_key, metric, time, value, received)"
            " SELECT d.key, 1, %s::timestamptz + n * INTERVAL '1 minute', 60 + n %% 30, now()"
            " FROM devices d, generate_series(0, 10 * 1440 - 1) AS n",
            (START,),
        )
        yield connection


def rows(connection: psycopg.Connection[Any], query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters).fetchall()


def test_series_are_hypertables(connection: psycopg.Connection[Any]) -> None:
    found = rows(connection, "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1")
    assert {"readings", "motion_windows"} <= {name for (name,) in found}


def test_rollups_are_hierarchical_continuous_aggregates_and_agree(connection: psycopg.Connection[Any]) -> None:
    for view in ("rollup_5m", "rollup_1h", "rollup_1d"):
        connection.execute(f"CALL refresh_continuous_aggregate('{view}', NULL, NULL)")
    for view, width in (("rollup_5m", "5 minutes"), ("rollup_1h", "1 hour"), ("rollup_1d", "1 day")):
        found = rows(connection, f"SELECT bucket, count, sum, min, max FROM {view} WHERE device_key = 1 ORDER BY 1")
        wanted = rows(
            connection,
            "SELECT date_bin(%s::interval, time, %s), count(*), sum(value), min(value), max(value) FROM readings"
            " WHERE device_key = 1 GROUP BY 1 ORDER BY 1",
            width,
            START,
        )
        assert found == wanted
    assert len(wanted) == 10, "days begin at midnight in China"


def test_no_refresh_reaches_past_the_shortest_retention(connection: psycopg.Connection[Any]) -> None:
    offsets = rows(
        connection,
        "SELECT (config->>'start_offset')::interval FROM timescaledb_information.jobs"
        " WHERE proc_name = 'policy_refresh_continuous_aggregate'",
    )
    assert len(offsets) == 3
    assert all(offset < timedelta(days=14) for (offset,) in offsets)


def test_late_data_lands_in_a_compressed_chunk_once(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT compress_chunk(c, true) FROM show_chunks('readings', older_than => %s::timestamptz) c",
                       (START + timedelta(days=5),))  # fmt: skip
    [(compressed,)] = rows(
        connection,
        "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'readings' AND is_compressed",
    )
    assert compressed >= 4
    late = START + timedelta(days=1, seconds=30)
    insert = (
        "INSERT INTO readings (device_key, metric, time, value, received) VALUES (1, 1, %s, 99, now())"
        " ON CONFLICT (device_key, metric, time) DO NOTHING"
    )
    assert connection.execute(insert, (late,)).rowcount == 1
    assert connection.execute(insert, (late,)).rowcount == 0
    known = START + timedelta(days=1)
    assert connection.execute(insert, (known,)).rowcount == 0, "the natural key holds inside a compressed chunk"
    [(n,)] = rows(connection, "SELECT count(*) FROM readings WHERE device_key = 1 AND time = ANY (%s)", [late, known])
    assert n == 2


@pytest.mark.parametrize("view", ["tenant_readings", "readings_5m", "readings_1h", "readings_1d"])
def test_the_application_sees_its_tenant_through_the_views_only(connection: psycopg.Connection[Any], view: str) -> None:
    try:
        connection.execute("SET ROLE anhu_api")
        connection.execute("SELECT set_config('anhu.tenant', %s, false)", (str(HERE),))
        assert rows(connection, f"SELECT DISTINCT device_key FROM {view}") == [(1,)]
        connection.execute("SELECT set_config('anhu.tenant', '', false)")
        assert rows(connection, f"SELECT count(*) FROM {view}") == [(0,)]
        for table in ("readings", "rollup_5m", "rollup_1h", "rollup_1d", "motion_windows", "feed"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {table} LIMIT 1")
    finally:
        connection.execute("RESET ROLE")


def test_retention_drops_whole_days(connection: psycopg.Connection[Any]) -> None:
    try:
        connection.execute("SET ROLE anhu_jobs")
        dropped = rows(connection, "SELECT drop_series_before('readings', %s)", (START + timedelta(days=3)).date())
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute("SELECT drop_series_before('users', current_date)")
    finally:
        connection.execute("RESET ROLE")
    assert len(dropped) >= 2
    [(oldest,)] = rows(connection, "SELECT min(time) FROM readings")
    assert oldest >= START + timedelta(days=2)
