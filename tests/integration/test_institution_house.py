"""Staff, licences, what runs out, incidents, complaints: kept by the house, counted for the regulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from api.institution.expiry import warn_of_expiry
from api.services import platform
from core.days import local_day
from core.ids import new_id
from db.pool import DbRole, Pool
from tests.fixtures.world import PASSWORD
from tests.integration.conftest import Api
from tests.integration.test_institution_stays import bed, moved_in
from tests.integration.test_supervision import BASE, facility, row

HOUSE = "/api/v1/institution"
COMPLAINTS = f"{HOUSE}/complaints"
INCIDENTS = f"{HOUSE}/incidents"


def in_days(api: Api, days: int) -> str:
    return (local_day(api.clock.now()) + timedelta(days=days)).isoformat()


def act(client: Any, one: str, action: str, body: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
    answer = client.post(f"{one}/{action}", json=body or {})
    assert answer.status_code == status, f"{action}: {answer.status_code} {answer.text}"
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def second_admin(api: Api, database_url: str) -> Any:
    """Another administrator of institution a."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO users (id, institution_id, username, password_hash, role, name, created_at)"
            " SELECT %s, institution_id, 'second', password_hash, 'admin', '副院长', created_at FROM users"
            " WHERE username = 'admin-a'",
            (new_id(api.clock),),
        )
    token = api.anonymous.post("/api/v1/auth/token", data={"username": "second", "password": PASSWORD}).json()
    client = api.as_user("caregiver")
    client.headers["Authorization"] = f"Bearer {token['access_token']}"
    return client


def test_posts_papers_trainings_and_filings_of_staff(api: Api) -> None:
    admin = api.as_user("admin")
    year = api.clock.now().year
    people = [
        admin.post("/api/v1/workers", json={"name": name, "post": post}).json()["id"]
        for name, post in (("陈", "caregiver"), ("赵", "caregiver"), ("钱", "social_worker"))
    ]
    papers = f"/api/v1/workers/{people[0]}/certificates"
    admin.post(papers, json={"kind": "健康证", "category": "health", "valid_from": "2020-01-01"})
    assert row(admin, "certified")["value"] == 0.0, "a health card is no certificate of skill"
    admin.post(papers, json={"kind": "养老护理员（四级）", "valid_from": "2020-01-01"})
    training = {"title": "防跌倒", "topic": "care", "held_on": in_days(api, -1), "hours": "4.0", "workers": people,
                "failed": [people[1]]}  # fmt: skip
    for status in (201, 200):
        answer = admin.post(f"{HOUSE}/trainings", json=training, headers={"Idempotency-Key": "t"})
        assert (answer.status_code, answer.json()["people"], answer.json()["passed"]) == (status, 3, 2)
    assert admin.post(f"{HOUSE}/trainings", json=training | {"held_on": in_days(api, 2)}).status_code == 422
    assert admin.post(f"{HOUSE}/trainings", json=training | {"workers": [str(api.world.a.residents[0])],
                                                              "failed": []}).status_code == 422  # fmt: skip
    assert admin.get(f"/api/v1/workers/{people[0]}/trainings").json()["hours_this_year"] == "4.0"
    assert admin.get(f"/api/v1/workers/{people[1]}/trainings").json()["hours_this_year"] == "0.0"
    assert row(admin, "filed")["basis"] != "computed", "nobody is filed yet"
    assert (
        admin.put(f"/api/v1/workers/{people[0]}/filings/{year}", json={"filed_on": in_days(api, 0)}).status_code == 204
    )
    numbers = {one["post"]: one for one in admin.get(f"{HOUSE}/staff").json()["items"]}
    assert (numbers["caregiver"]["people"], numbers["caregiver"]["certified"], numbers["caregiver"]["filed"]) == (
        2,
        1,
        1,
    )
    assert [row(admin, code)["numerator"] for code in ("certified", "filed", "trainings", "trained")] == [1, 1, 1, 3]
    assert row(admin, "filed")["value"] == pytest.approx(33.33)
    assert admin.get(f"{HOUSE}/trainings", params={"year": str(year)}).json()["items"][0]["title"] == "防跌倒"


def test_a_worker_changes_and_leaves_with_a_day(api: Api) -> None:
    admin = api.as_user("admin")
    made = admin.post("/api/v1/workers", json={"name": "陈", "hired_on": "2020-01-01"}).json()
    one = f"/api/v1/workers/{made['id']}"
    change = {"name": "陈护工", "post": "nurse", "hired_on": "2020-02-01"}
    assert admin.put(one, json=change, headers={"If-Match": '"1"'}).json()["post"] == "nurse"
    assert admin.put(one, json=change, headers={"If-Match": '"1"'}).status_code == 412
    assert admin.post(f"{one}/leave").json()["left_on"] == in_days(api, 0)
    assert admin.post(f"{one}/return").json()["left_on"] is None
    assert api.as_user("admin", api.world.b).put(one, json=change).status_code == 404


def test_the_regulator_counts_registered_beds_and_licences_not_what_was_said(api: Api) -> None:
    admin = api.as_user("admin")
    facility(admin, beds=100, nursing_beds=70, care_licence=False, medical_licence=True)
    assert (row(admin, "nursing_beds")["value"], row(admin, "both_licences")["value"]) == (70.0, 0.0)
    beds = [bed(admin, f"208-{number}", kind) for number, kind in enumerate(("nursing", "total_care", "ordinary"))]
    bed(admin, "家-1", "home")
    assert [row(admin, "nursing_beds")[one] for one in ("numerator", "denominator")] == [2, 3]
    admin.post(f"{HOUSE}/beds/{beds[2]}/close", json={"reason": "维修"})
    assert row(admin, "nursing_beds")["value"] == 100.0
    for kind in ("care", "medical"):
        licence = {"kind": kind, "number": f"N-{kind}", "valid_from": "2020-01-01", "valid_until": in_days(api, 20)}
        assert admin.post(f"{HOUSE}/licences", json=licence).status_code == 201
    held = admin.get(f"{HOUSE}/licences").json()
    assert (held["both_licences"], row(admin, "both_licences")["value"]) == (True, 100.0)
    later = (api.clock.now() + timedelta(days=22)).isoformat()
    assert row(admin, "both_licences", at=later)["value"] is None, "the medical one has run out too"
    assert admin.post(f"{HOUSE}/licences/{held['items'][0]['id']}/revoke").status_code == 200
    assert admin.get(f"{HOUSE}/licences").json()["both_licences"] is False
    assert admin.get(f"{BASE}/facilities").json()["items"][0]["beds_counted"] is True


def test_what_runs_out_is_warned_of_once_for_each_distance(api: Api, make_pool_for: Callable[[DbRole], Pool]) -> None:
    admin, staff, jobs = api.as_user("admin"), api.as_user("caregiver"), make_pool_for("jobs")
    licence = {"kind": "care", "number": "N-1", "valid_from": "2020-01-01", "valid_until": in_days(api, 29)}
    assert admin.post(f"{HOUSE}/licences", json=licence).status_code == 201
    worker = admin.post("/api/v1/workers", json={"name": "陈护工"}).json()["id"]
    paper = {"kind": "养老护理员", "valid_from": "2020-01-01", "valid_until": in_days(api, 200)}
    admin.post(f"/api/v1/workers/{worker}/certificates", json=paper)
    moved_in(admin, api.world.a.residents[0], bed(admin, "208-1"), agreed_until=in_days(api, 85))
    assert [warn_of_expiry(jobs, api.clock) for _ in range(2)] == [2, 0]
    texts = [one["text"]["zh"] for one in admin.get("/api/v1/notices").json()["items"]]
    assert [text for text in texts if "机构证照" in text] == [f"机构证照：care N-1 将于 {in_days(api, 29)} 到期"]
    assert not any("到期" in one["text"]["zh"] for one in staff.get("/api/v1/notices").json()["items"])
    listed = admin.get(f"{HOUSE}/expiring").json()["items"]
    assert [(one["kind"], one["days_left"]) for one in listed] == [("licence", 29), ("agreement", 85)]
    api.clock.advance(timedelta(days=23))
    assert warn_of_expiry(jobs, api.clock) == 1, "a week before"
    renewed = licence | {"number": "N-2", "valid_until": in_days(api, 3000)}
    admin = api.as_user("admin")
    assert admin.post(f"{HOUSE}/licences", json=renewed).status_code == 201
    api.clock.advance(timedelta(days=10))
    assert warn_of_expiry(jobs, api.clock) == 0, "the renewed one holds"


def test_a_serious_incident_is_told_to_the_authority_before_it_is_closed(api: Api) -> None:
    admin, staff, family = (api.as_user(role) for role in ("admin", "caregiver", "family"))
    body = {"resident_id": str(api.world.a.residents[0]), "title": "208 室坠床", "category": "bed_fall",
            "level": "minor", "occurred_at": api.clock.now().isoformat(), "description": "右髋疼痛",
            "involved": ["陈护工"]}  # fmt: skip
    assert staff.post(INCIDENTS, json=body | {"occurred_at": in_days(api, 2) + "T00:00:00Z"}).status_code == 422
    one = f"{INCIDENTS}/{staff.post(INCIDENTS, json=body).json()['id']}"
    assert family.get(one).json()["detail"]["involved"] == []
    assert any("事故" in notice["text"]["zh"] for notice in family.get("/api/v1/notices").json()["items"])
    act(admin, one, "grade", {"level": "serious", "reason": "股骨颈骨折"})
    act(staff, one, "investigate")
    found = {"cause": "床栏未拉起", "preventable": True, "measures": ["床栏检查入交接班"],
             "measures_by": in_days(api, 3) + "T00:00:00Z"}  # fmt: skip
    act(admin, one, "conclude", found)
    act(admin, one, "close", status=409)
    act(admin, one, "tell-authority", {"authority": "区民政局", "told_at": api.clock.now().isoformat()})
    assert act(admin, one, "close")["state"] == "closed"
    tallies = api.as_user("regulator").get(f"{BASE}/tallies")
    assert tallies.json()["items"] == [
        {"kind": "incident", "topic": "bed_fall", "level": "serious", "state": "closed", "records": 1}
    ]
    assert "床栏" not in tallies.text


def test_a_complaint_is_answered_in_time_and_appealed_to_somebody_else(api: Api, second_admin: Any) -> None:
    admin, staff, family = (api.as_user(role) for role in ("admin", "caregiver", "family"))
    body = {"title": "助浴迟到", "text": "晚了一小时", "topic": "care", "resident_id": str(api.world.a.residents[0])}
    made = family.post(COMPLAINTS, json=body)
    assert made.status_code == 201, made.text
    one = f"{COMPLAINTS}/{made.json()['id']}"
    assert staff.get(one).status_code == 403, "the administration looks into it"
    told = [any("投诉" in notice["text"]["zh"] for notice in client.get("/api/v1/notices").json()["items"])
            for client in (admin, staff)]  # fmt: skip
    assert told == [True, False]
    act(admin, one, "accept")
    act(admin, one, "investigate")
    act(admin, one, "answer", {"answer": "已道歉", "upheld": False})
    act(family, one, "appeal", {"reason": "没有道歉"})
    act(admin, one, "investigate")
    act(admin, one, "answer", {"answer": "x", "upheld": True}, status=403)
    answered = act(second_admin, one, "answer", {"answer": "情况属实，已道歉", "upheld": True})
    assert answered["detail"]["in_time"] is True
    assert act(family, one, "satisfy", {"stars": 4})["state"] == "closed"
    assert family.get(one).json()["detail"]["answered_by"] is None
    figures = {item["key"]: item for item in api.as_user("regulator").get(f"{BASE}/service-figures").json()["items"]}
    assert (figures["complaints_in_time"]["numerator"], figures["complaints_in_time"]["value"]) == (1, 100.0)


def test_a_complaint_is_seen_by_who_made_it_and_lapses_when_nobody_appeals(
    api: Api, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    admin, staff, family = (api.as_user(role) for role in ("admin", "caregiver", "family"))
    body = {"title": "电话投诉", "text": "饭菜凉", "topic": "food", "caller": "赵女士",
            "resident_id": str(api.world.a.residents[0])}  # fmt: skip
    one = f"{COMPLAINTS}/{staff.post(COMPLAINTS, json=body).json()['id']}"
    assert family.get(one).status_code == 404, "made by somebody else, whatever consents stand"
    assert family.get(COMPLAINTS).json()["items"] == []
    api.clock.advance(timedelta(days=2))
    admin, staff = api.as_user("admin"), api.as_user("caregiver")
    assert [item["kind"] for item in admin.get(f"{HOUSE}/overdue").json()["items"]] == ["complaint"]
    for client, path in ((staff, f"{HOUSE}/overdue"), (admin, "/api/v1/services/overdue")):
        assert client.get(path).json()["items"] == [], path
    act(admin, one, "accept")
    act(admin, one, "investigate")
    act(admin, one, "answer", {"answer": "已改进保温", "upheld": True})
    api.clock.advance(timedelta(days=11))
    assert platform.act_on_past_due(make_pool_for("jobs"), api.clock) == 1
    assert api.as_user("admin").get(one).json()["state"] == "closed"


def test_complaints_and_stars_make_a_providers_rating(api: Api) -> None:
    admin, family, resident = api.as_user("admin"), api.as_user("family"), str(api.world.a.residents[0])
    firm = admin.post("/api/v1/providers", json={"name": "安康助浴", "services": ["daily-living"]}).json()["id"]
    wish = {"resident_id": resident, "care": "bath", "title": "助浴", "starts_at": "2026-03-02T01:00:00Z",
            "ends_at": "2026-03-02T02:00:00Z"}  # fmt: skip
    order = admin.post("/api/v1/services/daily-living/orders", json=wish).json()["id"]
    one = f"/api/v1/services/daily-living/orders/{order}"
    for action, given in (("assess", {"price": "80.00"}), ("assign", {"provider_id": firm}), ("accept", {}),
                          ("check-in", {}), ("begin", {}), ("check-out", {"done": "x"}),
                          ("confirm", {"stars": 4})):  # fmt: skip
        act(admin, one, action, given)
    body = {"title": "x", "text": "x", "topic": "provider", "order_id": order}
    assert family.post(COMPLAINTS, json=body).status_code == 422, "an order of nobody"
    assert family.post(COMPLAINTS, json=body | {"resident_id": resident}).status_code == 201
    rating = admin.get(f"/api/v1/providers/{firm}/rating").json()
    assert rating == {"rated": 1, "stars": 4.0, "complaints": 1, "upheld": 0}
