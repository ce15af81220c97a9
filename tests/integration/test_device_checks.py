"""Safety devices are tried at intervals: tests, announced drills and a person's word tick; what is overdue is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alerts import checks
from alerts.events import EventHandler
from core.clock import ManualClock
from core.vocabulary import Outcome
from db.pool import Pool
from tests.fixtures.world import World
from tests.integration.alerts_kit import Database, drain, make_outbox, receiver
from tests.integration.conftest import Api

WEEK = 7 * 86_400


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def pool(make_pool_for: Callable[[str], Pool]) -> Pool:
    return make_pool_for("alerts")


@pytest.fixture
def handler(pool: Pool, clock: ManualClock) -> EventHandler:
    return EventHandler(pool, clock)


def due(api: Api, state: str) -> list[str]:
    answer = api.as_user("caregiver").get(f"/api/v1/devices/checks?state={state}")
    assert answer.status_code == 200, answer.text
    return [item["device"] for item in answer.json()["items"]]


def overdue_alerts(base: Database) -> list[tuple[int, str]]:
    rows = base.rows("SELECT device_key, state, outcome FROM alerts WHERE type = 'check_overdue' ORDER BY device_key")
    return [(row["device_key"], row["state"]) for row in rows]


def test_a_device_that_was_not_tried_for_a_week_is_overdue_and_told_once(
    api: Api, base: Database, world: World, pool: Pool, handler: EventHandler, clock: ManualClock
) -> None:
    assert due(api, "all") == ["band-a1", "band-a2"], "a motion sensor and what serves nobody are not tried"
    assert due(api, "overdue") == []
    assert checks.raise_overdue(pool, clock, 7) == 0
    clock.step(WEEK + 1)
    assert due(api, "overdue") == ["band-a1", "band-a2"]
    assert checks.raise_overdue(pool, clock, 7) == 4, "two at each institution"
    assert checks.raise_overdue(pool, clock, 7) == 0, "told once"
    base.event(world.a, "test", "t-1", device=0)
    handler.handle_all()
    base.event(world.a, "test", "t-1b", device=0)
    handler.handle_all()
    assert due(api, "overdue") == ["band-a2"]
    assert checks.raise_overdue(pool, clock, 7) == 1
    first = world.a.devices[0].key
    assert (first, "resolved") in overdue_alerts(base)
    assert sum(state != "resolved" for _, state in overdue_alerts(base)) == 3
    history = api.as_user("admin").get("/api/v1/devices/band-a1/checks").json()["items"]
    assert [(one["how"], one["result"]) for one in history] == [("test_event", "passed")] * 2


def test_however_many_are_overdue_each_is_told_and_made_up_for(
    base: Database, world: World, pool: Pool, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "TURN_MAX", 1)
    clock.step(WEEK + 1)
    assert checks.raise_overdue(pool, clock, 7) == 4
    monthly = EventHandler(pool, clock, check_days=30)
    base.event(world.a, "test", "t-1", device=0)
    monthly.handle_all()
    assert checks.raise_overdue(pool, clock, 7) == 1
    (row,) = base.rows("SELECT due_at, done_at FROM device_checks")
    assert row["due_at"] > row["done_at"], "by the platform's interval of thirty days it was not due yet"


def test_a_person_s_check_needs_a_note_and_a_failed_one_stays_due(api: Api, clock: ManualClock) -> None:
    clock.step(WEEK + 1)
    nurse = api.as_user("caregiver")
    path = "/api/v1/devices/band-a1/checks"
    assert nurse.post(path, json={"result": "passed", "note": " "}).status_code == 422
    assert nurse.post("/api/v1/devices/spare-a/checks", json={"result": "passed", "note": "x"}).status_code in (
        400,
        422,
    )
    assert nurse.post(path, json={"result": "failed", "note": "按钮卡住"}).status_code == 204
    assert due(api, "overdue") == ["band-a1", "band-a2"]
    clock.step(60)
    assert nurse.post(path, json={"result": "passed", "note": "已更换，值班台收到呼叫"}).status_code == 204
    assert due(api, "overdue") == ["band-a2"]
    (newest, older) = nurse.get(path).json()["items"]
    assert (newest["result"], newest["done_by"], older["result"]) == ("passed", "caregiver a", "failed")


def test_an_interval_of_a_model_goes_before_its_kind_s(api: Api, base: Database, clock: ManualClock) -> None:
    base.rows("UPDATE devices SET model = 'W1' WHERE id = 'band-a1'")
    admin = api.as_user("admin")
    for body in ({"kind": "wristband", "days": 30}, {"kind": "wristband", "model": "W1", "days": 2}):
        assert admin.put("/api/v1/devices/checks/intervals", json=body).status_code == 204
    assert admin.put("/api/v1/devices/checks/intervals", json={"kind": "pir", "days": 2}).status_code in (400, 422)
    items = admin.get("/api/v1/devices/checks").json()["items"]
    assert {item["device"]: item["interval_days"] for item in items} == {"band-a1": 2, "band-a2": 30}
    clock.step(3 * 86_400)
    assert due(api, "overdue") == ["band-a1"]


def announce(api: Api, device: str = "band-a1", minutes: int = 10) -> None:
    answer = api.as_user("caregiver").post(f"/api/v1/devices/{device}/drill", json={"minutes": minutes})
    assert answer.status_code == 201, answer.text


def test_pain_46_a_drill_pages_says_so_first_and_is_counted_apart(
    api: Api, base: Database, world: World, pool: Pool, handler: EventHandler, clock: ManualClock
) -> None:
    announce(api)
    with receiver() as phone:
        base.channel(world.a, phone.url, user=world.a.users["caregiver"].id)
        clock.step(60)
        base.event(world.a, "sos", "drill-1")
        handler.handle_all()
        drain(make_outbox(pool, clock))
        (page,) = phone.bodies()
    assert page["message"]["title"].startswith("【演练 DRILL】")
    assert page["message"]["body"].startswith("【演练 DRILL】")
    alert = base.alert()
    assert (alert["type"], alert["severity"], alert["evidence"]["test"]) == ("sos", "critical", True)
    (tick,) = base.rows("SELECT how, result, event_id FROM device_checks")
    assert tick == {"how": "drill", "result": "passed", "event_id": "drill-1"}
    nurse = api.as_user("caregiver")
    answer = nurse.post(f"/api/v1/alerts/{alert['id']}/resolve", json={"outcome": Outcome.TEST})
    assert answer.status_code == 200, answer.text
    kpi = _kpi(api, clock)
    assert (kpi["alerts"], kpi["tests"]) == (1, 1)
    base.event(world.a, "sos", "real-1")
    handler.handle_all()
    (real,) = base.rows("SELECT evidence FROM alerts WHERE state <> 'resolved'")
    assert "test" not in real["evidence"], "the window was used up"


def test_a_call_in_earnest_during_an_open_drill_is_one_in_earnest(
    api: Api, base: Database, world: World, pool: Pool, handler: EventHandler, clock: ManualClock
) -> None:
    announce(api)
    with receiver() as phone:
        base.channel(world.a, phone.url, user=world.a.users["caregiver"].id)
        base.event(world.a, "sos", "drill-1")
        handler.handle_all()
        base.event(world.a, "sos", "real-1")
        handler.handle_all()
        drain(make_outbox(pool, clock))
        titles = [body["message"]["title"] for body in phone.bodies()]
    assert len(titles) == 2
    assert sorted("演练" in title for title in titles) == [False, True], titles
    assert "test" not in base.alert()["evidence"]
    assert _kpi(api, clock)["tests"] == 0


@pytest.mark.parametrize(("minutes_later", "pressed_before"), [(11, 0), (5, 60)])
def test_outside_the_window_or_pressed_before_it_is_no_drill(
    api: Api, base: Database, world: World, handler: EventHandler, clock: ManualClock, minutes_later: int,
    pressed_before: int,
) -> None:  # fmt: skip
    announce(api)
    clock.step(minutes_later * 60)
    base.event(world.a, "sos", "press", at=clock.now() - timedelta(minutes=pressed_before))
    base.event(world.a, "sos", "other", device=1)
    handler.handle_all()
    assert all("test" not in row["evidence"] for row in base.rows("SELECT evidence FROM alerts"))
    assert base.rows("SELECT 1 FROM device_checks") == []


def test_a_drill_is_refused_where_it_would_prove_nothing(api: Api) -> None:
    nurse = api.as_user("caregiver")
    assert nurse.post("/api/v1/devices/spare-a/drill", json={"minutes": 5}).status_code == 409
    assert nurse.post("/api/v1/devices/band-a1/drill", json={"minutes": 0}).status_code == 422
    assert nurse.post("/api/v1/devices/band-b1/drill", json={"minutes": 5}).status_code == 404


def _kpi(api: Api, clock: ManualClock) -> dict[str, Any]:
    span = {"from": (clock.now() - timedelta(days=1)).isoformat(), "to": (clock.now() + timedelta(days=1)).isoformat()}
    answer = api.as_user("admin").get("/api/v1/alerts/kpi", params=span)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found.get("all", found)


def test_a_silence_holds_an_overdue_check_back_once(
    base: Database, world: World, pool: Pool, clock: ManualClock
) -> None:
    clock.step(WEEK + 1)
    key = world.a.devices[0].key
    base.rows(
        "INSERT INTO silences (id, institution_id, author_id, reason, device_key, starts_at, ends_at, created_at)"
        " VALUES (gen_random_uuid(), %s, %s, 'repair', %s, %s, %s, %s)",
        world.a.institution_id, world.a.users["admin"].id, key, clock.now(), clock.now() + timedelta(hours=1),
        clock.now(),
    )  # fmt: skip
    assert checks.raise_overdue(pool, clock, 7) == 4
    assert checks.raise_overdue(pool, clock, 7) == 0
    assert key not in {device for device, _ in overdue_alerts(base)}
    assert len(base.rows("SELECT 1 FROM alert_suppressions WHERE type = 'check_overdue'")) == 1
