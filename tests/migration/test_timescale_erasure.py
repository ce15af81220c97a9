"""Erasing a person on a real TimescaleDB: also out of the columnstore and the rollups, and nobody else's."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from db.migrate import migrate

pytestmark = pytest.mark.timescale
SERIES = ("readings", "rollup_5m", "rollup_1h", "rollup_1d")


def _counts(connection: psycopg.Connection[Any]) -> dict[str, dict[int, int]]:
    found = {}
    for name in SERIES:
        rows = connection.execute(f"SELECT device_key, count(*) FROM {name} GROUP BY device_key").fetchall()
        found[name] = dict(rows)
    return found


def _two_people(connection: psycopg.Connection[Any]) -> tuple[Any, int, int]:
    """A resident who is to be erased, their device, and the device of somebody else."""
    run = connection.execute
    home = run(
        "INSERT INTO institutions (id, code, name_zh, created_at) VALUES (gen_random_uuid(), 'here', 'x', now())"
        " RETURNING id"
    ).fetchone()[0]  # type: ignore[index]  # there is one
    person = None
    keys = []
    for name in ("mine", "other"):
        person = (
            person
            or run(
                "INSERT INTO residents (id, institution_id, name, sex, birth_date, created_at, updated_at)"
                " VALUES (gen_random_uuid(), %s, '王秀英', 'female', '1941-03-08', now(), now()) RETURNING id",
                (home,),
            ).fetchone()[0]
        )  # type: ignore[index]  # there is one
        row = run(
            "INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,"
            " supervision_seconds, created_at, updated_at)"
            " VALUES (%s, %s, 'wristband', '', '', now(), 900, now(), now()) RETURNING key",
            (home, name),
        ).fetchone()
        keys.append(row[0])  # type: ignore[index]  # there is one
        run(
            "INSERT INTO readings (device_key, metric, time, value, delay_seconds)"
            " SELECT %s, 1, t, 70, 0 FROM generate_series(now() - interval '40 days', now(), interval '1 hour') AS t",
            (keys[-1],),
        )
    run(
        "INSERT INTO bindings (id, institution_id, device_key, resident_id, bound_from)"
        " VALUES (gen_random_uuid(), %s, %s, %s, now() - interval '60 days')",
        (home, keys[0], person),
    )
    return person, keys[0], keys[1]


def test_a_person_is_erased_from_the_columnstore_and_the_rollups(timescale_url: str) -> None:
    migrate(timescale_url)
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        person, mine, other = _two_people(connection)
        for name in SERIES[1:]:
            connection.execute(f"CALL refresh_continuous_aggregate('{name}', NULL, NULL)")
        packed = connection.execute(
            "SELECT count(compress_chunk(c, if_not_compressed => true))"
            " FROM show_chunks('readings', older_than => interval '8 days') AS c"
        ).fetchone()
        assert packed
        assert packed[0] > 20
        before = _counts(connection)
        assert all(rows[mine] for rows in before.values())
        connection.execute("SET ROLE anhu_jobs")
        erased = dict(connection.execute("SELECT what, touched FROM erase_person(%s, true)", (person,)).fetchall())
        connection.execute("RESET ROLE")
        assert erased["readings"] == before["readings"][mine]
        wanted = {name: {other: rows[other]} for name, rows in before.items()}
        assert _counts(connection) == wanted
        # What changed is computed again within the refresh window; the erased do not come back, and no other goes.
        for name in SERIES[1:]:
            connection.execute(
                f"CALL refresh_continuous_aggregate('{name}', now() - interval '12 days', now() - interval '1 day')"
            )
        assert _counts(connection) == wanted


def test_places_go_by_metric_from_the_columnstore_and_the_rollups(timescale_url: str) -> None:
    migrate(timescale_url)
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        run = connection.execute
        row = run("SELECT key, institution_id FROM devices WHERE id = 'other'").fetchone()
        assert row
        key, home = row
        for metric in (22, 23):
            run(
                "INSERT INTO readings (device_key, metric, time, value, delay_seconds)"
                " SELECT %s, %s, t, 29.5, 0 FROM generate_series(now() - interval '40 days', now(), interval '1 hour')"
                " AS t",
                (key, metric),
            )
        for name in SERIES[1:]:
            run(f"CALL refresh_continuous_aggregate('{name}', NULL, NULL)")
        run(
            "SELECT count(compress_chunk(c, if_not_compressed => true))"
            " FROM show_chunks('readings', older_than => interval '8 days') AS c"
        )

        def left(where: str) -> list[int]:
            counts = []
            for name, moment in (("readings", "time"), *((level, "bucket") for level in SERIES[1:])):
                found = run(f"SELECT count(*) FROM {name} WHERE {where.replace('moment', moment)}").fetchone()
                assert found
                counts.append(found[0])
            return counts

        others = left("metric = 1")
        young = left("metric IN (22, 23) AND moment >= date_trunc('day', now()) - interval '30 days'")
        function = "drop_metrics_before(smallint[],timestamptz,timestamptz)"
        allowed = "SELECT has_function_privilege('anhu_api', %s, 'EXECUTE')"
        assert run(allowed, (function,)).fetchone() == (False,)
        run("SET ROLE anhu_jobs")
        gone = run(
            "SELECT institution_id, rows FROM drop_metrics_before('{22,23,24}', '2000-01-01',"
            " date_trunc('day', now()) - interval '30 days')"
        ).fetchall()
        run("RESET ROLE")
        assert [one for one, _ in gone] == [home]
        assert gone[0][1] > 2 * 24 * 9
        after = left("metric IN (22, 23)")
        assert after[:3] == young[:3]
        assert young[3] <= after[3] <= young[3] + 2, "the day at the edge stays whole"
        assert left("metric = 1") == others
        run("CALL refresh_continuous_aggregate('rollup_5m', now() - interval '12 days', now() - interval '1 day')")
        assert left("metric IN (22, 23)")[:2] == young[:2]
