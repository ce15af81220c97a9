"""What is past its age goes, what is not stays, and a report says what went."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg

from core.settings import Settings
from db import maintenance, retention
from db.pool import DbRole, Pool
from tests.integration.conftest import Api

Pools = Callable[[DbRole], Pool]
REPORTS = "/api/v1/retention/reports"


def _seed(api: Api, url: str) -> None:
    """One of each class at both institutions, of today."""
    now = api.clock.now()
    over = {"open": {"ended": None, "outcome": None}, "resolved": {"ended": now, "outcome": "assisted"}}
    with psycopg.connect(url, autocommit=True) as connection:
        for one in (api.world.a, api.world.b):
            tenant, user, resident = one.institution_id, one.users["admin"].id, one.residents[0]
            connection.execute(
                "INSERT INTO rejections (institution_id, topic, payload, reason, detail, received)"
                " VALUES (%s, 't', 'x', 'r', 'd', %s)",
                (tenant, now),
            )
            connection.execute(
                "INSERT INTO notices (id, institution_id, user_id, at, zh, en)"
                " VALUES (gen_random_uuid(), %s, %s, %s, 'x', 'x')",
                (tenant, user, now),
            )
            for state in ("open", "resolved"):
                row = connection.execute(
                    "INSERT INTO alerts (id, institution_id, resident_id, type, severity, state, source, occurred_at,"
                    " opened_at, last_occurred_at, resolved_at, outcome) VALUES (gen_random_uuid(), %(t)s, %(r)s,"
                    " 'sos', 'critical', %(s)s, 'event', %(n)s, %(n)s, %(n)s,"
                    " %(ended)s, %(outcome)s) RETURNING id",
                    {"t": tenant, "r": resident, "s": state, "n": now, **over[state]},
                ).fetchone()
                assert row
                connection.execute(
                    "INSERT INTO outbox (id, institution_id, alert_id, idempotency_key, recipient, recipient_name,"
                    " channel_kind, message, state, next_attempt_at, created_at) VALUES (gen_random_uuid(), %s, %s,"
                    " gen_random_uuid()::text, 'desk', 'x', 'console', '{}', 'sent', %s, %s)",
                    (tenant, row[0], now, now),
                )
            silence = connection.execute(
                "INSERT INTO silences (id, institution_id, author_id, reason, starts_at, ends_at, created_at)"
                " VALUES (gen_random_uuid(), %s, %s, 'x', %s, %s, %s) RETURNING id",
                (tenant, user, now, now + timedelta(hours=1), now),
            ).fetchone()
            assert silence
            for cleared in (now, None):
                connection.execute(
                    "INSERT INTO alert_suppressions (institution_id, at, cause, silence_id, reason, type, severity,"
                    " source, occurred_at, cleared_at) VALUES (%s, %s, 'silence', %s, 'x', 'device_silent', 'low',"
                    " 'detector', %s, %s)",
                    (tenant, now, silence[0], now, cleared),
                )


def _counts(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        found = {}
        for table in ("rejections", "notices", "outbox", "silences", "alert_suppressions"):
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            found[table] = row[0] if row else -1
        return found


def test_each_class_goes_at_its_age_and_is_reported_to_its_house(
    api: Api, database_url: str, make_pool_for: Pools
) -> None:
    _seed(api, database_url)
    jobs, settings = make_pool_for("jobs"), Settings()
    maintenance.seal_audit(jobs, api.clock)
    api.clock.advance(timedelta(days=89))
    retention.apply_retention(jobs, api.clock, settings)
    assert set(_counts(database_url).values()) == {2, 4}
    api.clock.advance(timedelta(days=320))
    told = retention.apply_retention(jobs, api.clock, settings)
    assert {"2 rows of rejections", "2 rows of pages", "2 rows of suppressions", "2 rows of notices"} <= set(told)
    # What belongs to an open alert or is still held stays, and so does the silence behind it.
    assert _counts(database_url) == {
        "rejections": 0, "notices": 0, "outbox": 2, "silences": 2, "alert_suppressions": 2,
    }  # fmt: skip
    retention.apply_retention(jobs, api.clock, settings)
    admin = api.as_user("admin")
    mine = [one for one in admin.get(REPORTS).json()["items"] if not one["of_platform"]]
    assert {(one["data_class"], one["deleted"]) for one in mine} == {
        ("rejections", 1), ("notices", 1), ("pages", 1), ("suppressions", 1),
    }  # fmt: skip
    assert all(one["gone_before"] < api.clock.now().isoformat() for one in mine)


def test_reports_say_that_the_job_ran_and_are_paged(api: Api, make_pool_for: Pools) -> None:
    retention.apply_retention(make_pool_for("jobs"), api.clock, Settings())
    admin = api.as_user("admin")
    whole = admin.get(REPORTS).json()["items"]
    assert {one["data_class"] for one in whole} == {one.code for one in retention.CLASSES}
    assert all(one["of_platform"] for one in whole)
    seen, cursor = [], ""
    while True:
        answer = admin.get(f"{REPORTS}?limit=3{cursor}").json()
        seen += answer["items"]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert seen == whole


def test_every_class_has_its_age_its_setting_and_its_ground(api: Api) -> None:
    items = api.as_user("admin").get("/api/v1/retention/periods").json()["items"]
    assert len(items) == len(retention.CLASSES)
    audit = next(one for one in items if one["data_class"] == "audit_log")
    assert (audit["days"], audit["mark"], audit["setting"]) == (3 * 365, "law", "ANHU_AUDIT_RETENTION_DAYS")
    assert all(one["ground"]["zh"] and one["ground"]["en"] for one in items)
    assert api.as_user("caregiver").get("/api/v1/retention/periods").status_code == 403


def test_places_go_before_other_readings_at_every_level_and_are_reported_to_their_house(
    api: Api, database_url: str, make_pool_for: Pools
) -> None:
    """Latitude, longitude and their accuracy; a pulse of the same hour stays."""
    now, place, pulse = api.clock.now(), 22, 1
    with psycopg.connect(database_url, autocommit=True) as connection:
        for one in (api.world.a, api.world.b):
            key = one.devices[0].key
            for days in (0, 5, 29, 32, 60):
                at = now - timedelta(days=days)
                connection.execute("SELECT ensure_partitions(%s::date - 1, %s::date + 1)", (at, at))
                for metric in (place, pulse):
                    connection.execute(
                        "INSERT INTO readings (device_key, metric, time, value, delay_seconds)"
                        " VALUES (%s, %s, %s, 29.5, 0)",
                        (key, metric, at),
                    )
                    for level in ("5m", "1h", "1d"):
                        connection.execute(
                            f"INSERT INTO rollup_{level} (device_key, metric, bucket, count, sum, min, max)"
                            " VALUES (%s, %s, date_trunc('hour', %s::timestamptz), 1, 1, 1, 1)",
                            (key, metric, at),
                        )

        def left(metric: int) -> dict[str, int]:
            found = {}
            for table in ("readings", "rollup_5m", "rollup_1h", "rollup_1d"):
                row = connection.execute(f"SELECT count(*) FROM {table} WHERE metric = %s", (metric,)).fetchone()
                assert row
                found[table] = row[0]
            return found

        jobs, settings = make_pool_for("jobs"), Settings()
        told = retention.apply_retention(jobs, api.clock, settings)
        assert "4 rows of location" in told
        assert set(left(place).values()) == {6}
        assert set(left(pulse).values()) == {10}
        assert not [line for line in retention.apply_retention(jobs, api.clock, settings) if "location" in line]
        api.clock.advance(timedelta(days=3))
        assert "2 rows of location" in retention.apply_retention(jobs, api.clock, settings)
        assert set(left(place).values()) == {4}
    reports = api.as_user("admin").get(REPORTS, params={"data_class": "location"}).json()["items"]
    mine = [one["deleted"] for one in reports if not one["of_platform"]]
    assert mine == [1, 2], "each house its own, day by day"
