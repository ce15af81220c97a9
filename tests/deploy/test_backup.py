"""The backup drill: some thousands of rows in a database enter; a fresh server has the same ones afterwards.

`ANHU_TEST_TIMESCALE_URL` and `ANHU_TEST_TIMESCALE_FRESH_URL` name two TimescaleDB servers of the same version
(superuser's URLs) for the variant with hypertables; their client programs must be on the PATH.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from cli.embedded.postgres import EmbeddedPostgres, wheel_programs
from core.clock import ManualClock, SystemClock
from db.migrate import migrate
from deploy import backup_drill
from tests.fixtures.world import World

READINGS = 6_000


def fill(url: str, device_keys: list[int]) -> None:
    """Readings over twelve days, motion windows and events, with every kind of value that a dump must keep."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT ensure_partitions((now() - INTERVAL '14 days')::date, (now() + INTERVAL '2 days')::date)"
        )
        connection.execute(
            """INSERT INTO readings (device_key, metric, time, value, flags, received)
               SELECT (%(keys)s::int[])[1 + n %% cardinality(%(keys)s::int[])], 1,
                      date_trunc('minute', now()) - n * INTERVAL '173 seconds', 60 + sin(n) * 17.3, n %% 3, now()
               FROM generate_series(1, %(rows)s) n""",
            {"keys": device_keys, "rows": READINGS},
        )
        connection.execute(
            """INSERT INTO motion_windows (device_key, time, hz, scale, counts, received)
               SELECT %s, now() - n * INTERVAL '1 minute', 50, 0.001,
                      decode(repeat(lpad(to_hex(n), 2, '0'), 300), 'hex'), now() FROM generate_series(1, 200) n""",
            (device_keys[0],),
        )
        connection.execute(
            """INSERT INTO events (device_key, event_id, institution_id, time, received, type, data)
               SELECT key, 'press-' || n, institution_id, now(), now(), 'sos', jsonb_build_object('说明', '呼叫 ' || n)
               FROM devices, generate_series(1, 50) n WHERE key = %s""",
            (device_keys[0],),
        )


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[str]:
    """A second PostgreSQL, with nothing in it."""
    server = EmbeddedPostgres(tmp_path, SystemClock())
    server.start()
    yield server.url
    server.stop()


def swapped(url: str, database: str) -> str:
    return conninfo.make_conninfo(url, dbname=database)


def test_a_backup_restores_to_the_same_rows(database_url: str, world: World, fresh_server: str) -> None:
    if os.environ.get("ANHU_TEST_DATABASE_URL"):
        pytest.skip("the drill needs the embedded server, whose programs fit it")
    fill(database_url, [device.key for device in world.a.devices])
    report = backup_drill.drill(database_url, swapped(fresh_server, "restored"), wheel_programs())
    assert report.differences == ()
    assert report.agree
    assert report.rows > READINGS
    assert report.timescaledb == ""
    # The restored database is no dead copy: rights and row security are in force there.
    with psycopg.connect(swapped(fresh_server, "restored")) as connection:
        connection.execute("SET ROLE anhu_api")
        connection.execute("SELECT set_config('anhu.tenant', %s, false)", (str(world.b.institution_id),))
        row = connection.execute("SELECT count(*), min(institution_id::text) FROM residents").fetchone()
        assert row == (len(world.b.residents), str(world.b.institution_id))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT count(*) FROM readings")


def test_the_drill_sees_what_was_lost_or_changed(database_url: str, world: World) -> None:
    fill(database_url, [device.key for device in world.a.devices])
    with psycopg.connect(database_url) as connection:
        before = backup_drill.read_contents(connection)
        connection.execute("UPDATE readings SET value = value + 1e-9 WHERE time = (SELECT max(time) FROM readings)")
        connection.execute("DELETE FROM events WHERE event_id = 'press-7'")
        connection.execute("ALTER TABLE residents NO FORCE ROW LEVEL SECURITY")
        connection.execute("REVOKE SELECT ON residents FROM anhu_api")
        told = backup_drill.differences(before, backup_drill.read_contents(connection))
    assert [line.split(":")[0] for line in told] == ["events", "readings", "forced_tables", "rights"]


def test_a_second_restoration_does_not_touch_what_is_there(database_url: str, world: World, fresh_server: str) -> None:
    if os.environ.get("ANHU_TEST_DATABASE_URL"):
        pytest.skip("the drill needs the embedded server, whose programs fit it")
    target = swapped(fresh_server, "restored")
    backup_drill.drill(database_url, target, wheel_programs())
    with pytest.raises(backup_drill.Misconfigured, match="already exists"):
        backup_drill.drill(database_url, target, wheel_programs())
    assert world.a.site == "site-a"


@pytest.mark.timescale
def test_hypertables_restore_to_the_same_rows(clock: ManualClock) -> None:
    source, fresh = os.environ.get("ANHU_TEST_TIMESCALE_URL"), os.environ.get("ANHU_TEST_TIMESCALE_FRESH_URL")
    if not source or not fresh:
        pytest.skip("ANHU_TEST_TIMESCALE_URL and ANHU_TEST_TIMESCALE_FRESH_URL do not name two TimescaleDB servers")
    name = f"drill_{os.getpid()}"
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        url = swapped(source, name)
        assert migrate(url).flavour == "timescale"
        with psycopg.connect(url, autocommit=True) as connection:
            # The policies rest, here and after the restoration: while a refresh runs, its view shows a gap.
            connection.execute(
                "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE job_id >= 1000"
            )
        fill(url, device_rows(url, clock))
        with psycopg.connect(url, autocommit=True) as connection:
            packed = connection.execute(
                "SELECT count(compress_chunk(c)) FROM show_chunks('readings', older_than => INTERVAL '8 days') c"
            ).fetchone()
            # As the policies would have done while the days went by.
            for view in ("rollup_5m", "rollup_1h", "rollup_1d"):
                connection.execute(f"CALL refresh_continuous_aggregate('{view}', NULL, now() - INTERVAL '1 day')")
        assert packed is not None
        assert packed[0] >= 3
        report = backup_drill.drill(url, swapped(fresh, name))
        assert report.differences == ()
        assert report.rows > READINGS
        assert report.timescaledb
        with psycopg.connect(swapped(fresh, name)) as connection:
            kept = connection.execute(
                "SELECT count(*) FROM timescaledb_information.chunks"
                " WHERE hypertable_name = 'readings' AND is_compressed"
            ).fetchone()
            assert kept == (packed[0],)
    finally:
        for server in (source, fresh):
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def device_rows(url: str, clock: ManualClock) -> list[int]:
    """One institution with three devices."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO institutions (id, code, name_zh, created_at) VALUES (gen_random_uuid(), 'drill', '演练', %s)",
            (clock.now(),),
        )
        return [
            row[0]
            for row in connection.execute(
                """INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,
                                        supervision_seconds, created_at, updated_at)
                   SELECT i.id, 'd-' || n, 'wristband', 'salt', 'hash', now(), 600, now(), now()
                   FROM institutions i, generate_series(1, 3) n RETURNING key"""
            )
        ]
