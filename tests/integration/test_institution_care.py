"""The care of the day through HTTP: plans from templates, tasks and their marks, notes that stay, hand-overs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from api.services import platform
from db.pool import DbRole, Pool
from tests.integration.conftest import Api
from tests.integration.test_institution_bills import to
from tests.integration.test_services_assessment import Flow

HOUSE = "/api/v1/institution"
PLANS = "/api/v1/services/health/plans"
MONDAY_8 = datetime(2026, 3, 2, tzinfo=UTC)
"""Monday, eight in the morning in China."""
TEMPLATE = {
    "problems": "中度失能",
    "goals": "无压疮",
    "measures": [
        {"what": "翻身", "times": ["08:00", "20:00"]},
        {"what": "助浴", "times": ["09:00"], "weekdays": [2, 5]},
        {"what": "测体重", "times": ["07:00"], "every_days": 7},
        {"what": "夜间巡视"},
    ],
}


@pytest.fixture
def plan(api: Api) -> str:
    """A plan of the first resident (level 2) from the house's template, in force since Monday morning."""
    to(api, MONDAY_8)
    admin, resident = api.as_user("admin"), str(api.world.a.residents[0])
    admin.patch(f"/api/v1/residents/{resident}", json={"care_level": 2})
    assert admin.post(PLANS, json={"resident_id": resident}).status_code == 422, "no template, no measures"
    assert admin.put(f"{HOUSE}/plan-templates/2", json=TEMPLATE).status_code == 200
    made = admin.post(PLANS, json={"resident_id": resident, "goals": "无压疮，无跌倒"}).json()
    assert (made["detail"]["problems"], made["detail"]["goals"]) == ("中度失能", "无压疮，无跌倒")
    assert [one["what"] for one in made["detail"]["measures"]] == ["翻身", "助浴", "测体重", "夜间巡视"]
    assert admin.post(f"{PLANS}/{made['id']}/activate", json={"review_on": "2026-06-01"}).status_code == 200
    return str(made["id"])


def tasks(client: Any, **params: str) -> list[tuple[str, str, str]]:
    items = client.get(f"{HOUSE}/tasks", params=params).json()["items"]
    return [(one["due_at"][11:16], one["what"], one["state"]) for one in items]


def test_tasks_of_a_day_follow_from_the_plan(api: Api, plan: str) -> None:
    staff = api.as_user("caregiver")
    assert tasks(staff) == [("23:00", "测体重", "due"), ("00:00", "翻身", "due"), ("12:00", "翻身", "due")]
    tuesday = [("00:00", "翻身", "due"), ("01:00", "助浴", "due"), ("12:00", "翻身", "due")]
    assert tasks(staff, day="2026-03-03") == tuesday
    assert tasks(staff, day="2026-03-09")[0] == ("23:00", "测体重", "due")
    assert tasks(staff, day="2026-03-01") == [], "not yet in force"
    first = staff.get(f"{HOUSE}/tasks", params={"limit": "2"}).json()
    rest = staff.get(f"{HOUSE}/tasks", params={"limit": "2", "cursor": first["next"]}).json()
    assert (len(first["items"]), [one["what"] for one in rest["items"]], rest["next"]) == (2, ["翻身"], None)


def test_a_task_is_marked_once(api: Api, plan: str) -> None:
    staff = api.as_user("caregiver")
    mark = {"plan_id": plan, "measure": 0, "due_at": MONDAY_8.isoformat(), "result": "done"}
    for _ in range(2):
        assert staff.post(f"{HOUSE}/tasks/mark", json=mark).json()["state"] == "done"
    assert staff.post(f"{HOUSE}/tasks/mark", json=mark | {"result": "refused"}).status_code == 409
    evening = (MONDAY_8 + timedelta(hours=12)).isoformat()
    assert staff.post(f"{HOUSE}/tasks/mark", json=mark | {"due_at": evening}).status_code == 422, "not due yet"
    odd = (MONDAY_8 + timedelta(minutes=1)).isoformat()
    assert staff.post(f"{HOUSE}/tasks/mark", json=mark | {"due_at": odd}).status_code == 422, "no such task"
    assert tasks(staff, status="done") == [("00:00", "翻身", "done")]
    to(api, MONDAY_8 + timedelta(hours=13, minutes=1))
    assert tasks(api.as_user("caregiver"), status="missed") == [
        ("23:00", "测体重", "missed"),
        ("12:00", "翻身", "missed"),
    ]
    other = api.as_user("caregiver", api.world.b)
    assert other.post(f"{HOUSE}/tasks/mark", json=mark).status_code == 404


def test_a_new_level_asks_for_a_review_and_the_plan_goes_on_meanwhile(api: Api, plan: str) -> None:
    flow = Flow(api)
    flow.to_valid(40)
    staff = api.as_user("caregiver")
    one = staff.get(f"{PLANS}/{plan}").json()
    assert (one["state"], one["detail"]["care_level"]) == ("review", 2)
    events = staff.get(f"{PLANS}/{plan}/history").json()["items"]
    assert (events[-1]["action"], "照护等级已变更" in events[-1]["detail"]["note"]) == ("review", True)
    assert len(tasks(staff)) > 0


def test_a_review_that_is_due_is_asked_for(api: Api, plan: str, make_pool_for: Callable[[DbRole], Pool]) -> None:
    api.clock.advance(timedelta(days=92))
    assert platform.act_on_past_due(make_pool_for("jobs"), api.clock) == 1
    assert api.as_user("caregiver").get(f"{PLANS}/{plan}").json()["state"] == "review"


def test_a_note_stays_and_is_corrected_beside_itself(api: Api) -> None:
    staff, family = api.as_user("caregiver"), api.as_user("family")
    notes = f"/api/v1/residents/{api.world.a.residents[0]}/notes"
    body = {"kind": "observation", "text": "午餐进食八成", "important": True}
    first = staff.post(notes, json=body, headers={"Idempotency-Key": "n"})
    again = staff.post(notes, json=body, headers={"Idempotency-Key": "n"})
    assert (first.status_code, again.status_code, first.json()["id"]) == (201, 200, again.json()["id"])
    one = f"{notes}/{first.json()['id']}"
    corrected = staff.post(f"{one}/correct", json={"text": "午餐进食五成", "reason": "记错"})
    assert corrected.status_code == 201
    assert staff.post(f"{one}/correct", json={"text": "x", "reason": "x"}).status_code == 409, "no longer the newest"
    assert [(note["text"], note["version"]) for note in staff.get(notes).json()["items"]] == [("午餐进食五成", 2)]
    versions = staff.get(f"{notes}/{corrected.json()['id']}/versions").json()["items"]
    assert [note["text"] for note in versions] == ["午餐进食五成", "午餐进食八成"]
    assert staff.post(notes, json=body | {"observed_at": "2100-01-01T00:00:00Z"}).status_code == 422
    assert family.get(notes).status_code == 403
    elsewhere = f"/api/v1/residents/{api.world.a.residents[1]}/notes/{first.json()['id']}/versions"
    assert staff.get(elsewhere).status_code == 404


def test_notes_cannot_be_changed_by_those_who_serve(make_pool_for: Callable[[DbRole], Pool]) -> None:

    for statement in ("UPDATE nursing_notes SET text = 'x'", "DELETE FROM nursing_notes",
                      "UPDATE account_entries SET amount = 1", "DELETE FROM care_task_marks"):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege), make_pool_for("api").connection() as connection:
            connection.execute(statement)


def test_a_shift_hands_on_what_the_next_must_know(api: Api, plan: str) -> None:
    staff, admin = api.as_user("caregiver"), api.as_user("admin")
    notes = f"/api/v1/residents/{api.world.a.residents[0]}/notes"
    staff.post(notes, json={"kind": "skin", "text": "骶尾部发红", "important": True})
    staff.post(notes, json={"kind": "meal", "text": "早餐正常"})
    mark = {"plan_id": plan, "measure": 0, "due_at": MONDAY_8.isoformat(), "result": "refused", "note": "拒绝翻身"}
    staff.post(f"{HOUSE}/tasks/mark", json=mark)
    incident = {"title": "走廊滑倒", "category": "fall", "level": "minor", "occurred_at": MONDAY_8.isoformat(),
                "description": "无伤"}  # fmt: skip
    assert staff.post(f"{HOUSE}/incidents", json=incident).status_code == 201
    to(api, MONDAY_8 + timedelta(hours=8))
    staff, admin = api.as_user("caregiver"), api.as_user("admin")
    span = {"begins": MONDAY_8.isoformat(), "ends": (MONDAY_8 + timedelta(hours=8)).isoformat()}
    shift = staff.get(f"{HOUSE}/shift", params=span).json()
    assert [note["text"] for note in shift["notes"]] == ["骶尾部发红"]
    assert [(task["what"], task["state"]) for task in shift["tasks"]] == [("翻身", "refused")]
    assert [(one["kind"], one["action"]) for one in shift["records"]] == [("incident", "create")]
    long = span | {"ends": (MONDAY_8 + timedelta(hours=40)).isoformat()}
    assert staff.get(f"{HOUSE}/shift", params=long).status_code == 422
    body = {"title": "3 月 2 日白班", "starts_at": span["begins"], "ends_at": span["ends"], "words": "208 室注意皮肤"}
    given = staff.post(f"{HOUSE}/handovers", json=body).json()
    assert (given["state"], given["detail"]["notes"]) == ("given", [shift["notes"][0]["id"]])
    one = f"{HOUSE}/handovers/{given['id']}"
    assert staff.post(f"{one}/take", json={}).status_code == 403, "by somebody else"
    assert admin.post(f"{one}/take", json={}).json()["state"] == "taken"
