"""The rota over HTTP: shifts, swaps, absences, hand-over, calendars, who is on duty, and who would be paged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from alerts.events import EventHandler
from core.clock import ManualClock
from core.ids import new_id
from db.pool import Pool
from tests.fixtures.world import World, _password_hash
from tests.integration.alerts_kit import Database, drain, make_outbox, receiver
from tests.integration.conftest import Api

V1 = "/api/v1"
ROTA = f"{V1}/rota"


@pytest.fixture
def base(database_url: str, clock: ManualClock) -> Database:
    return Database(database_url, clock)


@pytest.fixture
def colleague(database_url: str, world: World, clock: ManualClock) -> str:
    """A second caregiver of institution a, who has not gone on duty by hand; nor has the first."""
    user = new_id(clock)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO users (id, institution_id, username, password_hash, role, name, created_at)"
            " VALUES (%s, %s, 'wang-a', %s, 'caregiver', '王护士', %s)",
            (user, world.a.institution_id, _password_hash(), clock.now()),
        )
        connection.execute("UPDATE users SET on_duty = false")
    return str(user)


def nurse(world: World) -> str:
    return str(world.a.users["caregiver"].id)


def night(user: str, **given: Any) -> dict[str, Any]:
    return {
        "user_id": user, "title": "夜班", "starts_on": "2025-11-01", "start_time": "22:00", "end_time": "06:00",
        "rule": "FREQ=DAILY", "note": "看203", **given,
    }  # fmt: skip


def at(api: Api, moment: datetime, **given: Any) -> list[str]:
    answer = api.as_user("caregiver").get(f"{ROTA}/on-duty", params={"at": moment.isoformat(), **given}).json()
    assert answer["nobody"] == (not answer["items"])
    return [item["name"] for item in answer["items"]]


def test_a_night_shift_from_saving_to_being_on_duty(api: Api, world: World, colleague: str, clock: ManualClock) -> None:
    admin, zone = api.as_user("admin"), ZoneInfo("Asia/Shanghai")
    made = admin.post(f"{ROTA}/shifts", json=night(colleague, floors=["2"]))
    assert made.status_code == 201, made.text
    shift = made.json()
    assert (shift["end_day"], shift["user_name"]) == (1, "王护士")
    begin = datetime(2025, 12, 1, 22, tzinfo=zone)
    assert at(api, begin - timedelta(seconds=1)) == []
    assert at(api, begin) == ["王护士"]
    assert at(api, begin + timedelta(hours=8)) == []
    assert at(api, begin, floor="2") == at(api, begin, floor="5") == ["王护士"], (
        "one floor further is better than nobody"
    )
    answer = api.as_user("caregiver").get(f"{ROTA}/on-duty", params={"at": begin.isoformat(), "floor": "5"}).json()
    assert answer["of_floor"] is False
    assert answer["items"][0]["note"] == "看203"
    changed = admin.put(f"{ROTA}/shifts/{shift['id']}", json=night(colleague, except_on=["2025-12-01"]))
    assert changed.json()["version"] == 2
    assert at(api, begin) == []
    assert admin.delete(f"{ROTA}/shifts/{shift['id']}").status_code == 204
    assert admin.get(f"{ROTA}/shifts/{shift['id']}").status_code == 404
    assert api.as_user("caregiver").post(f"{ROTA}/shifts", json=night(colleague)).status_code == 403


def test_pain_36_a_house_abroad_keeps_its_wall_clock(api: Api, world: World, colleague: str) -> None:
    """The night on which the clocks go back has nine hours of duty, and the one before the change eight."""
    admin, zone = api.as_user("admin"), ZoneInfo("Europe/Berlin")
    body = night(colleague, zone="Europe/Berlin", starts_on="2025-01-01")
    assert admin.post(f"{ROTA}/shifts", json=body).status_code == 201
    params = {"from": "2025-10-24T12:00:00Z", "to": "2025-10-26T12:00:00Z"}
    items = admin.get(f"{ROTA}/plan", params=params).json()["items"]
    spans = [(datetime.fromisoformat(i["begins_at"]), datetime.fromisoformat(i["ends_at"])) for i in items]
    assert [(e - b).total_seconds() / 3600 for b, e in spans] == [8, 9]
    assert {(b.astimezone(zone).hour, e.astimezone(zone).hour) for b, e in spans} == {(22, 6)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars/Base"}, {"rule": "FREQ=SECONDLY"}, {"end_day": 0}, {"starts_on": "1800-01-01"},
        {"start_time": "22:00+08:00"}, {"end_day": 9}, {"floors": ["1,2"]}, {"rule": "FREQ=DAILY;COUNT=9999"},
    ],
)  # fmt: skip
def test_shifts_that_cannot_be_meant_are_refused(api: Api, world: World, wrong: dict[str, Any]) -> None:
    answer = api.as_user("admin").post(f"{ROTA}/shifts", json=night(nurse(world), **wrong))
    assert answer.status_code == 422, answer.text


def test_a_swap_counts_once_the_other_accepts(api: Api, world: World, colleague: str) -> None:
    admin, mine = api.as_user("admin"), api.as_user("caregiver")
    shift = admin.post(f"{ROTA}/shifts", json=night(nurse(world))).json()["id"]
    begin = datetime(2025, 12, 1, 23, tzinfo=ZoneInfo("Asia/Shanghai"))
    asked = {"on": "2025-12-01", "user_id": colleague}
    assert mine.post(f"{ROTA}/shifts/{shift}/swaps", json={**asked, "on": "2025-10-01"}).status_code == 422
    swap = mine.post(f"{ROTA}/shifts/{shift}/swaps", json=asked)
    assert (swap.status_code, swap.json()["accepted_at"]) == (201, None)
    assert at(api, begin) == ["caregiver a"], "until then the shift stays whose it was"
    assert mine.post(f"{ROTA}/shifts/{shift}/swaps", json=asked).status_code == 409
    assert mine.post(f"{ROTA}/swaps/{swap.json()['id']}/accept").status_code == 403
    assert admin.post(f"{ROTA}/swaps/{swap.json()['id']}/accept").status_code == 200
    assert at(api, begin) == ["王护士"]
    assert at(api, begin + timedelta(days=1)) == ["caregiver a"]
    assert len(mine.get(f"{ROTA}/swaps").json()["items"]) == 1
    assert mine.delete(f"{ROTA}/swaps/{swap.json()['id']}").status_code == 204
    assert at(api, begin) == ["caregiver a"]


def test_who_is_absent_is_not_on_duty(api: Api, world: World, colleague: str) -> None:
    admin, mine = api.as_user("admin"), api.as_user("caregiver")
    admin.post(f"{ROTA}/shifts", json=night(nurse(world)))
    begin = datetime(2025, 12, 1, 23, tzinfo=ZoneInfo("Asia/Shanghai"))
    absence = {
        "user_id": nurse(world), "begins_at": begin.isoformat(), "ends_at": (begin + timedelta(hours=2)).isoformat()
    }  # fmt: skip
    made = mine.post(f"{ROTA}/absences", json={**absence, "reason": "病假"})
    assert made.status_code == 201, made.text
    assert mine.post(f"{ROTA}/absences", json={**absence, "user_id": colleague}).status_code == 403
    assert (at(api, begin), at(api, begin + timedelta(hours=2))) == ([], ["caregiver a"])
    assert [one["reason"] for one in mine.get(f"{ROTA}/absences").json()["items"]] == ["病假"]
    assert mine.delete(f"{ROTA}/absences/{made.json()['id']}").status_code == 204
    assert at(api, begin) == ["caregiver a"]


def test_one_shift_tells_the_next(api: Api, world: World, clock: ManualClock) -> None:
    mine = api.as_user("caregiver")
    assert mine.post(f"{ROTA}/handovers", json={"note": ""}).status_code == 422
    assert mine.post(f"{ROTA}/handovers", json={"note": "203 血压偏高"}).status_code == 201
    clock.advance(60)
    shown = mine.get(f"{ROTA}/on-duty").json()["handovers"]
    assert [(note["note"], note["author"]) for note in shown] == [("203 血压偏高", "caregiver a")]
    assert len(mine.get(f"{ROTA}/handovers").json()["items"]) == 1


def test_a_calendar_goes_out_and_comes_back(api: Api, world: World, colleague: str) -> None:
    admin = api.as_user("admin")
    shift = admin.post(f"{ROTA}/shifts", json=night(nurse(world), floors=["2"])).json()
    admin.post(f"{ROTA}/shifts/{shift['id']}/swaps", json={"on": "2025-12-01", "user_id": colleague})
    text = admin.get(f"{ROTA}/calendar")
    assert text.headers["content-type"].startswith("text/calendar")
    assert "RECURRENCE-ID" in text.text
    headers = {"Content-Type": "text/calendar"}
    again = admin.post(f"{ROTA}/calendar", content=text.content, headers=headers)
    assert again.json() == {"added": 0, "changed": 0, "swaps": 0}, again.text
    admin.delete(f"{ROTA}/shifts/{shift['id']}")
    back = admin.post(f"{ROTA}/calendar", content=text.content, headers=headers)
    assert back.json() == {"added": 1, "changed": 0, "swaps": 1}
    (found,) = admin.get(f"{ROTA}/shifts").json()["items"]
    same = ("user_id", "title", "start_time", "end_time", "end_day", "rule", "floors", "note", "zone")
    assert {name: found[name] for name in same} == {name: shift[name] for name in same}
    assert at(api, datetime(2025, 12, 1, 23, tzinfo=ZoneInfo("Asia/Shanghai"))) == ["王护士"]
    broken = text.content.replace(b"caregiver-a", b"nobody-x").replace(b"caregiver a", b"nobody x")
    assert admin.post(f"{ROTA}/calendar", content=broken, headers=headers).status_code == 422
    assert len(admin.get(f"{ROTA}/shifts").json()["items"]) == 1, "all of it or nothing"
    assert api.as_user("caregiver").post(f"{ROTA}/calendar", content=b"x").status_code == 403


def test_another_institution_has_a_rota_of_its_own(api: Api, world: World) -> None:
    shift = api.as_user("admin").post(f"{ROTA}/shifts", json=night(nurse(world))).json()["id"]
    theirs = api.as_user("admin", world.b)
    assert theirs.get(f"{ROTA}/shifts").json()["items"] == []
    assert theirs.get(f"{ROTA}/shifts/{shift}").status_code == 404
    assert theirs.put(f"{ROTA}/shifts/{shift}", json=night(str(world.b.users["caregiver"].id))).status_code == 404
    assert theirs.delete(f"{ROTA}/shifts/{shift}").status_code == 404
    body = {"on": "2025-12-01", "user_id": str(world.b.users["caregiver"].id)}
    assert theirs.post(f"{ROTA}/shifts/{shift}/swaps", json=body).status_code == 404
    assert theirs.post(f"{ROTA}/shifts", json=night(nurse(world))).status_code == 404


def test_a_preview_says_whom_a_page_then_reaches(
    api: Api, base: Database, world: World, make_pool_for: Callable[[str], Pool], clock: ManualClock, colleague: str
) -> None:
    """The preview and the real thing, side by side: the same people, at the same seconds."""
    admin, pool = api.as_user("admin"), make_pool_for("alerts")
    admin.post(f"{ROTA}/shifts", json=night(colleague, start_time="00:00", end_time="00:00"))
    with receiver() as phone:
        base.channel(world.a, phone.url, user=world.a.users["family"].id)
        body = {"alert_type": "sos", "resident_id": str(world.a.residents[0])}
        shown = admin.post(f"{V1}/escalation-plans/preview", json=body)
        assert shown.status_code == 200, shown.text
        steps = shown.json()["steps"]
        assert base.rows("SELECT 1 FROM outbox") == [], "a preview pages nobody"
        base.event(world.a, "sos", "p1")
        EventHandler(pool, clock).handle_all()
        from alerts import escalation

        clock.advance(600)
        escalation.tick(pool, clock)
        drain(make_outbox(pool, clock))
    entries = base.rows("SELECT data FROM alert_entries WHERE kind = 'paged' ORDER BY seq")
    real = [(row["data"]["whom"], [r["key"] for r in row["data"]["recipients"]]) for row in entries]
    assert [(step["whom"], [one["key"] for one in step["recipients"]]) for step in steps] == real
    assert steps[0]["recipients"][0]["name"] == "王护士"
    assert steps[1]["recipients"][0]["channels"] == ["console", "http"]
    draft = [{"after_seconds": 0, "whom": "contact:9"}, {"after_seconds": 60, "whom": "desk"}]
    nobody = admin.post(f"{V1}/escalation-plans/preview", json={**body, "steps": draft}).json()["steps"][0]
    assert (nobody["recipients"], "没有此联系人" in nobody["notes"][0]) == ([], True)


def test_pain_34_steps_that_reach_nobody_here_are_refused_and_plans_can_go(
    api: Api, base: Database, world: World
) -> None:
    admin = api.as_user("admin")
    steps = [{"after_seconds": 0, "whom": "rescue"}, {"after_seconds": 60, "whom": "desk"}]
    plan = {"alert_type": "sos", "building": "2", "steps": steps}
    assert "no rescue channel" in admin.put(f"{V1}/escalation-plans", json=plan).json()["detail"]
    channel = {"kind": "webhook", "target": "https://rescue.example/x", "purpose": "rescue"}
    assert admin.post(f"{V1}/notification-channels", json={**channel, "is_public": True}).status_code == 422
    made = admin.post(f"{V1}/notification-channels", json=channel).json()
    assert (made["owner"], made["health"]["ok"], made["health"]["success_share"]) == ("rescue", None, None)
    assert admin.put(f"{V1}/escalation-plans", json=plan).status_code == 200
    assert [one["building"] for one in admin.get(f"{V1}/escalation-plans").json()["items"]] == ["", "2"]
    params = {"alert_type": "sos", "building": "2"}
    assert admin.delete(f"{V1}/escalation-plans", params=params).status_code == 204
    assert admin.delete(f"{V1}/escalation-plans", params=params).status_code == 404


def test_channels_show_their_health(
    api: Api, base: Database, world: World, make_pool_for: Callable[[str], Pool], clock: ManualClock
) -> None:
    pool = make_pool_for("alerts")
    with receiver(lambda n: 500 if n == 1 else 200) as phone:
        base.channel(world.a, phone.url, user=world.a.users["caregiver"].id)
        base.event(world.a, "sos", "p1")
        EventHandler(pool, clock).handle_all()
        outbox = make_outbox(pool, clock)
        for _ in range(2):
            drain(outbox)
            clock.advance(2)
    (one,) = api.as_user("admin").get(f"{V1}/notification-channels").json()["items"]
    health = one["health"]
    assert (health["sent"], health["failed"], health["success_share"], health["ok"]) == (1, 1, 0.5, True)
    assert health["last_error"] == "the receiver answered 500"
    clock.advance(7 * 86_400)
    (one,) = api.as_user("admin").get(f"{V1}/notification-channels").json()["items"]
    assert one["health"]["sent"] == 0, "the last seven days"


def test_settings_of_pages(api: Api, world: World) -> None:
    admin, url = api.as_user("admin"), f"{V1}/alert-settings"
    assert admin.get(url).json() == {
        "pages_per_minute_max": 6, "unseen_seconds": 60, "version": 0, "updated_at": None
    }  # fmt: skip
    assert admin.put(url, json={"pages_per_minute_max": 0, "unseen_seconds": 60}).status_code == 422
    assert admin.put(url, json={"pages_per_minute_max": 3, "unseen_seconds": 90}).json()["version"] == 1
    assert api.as_user("caregiver").get(url).json()["pages_per_minute_max"] == 3
    assert api.as_user("admin", world.b).get(url).json()["version"] == 0
