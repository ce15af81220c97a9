"""Readings over HTTP: buckets against a slow twin, bindings, rollups behind the late window, bounds."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from core.clock import from_unix
from core.metrics import BY_CODE
from db.pool import DbRole, Pool
from db.queries import sql
from db.tenant import tenant_transaction
from tests.integration.conftest import Api

HEART = BY_CODE["heart_rate"].id


def _insert(database_url: str, device: int, values: list[tuple[float, float]], metric: int = HEART) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.cursor().executemany(
            "INSERT INTO readings (device_key, metric, time, value, received) VALUES (%s, %s, %s, %s, %s)",
            [(device, metric, from_unix(t), value, from_unix(t)) for t, value in values],
        )


def _latest(database_url: str, device: int, t: float, value: float, metric: int = HEART) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO latest (device_key, metric, time, value, received) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (device_key, metric) DO UPDATE SET time = excluded.time, value = excluded.value",
            (device, metric, from_unix(t), value, from_unix(t)),
        )


def _iso(t: float) -> str:
    return from_unix(t).isoformat().replace("+00:00", "Z")


def _twin(values: list[tuple[float, float]], width: float) -> list[dict]:
    """Buckets by a loop that anyone can check; days begin at 16:00 UTC."""
    origin = datetime(2000, 1, 1, 16, tzinfo=UTC).timestamp()
    buckets: dict[float, list[float]] = defaultdict(list)
    for t, value in values:
        buckets[origin + (t - origin) // width * width].append(value)
    return [
        {"t": _iso(start), "avg": sum(of) / len(of), "min": min(of), "max": max(of), "count": len(of)}
        for start, of in sorted(buckets.items())
    ]


@pytest.mark.parametrize(
    ("bucket", "width"),
    [("1m", 60), ("5m", 300), ("15m", 900), ("1h", 3600), ("1d", 86400), ("PT5M", 300), ("5 minutes", 300)],
)
def test_buckets_equal_those_of_a_slow_twin(api: Api, database_url: str, bucket: str, width: int) -> None:
    rng = random.Random(7)
    now = api.clock.time()
    times = sorted(rng.sample(range(3 * 86_400), 400))
    values = [(now - 3 * 86_400 + t, round(rng.uniform(50, 110), 1)) for t in times]
    _insert(database_url, api.world.a.devices[0].key, values)
    answer = api.as_user("caregiver").get(
        f"/api/v1/residents/{api.world.a.residents[0]}/readings",
        params={"metric": "heart_rate", "from": _iso(now - 3 * 86_400), "to": _iso(now), "bucket": bucket},
    )
    body = answer.json()
    assert set(body) == {"metric", "unit", "bucket", "points"}
    assert (body["metric"], body["unit"]) == ("heart_rate", "/min")
    expected = _twin(values, width)
    assert [point["t"] for point in body["points"]] == [point["t"] for point in expected]
    for point, twin in zip(body["points"], expected, strict=True):
        assert set(point) == {"t", "avg", "min", "max", "count"}
        assert point["avg"] == pytest.approx(twin["avg"])
        assert (point["min"], point["max"], point["count"]) == (twin["min"], twin["max"], twin["count"])


def test_a_value_just_committed_is_there_and_gaps_stay_gaps(api: Api, database_url: str) -> None:
    now = api.clock.time()
    _insert(database_url, api.world.a.devices[0].key, [(now - 7200, 70.0), (now, 71.0)])
    path = f"/api/v1/residents/{api.world.a.residents[0]}/readings?metric=heart_rate"
    nurse = api.as_user("caregiver")
    assert [point["count"] for point in nurse.get(path).json()["points"]] == [1, 1]
    raw = nurse.get(f"{path}&bucket=raw").json()
    assert raw["points"][-1] == {"t": _iso(now), "avg": 71.0, "min": 71.0, "max": 71.0, "count": 1}
    assert nurse.get(f"{path}&bucket=raw").json()["bucket"] == "raw"


def test_a_reading_belongs_to_whom_the_binding_names_at_its_time(api: Api, database_url: str) -> None:
    nurse, now = api.as_user("caregiver"), api.clock.time()
    first, second = api.world.a.residents
    device = api.world.a.devices[0]
    _insert(database_url, device.key, [(now - 60, 60.0), (now + 60, 90.0)])
    _latest(database_url, device.key, now - 60, 60.0)
    assert nurse.post(f"/api/v1/devices/{device.id}/unbind").status_code == 200
    api.clock.advance(1)
    assert nurse.post(f"/api/v1/devices/{device.id}/bind", json={"resident_id": str(second)}).status_code == 200
    api.clock.advance(120)
    _latest(database_url, device.key, now + 60, 90.0)
    seen = {}
    for resident in (first, second):
        body = nurse.get(f"/api/v1/residents/{resident}/readings?metric=heart_rate&bucket=raw").json()
        latest = nurse.get(f"/api/v1/residents/{resident}/latest").json()["items"]
        seen[resident] = ([point["avg"] for point in body["points"]], [(one["metric"], one["value"]) for one in latest])
    assert seen == {
        first: ([60.0], [("heart_rate", 60.0)]),
        second: ([90.0], [("heart_rate", 90.0)]),
    }


def test_a_bucket_that_two_people_share_keeps_them_apart(api: Api, database_url: str) -> None:
    nurse = api.as_user("caregiver")
    device = api.world.a.devices[0]
    api.clock.advance(300 - api.clock.time() % 300 + 150)
    now = api.clock.time()
    nurse.post(f"/api/v1/devices/{device.id}/unbind")
    nurse.post(f"/api/v1/devices/{device.id}/bind", json={"resident_id": str(api.world.a.residents[1])})
    _insert(database_url, device.key, [(now - 10, 50.0), (now + 10, 100.0)])
    for resident, value in zip(api.world.a.residents, (50.0, 100.0), strict=True):
        points = nurse.get(f"/api/v1/residents/{resident}/readings?metric=heart_rate&bucket=5m").json()["points"]
        assert [(point["avg"], point["count"]) for point in points] == [(value, 1)]


@pytest.mark.parametrize(("bucket", "source"), [("5m", "rollup_5m"), ("1h", "rollup_1h"), ("1d", "rollup_1h")])
def test_behind_the_late_window_rollups_take_over_without_seam(
    api: Api, database_url: str, bucket: str, source: str
) -> None:
    now = api.clock.time()
    key = api.world.a.devices[0].key
    width = {"5m": 300, "1h": 3600, "1d": 3600}[bucket]
    old = [now - 9 * 86_400 + index * 600 for index in range(12)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        for point in _twin([(t, 70.0 + index) for index, t in enumerate(old)], width):
            connection.execute(
                f"INSERT INTO {source} (device_key, metric, bucket, count, sum, min, max)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (key, HEART, point["t"], point["count"], point["avg"] * point["count"], point["min"], point["max"]),
            )
    _insert(database_url, key, [(now - 3600, 99.0)])
    points = (
        api.as_user("caregiver")
        .get(
            f"/api/v1/residents/{api.world.a.residents[0]}/readings",
            params={"metric": "heart_rate", "from": _iso(now - 10 * 86_400), "bucket": bucket},
        )
        .json()["points"]
    )
    assert sum(point["count"] for point in points) == 13
    assert points[-1]["avg"] == 99.0
    assert points[0]["min"] == 70.0
    assert [point["t"] for point in points] == sorted(point["t"] for point in points)
    mean = sum(point["avg"] * point["count"] for point in points[:-1]) / 12
    assert mean == pytest.approx(75.5)


@pytest.mark.parametrize(
    "query",
    [
        "metric=nonsense",
        "metric=heart_rate&bucket=7m",
        "metric=heart_rate&bucket=1m&from=2025-01-01T00:00:00Z",
        "metric=heart_rate&from=2025-11-24T00:00:00Z&to=2025-11-24T00:00:00Z",
        "metric=heart_rate&from=2025-11-24T00:00:00",
        "metric=heart_rate&from=0001-01-01T00:00:00Z&bucket=1d",
        "metric=heart_rate&to=9999-12-31T00:00:00Z&bucket=1d",
        "bucket=5m",
    ],
)
def test_what_cannot_be_answered_is_said(api: Api, query: str) -> None:
    answer = api.as_user("caregiver").get(f"/api/v1/residents/{api.world.a.residents[0]}/readings?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_too_many_raw_readings_are_refused(api: Api, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.residents.series.POINTS_MAX", 5)
    now = api.clock.time()
    _insert(database_url, api.world.a.devices[0].key, [(now - index, 70.0) for index in range(6)])
    path = f"/api/v1/residents/{api.world.a.residents[0]}/readings?metric=heart_rate&bucket=raw"
    nurse = api.as_user("caregiver")
    assert nurse.get(path).status_code == 422
    assert len(nurse.get(f"{path}&from={_iso(now - 4)}").json()["points"]) == 5


def test_latest_shows_family_only_what_is_consented(api: Api, database_url: str) -> None:
    now, key = api.clock.time(), api.world.a.devices[0].key
    for code, value in (("heart_rate", 72.0), ("lat", 29.5), ("steps", 900.0), ("battery", 80.0)):
        _latest(database_url, key, now, value, BY_CODE[code].id)
    path = f"/api/v1/residents/{api.world.a.residents[0]}/latest"
    seen = {
        role: [one["metric"] for one in api.as_user(role).get(path).json()["items"]] for role in ("caregiver", "family")
    }
    assert seen["caregiver"] == ["heart_rate", "steps", "lat", "battery"]
    assert seen["family"] == ["heart_rate", "steps", "battery"]


def test_the_timeline_merges_in_order_and_pages_without_loss(api: Api, database_url: str) -> None:
    a, now = api.world.a, from_unix(api.clock.time())
    nurse_id = a.users["caregiver"].id
    with psycopg.connect(database_url, autocommit=True) as connection:
        for number in range(6):
            connection.execute(
                "INSERT INTO events (device_key, event_id, institution_id, time, received, type)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    a.devices[0].key,
                    f"e{number}",
                    a.institution_id,
                    now - timedelta(minutes=number // 2),
                    now,
                    ("sos", "bed_exit", "geofence_exit")[number % 3],
                ),
            )
        alert = connection.execute(
            "INSERT INTO alerts (id, institution_id, resident_id, type, severity, source, occurred_at, opened_at,"
            " last_occurred_at) VALUES (gen_random_uuid(), %s, %s, 'sos', 'critical', 'event', %s, %s, %s)"
            " RETURNING id",
            (a.institution_id, a.residents[0], now, now, now),
        ).fetchone()
        assert alert is not None
        connection.execute(
            "INSERT INTO alert_entries (institution_id, seq, alert_id, at, kind, actor_id, actor)"
            " VALUES (%s, 1, %s, %s, 'acknowledged', %s, '李护士')",
            (a.institution_id, alert[0], now, nurse_id),
        )
    path = f"/api/v1/residents/{a.residents[0]}/timeline"
    nurse = api.as_user("caregiver")
    whole = nurse.get(path).json()["items"]
    assert sorted(one["kind"] for one in whole) == ["alert", "alert_action", "binding", *["event"] * 6]
    assert [one["t"] for one in whole] == sorted((one["t"] for one in whole), reverse=True)
    assert {one["title"]["zh"] for one in whole if one["kind"] == "alert"} == {"紧急呼叫"}
    paged, cursor = [], None
    while True:
        page = nurse.get(path, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        paged += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == whole
    types = {(one["kind"], one["type"]) for one in api.as_user("family").get(path).json()["items"]}
    assert types == {("alert", "sos"), ("alert_action", "sos"), ("event", "sos"), ("event", "bed_exit")}


@pytest.mark.parametrize("query", ["latest", "raw", "bucketed_raw", "bucketed_5m", "bucketed_1h", "bucketed_1d"])
def test_a_series_is_found_by_its_key_and_not_by_reading_everybodys(
    api: Api, make_pool_for: Callable[[DbRole], Pool], query: str
) -> None:
    """The tenant views are barriers: joined carelessly, the planner reads the whole tenant's series for one person."""
    end = api.clock.now()
    given = {
        "resident": api.world.a.residents[0], "metric": HEART, "metrics": [HEART], "start": end - timedelta(days=1),
        "end": end, "width": timedelta(minutes=5), "origin": end, "limit": 10,
    }  # fmt: skip
    with tenant_transaction(make_pool_for("api"), api.world.a.institution_id) as tx:
        tx.connection.execute("SET LOCAL enable_seqscan = off")
        rows = tx.connection.execute("EXPLAIN (COSTS OFF) " + sql(f"readings.{query}"), given).fetchall()
    conditions = [line for row in rows for line in row.values() if "Index Cond" in line and "metric" in line]
    assert conditions
    assert all("device_key = b.device_key" in line for line in conditions)
