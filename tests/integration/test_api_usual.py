"""What is usual, nights in bed, positions and limits in force over HTTP: against twins, and only where consented."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pytest

from core.clock import from_unix
from core.metrics import BY_CODE
from db import rollup
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from tests.integration.conftest import Api

ZONE = ZoneInfo("Asia/Shanghai")
Values = list[tuple[float, float]]


def _insert(database_url: str, device: int, code: str, values: Values) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.cursor().executemany(
            "INSERT INTO readings (device_key, metric, time, value, received) VALUES (%s, %s, %s, %s, %s)",
            [(device, BY_CODE[code].id, from_unix(t), value, from_unix(t)) for t, value in values],
        )


def _url(api: Api, name: str) -> str:
    return f"/api/v1/residents/{api.world.a.residents[0]}/{name}"


def _audited(database_url: str, action: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM audit_log WHERE action = %s", (action,)).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def hearts(api: Api, database_url: str, make_pool_for: Callable[[DbRole], Pool]) -> Values:
    """Ten days of a pulse each five minutes, faster by day, with some wild ones; rolled up."""
    rng, device = np.random.default_rng(3), api.world.a.devices[0].key
    today = api.clock.now().astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    times = np.arange(today - 10 * 86_400, today, 300) + 7.0
    hour = (times + 8 * 3600) % 86_400 // 3600
    beats = np.where(hour < 7, 58.0, 74.0) + rng.normal(0.0, 4.0, len(times))
    beats[rng.integers(0, len(times), 20)] = 160.0
    values = list(zip(times.tolist(), np.round(beats).tolist(), strict=True))
    _insert(database_url, device, "heart_rate", values)
    _insert(database_url, device, "spo2", [(t, 96.0) for t, _ in values[::4]])
    _insert(database_url, device, "bp_sys", [(values[n][0], 130.0 + n % 7) for n in range(0, len(values), 288)])
    with service_transaction(make_pool_for("jobs")) as tx:
        rollup.rebuild(tx, [device], values[0][0], values[-1][0] + 1.0)
    return values


def test_what_is_usual_equals_a_slow_twin(api: Api, hearts: Values) -> None:
    body = api.as_user("caregiver").get(_url(api, "baselines")).json()
    assert (body["time_zone"], body["robust_z"]) == ("Asia/Shanghai", 3.5)
    by_metric = {one["metric"]: one["hours"] for one in body["items"]}
    assert set(by_metric) == {"heart_rate", "spo2", "bp_sys"}
    for one in by_metric["heart_rate"]:
        mine = [value for t, value in hearts if (t + 8 * 3600) % 86_400 // 3600 == one["hour"]]
        median = float(np.median(mine))
        spread = max(1.4826 * float(np.median(np.abs(np.array(mine) - median))), 3.0)
        assert one["median"] == pytest.approx(median)
        assert (one["low"], one["high"]) == pytest.approx((median - 3.5 * spread, median + 3.5 * spread))
        assert (one["readings"], one["days"], one["known"]) == (120, 10, True)
    assert len(by_metric["heart_rate"]) == 24
    assert by_metric["heart_rate"][3]["median"] < 62 < 70 < by_metric["heart_rate"][12]["median"]
    assert {one["high"] for one in by_metric["spo2"]} == {None}
    assert not any(one["known"] for one in by_metric["spo2"])  # 30 readings an hour are too few
    (pressure,) = by_metric["bp_sys"]
    assert (pressure["hour"], pressure["known"]) == (None, True)


def test_what_is_usual_leaves_today_out_and_is_empty_for_whom_nothing_is_known(api: Api, database_url: str) -> None:
    _insert(database_url, api.world.a.devices[0].key, "heart_rate", [(api.clock.time() - 60, 190.0)])
    body = api.as_user("caregiver").get(_url(api, "baselines")).json()
    assert body["items"] == []
    assert body["last_day"] == str((api.clock.now().astimezone(ZONE) - timedelta(days=1)).date())


def test_nights_are_told_from_the_bed_sensor(api: Api, database_url: str) -> None:
    evening = (api.clock.now().astimezone(ZONE) - timedelta(days=2)).date()
    lies = datetime(evening.year, evening.month, evening.day, 22, tzinfo=ZONE).timestamp()
    values = [(lies + 300 * n - 3600, float(12 <= n < 108)) for n in range(130)]  # 21:00 to 07:50, in bed 22:00-06:00
    values[60] = (values[60][0], 0.0)
    _insert(database_url, api.world.a.devices[0].key, "bed", values)
    body = api.as_user("caregiver").get(_url(api, "nights")).json()
    assert len(body["items"]) == 14
    assert [one["evening"] for one in body["items"]] == sorted(one["evening"] for one in body["items"])
    (told,) = [one for one in body["items"] if one["spans"]]
    assert told["evening"] == str(evening)
    times = [datetime.fromisoformat(told[name]).astimezone(ZONE) for name in ("in_bed_at", "up_at")]
    assert [f"{one:%H:%M}" for one in times] == ["22:00", "06:00"]
    assert (told["times_up"], told["up_minutes"], told["in_bed_minutes"]) == (1, 5, 475)


def test_positions_are_whole_fixes_newest_first_in_pages(api: Api, database_url: str) -> None:
    device, now = api.world.a.devices[0].key, api.clock.time()
    fixes = [(now - 60.0 * n, 29.56 + n / 1000, 106.55) for n in range(5)]
    _insert(database_url, device, "lat", [(t, lat) for t, lat, _ in fixes])
    _insert(database_url, device, "lon", [(t, lon) for t, _, lon in fixes[:4]])  # the last one is no fix
    _insert(database_url, device, "loc_acc", [(t, 15.0) for t, _, _ in fixes[:3]])
    staff, found, cursor = api.as_user("caregiver"), [], None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        answer = staff.get(_url(api, "positions"), params=params).json()
        found += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    assert [(one["latitude"], one["accuracy_m"]) for one in found] == [
        (fixes[0][1], 15.0), (fixes[1][1], 15.0), (fixes[2][1], 15.0), (fixes[3][1], None),
    ]  # fmt: skip
    assert {one["device"] for one in found} == {api.world.a.devices[0].id}
    wrong = staff.get(_url(api, "positions"), params={"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"})
    assert wrong.status_code == 422


def test_family_sees_what_was_consented_and_every_look_leaves_a_row(api: Api, database_url: str) -> None:
    family = api.as_user("family")
    codes = {name: family.get(_url(api, name)).status_code for name in ("baselines", "nights", "positions")}
    assert codes == {"baselines": 200, "nights": 200, "positions": 403}  # location was not consented
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE consents SET withdrawn_at = now() WHERE scope IN ('health', 'activity')")
    codes = {name: family.get(_url(api, name)).status_code for name in ("baselines", "nights", "positions")}
    assert codes == {"baselines": 403, "nights": 403, "positions": 403}
    api.as_user("caregiver").get(_url(api, "positions"))
    actions = ("read_baselines", "read_nights", "read_positions")
    assert [_audited(database_url, action) for action in actions] == [1, 1, 1]


def test_limits_in_force_are_the_own_ones_beside_the_defaults(api: Api) -> None:
    staff = api.as_user("caregiver")
    staff.post(_url(api, "limits"), json={"metric": "heart_rate", "high": 135, "reason": "房颤"})
    api.clock.advance(1)
    body = staff.get(_url(api, "limits")).json()["in_force"]
    held = {one["metric"]: one for one in body}
    assert len(body) == len(held) == 7
    heart = held["heart_rate"]
    assert (heart["low"], heart["high"], heart["high_critical"], heart["own"]) == (45, 135, None, True)
    assert (held["spo2"]["high"], held["spo2"]["own"]) == (None, False)
    staff.delete(_url(api, "limits/heart_rate"))
    api.clock.advance(1)
    held = {one["metric"]: one for one in staff.get(_url(api, "limits")).json()["in_force"]}
    assert (held["heart_rate"]["high"], held["heart_rate"]["own"]) == (110, False)
