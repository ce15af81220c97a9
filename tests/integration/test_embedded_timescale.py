"""The TimescaleDB of the fixture is a real one: what migrations and policies rely on works through psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.fixtures.timescale import timescale_url  # noqa: F401 -- a fixture

pytestmark = pytest.mark.timescale


@pytest.fixture(scope="module")
def connection(timescale_url: str) -> Iterator[psycopg.Connection[Any]]:  # noqa: F811 -- the fixture above
    """A superuser on a database with the extension and one hypertable of 100 hourly readings."""
    with psycopg.connect(timescale_url, autocommit=True, connect_timeout=30) as opened:
        opened.execute("CREATE EXTENSION timescaledb")
        opened.execute("CREATE TABLE reading (time timestamptz NOT NULL, device text, value float8)")
        opened.execute("SELECT create_hypertable('reading', by_range('time', interval '1 day'))")
        opened.execute(
            "INSERT INTO reading SELECT timestamptz '2026-01-01' + n * interval '1 hour', 'wb', n"
            " FROM generate_series(0, %s) AS n",
            (99,),
        )
        yield opened


def value(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_hypertable_has_chunks(connection: psycopg.Connection[Any]) -> None:
    assert value(connection, "SELECT count(*) FROM show_chunks('reading')") == 5


def test_columnstore_keeps_every_row(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "ALTER TABLE reading SET (timescaledb.enable_columnstore,"
        " timescaledb.segmentby = 'device', timescaledb.orderby = 'time DESC')"
    )
    connection.execute("CALL add_columnstore_policy('reading', after => interval '7 days')")
    assert value(connection, "SELECT count(compress_chunk(c)) FROM show_chunks('reading') AS c") == 5
    assert value(connection, "SELECT sum(value) FROM reading") == sum(range(100))


def test_continuous_aggregate_refreshes_and_takes_policies(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "CREATE MATERIALIZED VIEW daily WITH (timescaledb.continuous) AS"
        " SELECT time_bucket('1 day', time) AS day, device, avg(value) AS mean FROM reading GROUP BY 1, 2 WITH NO DATA"
    )
    connection.execute("CALL refresh_continuous_aggregate('daily', NULL, NULL)")
    assert value(connection, "SELECT mean FROM daily ORDER BY day LIMIT 1") == pytest.approx(11.5)
    connection.execute(
        "SELECT add_continuous_aggregate_policy('daily', start_offset => interval '8 days',"
        " end_offset => interval '1 hour', schedule_interval => interval '1 hour')"
    )
    connection.execute("SELECT add_retention_policy('reading', drop_after => interval '90 days')")
    jobs = {row[0] for row in connection.execute("SELECT proc_name FROM timescaledb_information.jobs").fetchall()}
    assert {"policy_refresh_continuous_aggregate", "policy_retention"} <= jobs


def test_ddl_in_a_transaction_rolls_back_and_roles_meet_row_security(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TABLE never (n integer)")
    assert value(connection, "SELECT to_regclass('never') IS NULL")
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE ROLE timescale_reader NOLOGIN")
        connection.execute("GRANT timescale_reader TO CURRENT_USER")
        connection.execute("CREATE TABLE owned (tenant text)")
        connection.execute("INSERT INTO owned VALUES ('a'), ('b')")
        connection.execute("ALTER TABLE owned ENABLE ROW LEVEL SECURITY")
        connection.execute("CREATE POLICY one ON owned USING (tenant = current_setting('anhu.tenant', true))")
        connection.execute("GRANT SELECT ON owned TO timescale_reader")
        connection.execute("SET LOCAL ROLE timescale_reader")
        connection.execute("SELECT set_config('anhu.tenant', 'a', true)")
        assert connection.execute("SELECT tenant FROM owned").fetchall() == [("a",)]


def test_a_new_connection_begins_afresh(timescale_url: str, connection: psycopg.Connection[Any]) -> None:  # noqa: F811 -- the fixture above
    connection.execute("SET ROLE pg_monitor")
    connection.close()
    for _ in range(3):
        with psycopg.connect(timescale_url, autocommit=True, connect_timeout=30) as fresh:
            assert value(fresh, "SELECT current_user") == value(fresh, "SELECT session_user")
            for n in range(3):
                assert fresh.execute("SELECT %s::integer", (n,), prepare=True).fetchone() == (n,)
