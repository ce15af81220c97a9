"""A database with readings goes from schema 0008 to the newest: nothing lost, nothing rewritten, old writers go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

import db.migrate
from db.migrate import Flavour, migrate, migrations

TENANT = UUID(int=1)
DAYS = 12
BEFORE = "INSERT INTO readings (device_key, metric, time, value, flags, received) VALUES (1, 1, %s, 70, 0, %s)"
AFTER = "INSERT INTO readings (device_key, metric, time, value, flags, delay_seconds) VALUES (1, 1, %s, 71, 0, %s)"


def migrate_to(url: str, newest: int, flavour: Flavour, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [step for step in migrations(flavour) if step.number <= newest]
    with monkeypatch.context() as patch:
        patch.setattr(db.migrate, "migrations", lambda _: steps)
        assert migrate(url, flavour=flavour).version == newest


def fill(connection: psycopg.Connection[Any], first: datetime) -> None:
    """A device, a reading an hour for some days, received a little more than a second later."""
    connection.execute(
        "INSERT INTO institutions (id, code, name_zh, created_at) VALUES (%s, 'here', 'here', now())", (TENANT,)
    )
    connection.execute(
        "INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,"
        " supervision_seconds, created_at, updated_at) VALUES (%s, 'band', 'wristband', '', '', now(), 900, now(),"
        " now())",
        (TENANT,),
    )
    connection.execute(
        "INSERT INTO readings (device_key, metric, time, value, flags, received)"
        " SELECT 1, 1, t, 60 + n, n %% 2, t + INTERVAL '1.250001 s'"
        " FROM generate_series(0, %s) AS n, LATERAL (SELECT %s::timestamptz + n * INTERVAL '1 hour' AS t) AS at",
        (DAYS * 24 - 1, first),
    )


def told(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """What the application sees."""
    with connection.transaction():
        connection.execute("SET LOCAL ROLE anhu_api")
        connection.execute("SELECT set_config('anhu.tenant', %s, true)", (str(TENANT),))
        return connection.execute(
            "SELECT device_key, metric, time, value, flags, received FROM tenant_readings ORDER BY time"
        ).fetchall()


def check_writers(connection: psycopg.Connection[Any], moment: datetime) -> None:
    """The writer of the release before and that of this one, side by side; `moment` has no reading yet."""
    already = told(connection)
    connection.execute(BEFORE, (moment, moment + timedelta(seconds=2.5)))
    for n, delay in enumerate((0, 3, -200, 604_800), 1):
        connection.execute(AFTER, (moment + timedelta(seconds=n), delay))
    fresh = sorted(set(told(connection)) - set(already))
    assert [row[5] - row[2] for row in fresh] == [timedelta(seconds=seconds) for seconds in (2.5, 0, 3, -200, 604_800)]
    assert len(told(connection)) == len(already) + 5


def test_plain_database_keeps_its_readings(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate_to(empty_database_url, 8, "plain", monkeypatch)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        # The younger half in partitions, the older in what takes the rest.
        first = datetime.now(UTC) - timedelta(days=14)
        fill(connection, first)
        [(rest, whole)] = connection.execute(
            "SELECT (SELECT count(*) FROM readings_rest), count(*) FROM readings"
        ).fetchall()
        assert 0 < rest < whole == DAYS * 24
        before, files = told(connection), filenodes(connection)
        migrate(empty_database_url, flavour="plain")
        assert told(connection) == before
        assert filenodes(connection) == files, "no row is rewritten"
        check_writers(connection, first + timedelta(minutes=30))
        made = connection.execute("SELECT ensure_partitions(%s, %s)", (first.date(), first.date())).fetchone()
        assert made == (2,), "a reading of either kind moves into its partition"
        assert len(told(connection)) == len(before) + 5


def filenodes(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT relname, relfilenode FROM pg_class WHERE relname LIKE 'readings%' AND relkind = 'r'"
        " OR relname LIKE '%hyper_%chunk' AND relkind = 'r' ORDER BY 1"
    ).fetchall()


@pytest.fixture(scope="module")
def older(timescale_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A TimescaleDB at 0008 with readings, the older half packed, and their rollups."""
    with pytest.MonkeyPatch.context() as patch:
        migrate_to(timescale_url, 8, "timescale", patch)
    # Nothing prepared: the WebAssembly server has one session, which `migrate` comes to as well.
    with psycopg.connect(timescale_url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs")
        fill(connection, datetime(2026, 3, 1, 16, tzinfo=UTC))
        for view in ("rollup_5m", "rollup_1h", "rollup_1d"):
            connection.execute(f"CALL refresh_continuous_aggregate('{view}', NULL, NULL)")
        connection.execute(
            "SELECT compress_chunk(c) FROM show_chunks('readings', older_than => TIMESTAMPTZ '2026-03-07 16:00+00') c"
        )
        yield connection


@pytest.mark.timescale
def test_timescale_keeps_packed_and_open_chunks_and_rollups(older: psycopg.Connection[Any], timescale_url: str) -> None:
    first = datetime(2026, 3, 1, 16, tzinfo=UTC)
    rollups = "SELECT * FROM rollup_1h ORDER BY bucket"
    before, rolled, files = told(older), older.execute(rollups).fetchall(), filenodes(older)
    assert len(before) == DAYS * 24
    assert packed(older) >= 4
    migrate(timescale_url)
    assert told(older) == before
    assert older.execute(rollups).fetchall() == rolled
    assert filenodes(older) == files, "no row is rewritten"
    check_writers(older, first + timedelta(minutes=30))
    everything = told(older)
    older.execute("SELECT compress_chunk(c) FROM show_chunks('readings') c")
    assert told(older) == everything, "both kinds of rows in one packed chunk"


def packed(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(
        "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'readings' AND is_compressed"
    ).fetchone()
    return int(row[0]) if row else 0
