"""Storage that lasts, on a real TimescaleDB: late readings, retention beside refreshes, sizes, and how reads go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest

from api.residents import series
from core.metrics import BY_CODE
from db.copy import readings_stream
from db.migrate import migrate
from db.queries import sql

pytestmark = pytest.mark.timescale

TENANT, RESIDENT = UUID(int=1), UUID(int=2)
LEVELS = {"rollup_5m": "5 minutes", "rollup_1h": "1 hour", "rollup_1d": "1 day"}
ORIGIN = "2000-01-01 16:00+00"
DAYS = 20


@pytest.fixture(scope="module")
def connection(timescale_url: str) -> Iterator[psycopg.Connection[Any]]:
    """One connection for the module; a resident with a wristband that measured every ten minutes for twenty days.

    The policies look at the server's clock, so the readings end at its present.
    """
    migrate(timescale_url)
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        # Here the tests are the scheduler.
        connection.execute("SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs")
        connection.execute(
            "INSERT INTO institutions (id, code, name_zh, created_at) VALUES (%s, 'here', 'here', now())", (TENANT,)
        )
        connection.execute(
            "INSERT INTO residents (id, institution_id, name, sex, birth_date, created_at, updated_at)"
            " VALUES (%s, %s, '王秀英', 'female', '1941-03-08', now(), now())",
            (RESIDENT, TENANT),
        )
        connection.execute(
            "INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,"
            " supervision_seconds, created_at, updated_at)"
            " SELECT %s, 'band-' || n, 'wristband', '', '', now(), 900, now(), now() FROM generate_series(1, 40) AS n",
            (TENANT,),
        )
        connection.execute(
            "INSERT INTO bindings (id, institution_id, device_key, resident_id, bound_from)"
            " VALUES (gen_random_uuid(), %s, 1, %s, now() - INTERVAL '1 year')",
            (TENANT, RESIDENT),
        )
        connection.execute(
            "INSERT INTO readings (device_key, metric, time, value, received)"
            " SELECT d.key, m, now() - n * INTERVAL '10 minutes', 60 + (n + d.key) %% 30, now() FROM devices d,"
            " generate_series(1, %s) AS n, generate_series(1, 2) AS m",
            (DAYS * 144,),
        )
        for view in LEVELS:
            connection.execute(f"CALL refresh_continuous_aggregate('{view}', NULL, NULL)")
        connection.execute("ANALYZE")
        yield connection


def rows(connection: psycopg.Connection[Any], query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters or None).fetchall()


def value(connection: psycopg.Connection[Any], query: str, *parameters: Any) -> Any:
    return rows(connection, query, *parameters)[0][0]


def run_refreshes(connection: psycopg.Connection[Any]) -> None:
    """The three refresh policies once, from the lowest level up, with the windows that they have."""
    for view in LEVELS:
        job = value(
            connection,
            "SELECT j.job_id FROM timescaledb_information.jobs j JOIN timescaledb_information.continuous_aggregates c"
            " ON j.hypertable_name IN (c.materialization_hypertable_name, c.view_name)"
            " WHERE j.proc_name = 'policy_refresh_continuous_aggregate' AND c.view_name = %s",
            view,
        )
        connection.execute(f"CALL run_job({job})")


def refresh_whole_windows(connection: psycopg.Connection[Any]) -> None:
    """All of each policy's window, also the days without a chunk, which the policies of newer releases pass over."""
    for view, offset in rows(
        connection,
        "SELECT c.view_name, (j.config->>'start_offset')::interval FROM timescaledb_information.jobs j"
        " JOIN timescaledb_information.continuous_aggregates c"
        " ON j.hypertable_name IN (c.materialization_hypertable_name, c.view_name)"
        " WHERE j.proc_name = 'policy_refresh_continuous_aggregate' ORDER BY j.job_id",
    ):
        connection.execute(f"CALL refresh_continuous_aggregate('{view}', now() - %s::interval, now())", (offset,))


def materialized(connection: psycopg.Connection[Any], view: str) -> str:
    """The table below a continuous aggregate: what it holds by itself, without a look at newer readings."""
    return str(
        value(
            connection,
            "SELECT format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name)"
            " FROM timescaledb_information.continuous_aggregates WHERE view_name = %s",
            view,
        )
    )


def bucket(connection: psycopg.Connection[Any], view: str, moment: datetime, device: int = 1) -> tuple[Any, ...]:
    [found] = rows(
        connection,
        f"SELECT count, sum, min, max FROM {materialized(connection, view)}"
        f" WHERE device_key = %s AND metric = 1 AND bucket = date_bin('{LEVELS[view]}', %s::timestamptz, '{ORIGIN}')",
        device,
        moment,
    )
    return found


def test_late_reading_lands_in_a_compressed_chunk_and_the_policies_roll_it_up(
    connection: psycopg.Connection[Any],
) -> None:
    late = value(connection, "SELECT now() - INTERVAL '6.9 days'")
    connection.execute(
        "SELECT compress_chunk(c, true) FROM show_chunks('readings', older_than => now() - INTERVAL '5 days') AS c"
    )
    [(packed,)] = rows(
        connection,
        "SELECT is_compressed FROM timescaledb_information.chunks WHERE hypertable_name = 'readings'"
        " AND range_start <= %s AND range_end > %s",
        late,
        late,
    )
    assert packed
    before = {view: bucket(connection, view, late) for view in LEVELS if view != "rollup_5m"}
    insert = (
        "INSERT INTO readings (device_key, metric, time, value, received) VALUES (1, 1, %s, 199, now())"
        " ON CONFLICT (device_key, metric, time) DO NOTHING"
    )
    assert connection.execute(insert, (late,)).rowcount == 1
    assert connection.execute(insert, (late,)).rowcount == 0
    run_refreshes(connection)
    for view, (count, total, low, _) in before.items():
        assert bucket(connection, view, late) == (count + 1, pytest.approx(total + 199), low, 199)
    assert bucket(connection, "rollup_5m", late)[3] == 199


def test_rollups_outlive_their_readings_and_no_later_refresh_erases_them(connection: psycopg.Connection[Any]) -> None:
    everything = {
        view: rows(connection, f"SELECT * FROM {materialized(connection, view)} WHERE device_key = 3"
                               " AND bucket < now() - INTERVAL '13 days' ORDER BY metric, bucket")
        for view in LEVELS
    }  # fmt: skip
    assert all(everything.values())
    # Something that was written but never rolled up, as when the refreshes stood still: a reason to refresh that day.
    connection.execute(
        "INSERT INTO readings (device_key, metric, time, value, received)"
        " VALUES (3, 1, now() - INTERVAL '15 days', 190, now())"
    )
    # The shortest retention that the settings allow.
    dropped = rows(connection, "SELECT drop_series_before('readings', (now() - INTERVAL '14 days')::date)")
    assert len(dropped) >= 4
    connection.execute(
        "INSERT INTO readings (device_key, metric, time, value, received)"
        " VALUES (3, 1, now() - INTERVAL '6.95 days', 180, now())"
    )
    run_refreshes(connection)
    refresh_whole_windows(connection)
    assert bucket(connection, "rollup_1d", value(connection, "SELECT now() - INTERVAL '6.95 days'"), 3)[3] == 180
    for view, wanted in everything.items():
        left = rows(connection, f"SELECT * FROM {materialized(connection, view)} WHERE device_key = 3"
                                " AND bucket < now() - INTERVAL '13 days' ORDER BY metric, bucket")  # fmt: skip
        assert left == wanted


def stage(connection: psycopg.Connection[Any], late: list[tuple[int, int, datetime, float]]) -> None:
    """Into ingest's staging table: by COPY, or by INSERT where the server has no COPY FROM STDIN."""
    connection.execute(sql("ingest.create_stage"))
    n = len(late)
    columns = (
        np.array([row[0] for row in late], np.int32),
        np.array([row[1] for row in late], np.int16),
        np.array([row[2].timestamp() for row in late]),
        np.array([row[3] for row in late]),
        np.zeros(n, np.int16),
    )
    received = max(columns[2]) + 7 * 86_400
    if has_copy(connection):
        with connection.cursor().copy(sql("ingest.copy_stage")) as copy:
            copy.write(readings_stream(*columns, received))
        return
    for row in late:
        delay = int(received - row[2].timestamp())
        connection.execute("INSERT INTO stage_readings VALUES (%s, %s, %s, %s, 0, %s)", (*row, delay))


def has_copy(connection: psycopg.Connection[Any]) -> bool:
    """The WebAssembly server breaks the connection at COPY FROM STDIN; it names its compiler."""
    return "Emscripten" not in value(connection, "SELECT version()")


def test_pain_14_a_late_batch_of_ingest_lands_once_in_packed_chunks_and_is_rolled_up(
    connection: psycopg.Connection[Any],
) -> None:
    """Every device late at once, under a bound on unpacked rows that is far below what lies packed around them."""
    connection.execute(
        "SELECT compress_chunk(c, true) FROM show_chunks('readings', older_than => now() - INTERVAL '5 days') AS c"
    )
    moment = value(connection, "SELECT date_bin('1 day', now() - INTERVAL '6.5 days', '2000-01-01 16:00+00')")
    moment += timedelta(hours=3, minutes=2, milliseconds=125)
    known = rows(
        connection,
        "SELECT device_key, metric, time, value FROM readings WHERE device_key <= 20 AND time >= %s"
        " AND time < %s::timestamptz + INTERVAL '10 minutes' ORDER BY 1, 2",
        moment,
        moment,
    )
    assert len(known) == 40
    late = [(device, metric, moment, 201.0) for device in range(1, 41) for metric in (1, 2)]
    before = {view: bucket(connection, view, moment, 7) for view in LEVELS if view != "rollup_5m"}
    counts = []
    for _ in range(2):
        with connection.transaction():
            connection.execute("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 1000")
            stage(connection, [*late, *known])
            counts.append(connection.execute(sql("ingest.insert_staged")).rowcount)
    assert counts == [len(late), 0], "what is new once, what is known not at all"
    stored = "SELECT count(*), sum(delay_seconds) FROM readings WHERE time = %s"
    assert rows(connection, stored, moment)[0][0] == len(late)
    run_refreshes(connection)
    for view, (count, total, low, _) in before.items():
        assert bucket(connection, view, moment, 7) == (count + 1, pytest.approx(total + 201), low, 201)
    # The next run of the policy packs what lay loose.
    packing = "SELECT compress_chunk(c, true) FROM show_chunks('readings', older_than => %s::timestamptz) AS c"
    connection.execute(packing, (moment + timedelta(days=1),))
    assert rows(connection, stored, moment)[0][0] == len(late)


def test_each_rollup_level_is_dropped_by_itself_and_the_others_stay(connection: psycopg.Connection[Any]) -> None:
    """Years of rollups, as they stand when their readings are long gone; the jobs' own function drops them."""
    for view, width in LEVELS.items():
        connection.execute(
            f"INSERT INTO {materialized(connection, view)} (device_key, metric, bucket, count, sum, min, max)"
            f" SELECT 40, 9, date_bin('{width}', now(), '{ORIGIN}') - n * INTERVAL '10 days', 5, 350, 60, 80"
            " FROM generate_series(10, 200, 10) AS n"
        )
    oldest = "SELECT min(bucket), count(*) FROM {} WHERE device_key = 40 AND metric = 9"
    before = {view: rows(connection, oldest.format(view)) for view in LEVELS}
    assert {found[0][1] for found in before.values()} == {20}
    for view, days in (("rollup_5m", 400), ("rollup_1h", 1000), ("rollup_1d", 1500)):
        try:
            connection.execute("SET ROLE anhu_jobs")
            edge = value(connection, f"SELECT (now() - INTERVAL '{days} days')::date")
            assert rows(connection, "SELECT drop_series_before(%s, %s)", view, edge)
        finally:
            connection.execute("RESET ROLE")
        # Whole chunks: at most one of them is kept beyond its age.
        chunk = {"rollup_5m": 3, "rollup_1h": 30, "rollup_1d": 90}[view]
        [(first, left)] = rows(connection, oldest.format(view))
        now = value(connection, "SELECT now()")
        assert timedelta(days=days - 101) < now - first < timedelta(days=days + chunk + 1)
        assert 0 < left < 20
        before[view] = [(first, left)]
        assert {other: rows(connection, oldest.format(other)) for other in LEVELS} == before
    run_refreshes(connection)
    refresh_whole_windows(connection)
    assert {view: rows(connection, oldest.format(view)) for view in LEVELS} == before, "no refresh reaches that far"


def test_the_length_of_chunks_is_a_setting_and_their_size_is_told(connection: psycopg.Connection[Any]) -> None:
    interval = "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = 'readings'"
    for hours in (6, 6, 24):
        before = value(connection, interval)
        try:
            connection.execute("SET ROLE anhu_jobs")
            changed = value(connection, "SELECT set_chunk_hours(%s)", hours)
            pieces = rows(connection, "SELECT starts, ends, bytes FROM open_chunks()")
            with pytest.raises(psycopg.errors.RaiseException):
                connection.execute("SELECT set_chunk_hours(7)")
        finally:
            connection.execute("RESET ROLE")
        assert value(connection, interval) == timedelta(hours=hours)
        assert changed is (before != timedelta(hours=hours))
        assert pieces
        assert all(size > 0 and ends - starts == timedelta(days=1) for starts, ends, size in pieces)
    given = {"now": value(connection, "SELECT now()")}
    load = connection.execute(sql("maintenance.chunk_load"), given).fetchall()
    assert load[0][0] > 0
    assert load[0][2] == 24


def test_rollups_go_into_the_columnstore_and_answer_the_same(connection: psycopg.Connection[Any]) -> None:
    query = "SELECT device_key, metric, bucket, count, sum, min, max FROM {} WHERE device_key = 2 ORDER BY 2, 3"
    before = {view: rows(connection, query.format(materialized(connection, view))) for view in LEVELS}
    for view in LEVELS:
        connection.execute(f"SELECT compress_chunk(c) FROM show_chunks('{view}') AS c")
        assert rows(connection, query.format(materialized(connection, view))) == before[view]
    settings = rows(
        connection,
        "SELECT attname, segmentby_column_index, orderby_column_index FROM timescaledb_information.compression_settings"
        " WHERE hypertable_name = %s ORDER BY segmentby_column_index NULLS LAST",
        materialized(connection, "rollup_1h").split(".")[1],
    )
    assert settings == [("device_key", 1, None), ("metric", 2, None), ("bucket", None, 1)]


def test_every_series_is_packed_after_its_last_change_and_dropped_in_pieces_well_below_its_age(
    connection: psycopg.Connection[Any],
) -> None:
    jobs = rows(
        connection,
        "SELECT proc_name, (coalesce(config->>'compress_after', config->>'start_offset'))::interval"
        " FROM timescaledb_information.jobs WHERE config ? 'compress_after' OR config ? 'start_offset'",
    )
    packed = [age for name, age in jobs if name == "policy_compression"]
    refreshed = [age for name, age in jobs if name == "policy_refresh_continuous_aggregate"]
    assert sorted(packed) == [timedelta(days=8)] + 3 * [timedelta(days=14)]
    assert all(timedelta(days=8) < age < timedelta(days=14) for age in refreshed)
    spans = rows(
        connection,
        "SELECT max(range_end - range_start) FROM timescaledb_information.chunks GROUP BY hypertable_name",
    )
    assert max(span for (span,) in spans) <= timedelta(days=90)


def test_thirty_days_by_the_hour_touch_the_index_and_only_the_chunks_in_question(
    connection: psycopg.Connection[Any],
) -> None:
    now = value(connection, "SELECT now()")
    question = series.plan(BY_CODE["heart_rate"], now - timedelta(days=30), now, "1h", now)
    given = {"resident": RESIDENT, "metric": 1, "width": question.width, "origin": ORIGIN}
    try:
        connection.execute("SET ROLE anhu_api")
        connection.execute("SELECT set_config('anhu.tenant', %s, false)", (str(TENANT),))
        for source, start, end in series._parts(question, now - series.RAW_AGE_MAX):
            explain = f"EXPLAIN (COSTS off) {sql(f'readings.{source}')}"
            found = connection.execute(explain, {**given, "start": start, "end": end}).fetchall()
            plan = "\n".join(line for (line,) in found)
            assert "Seq Scan on _hyper" not in plan
            assert "device_key = b.device_key" in plan
            # A chunk a day of raw readings, and one or two to spare at the ends; of the rollups, those of 30 days.
            chunks = {word for word in plan.replace("(", " ").split() if word.startswith("_hyper_") and "chunk" in word}
            assert 1 <= len({name.split("_chunk")[0] for name in chunks}) <= 11
    finally:
        connection.execute("RESET ROLE")
