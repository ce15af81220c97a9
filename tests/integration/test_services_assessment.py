"""An assessment through HTTP alone: two signatures, review, force, appeal, and the falls that the platform saw."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from api.services.assessment.forms import gbt42195
from core.ids import new_id
from tests.integration.conftest import Api

PATH = "/api/v1/services/assessment/assessments"
INFORMANT = {"informant": "王芳", "informant_relation": "女儿", "informant_signature": "handwritten"}


def answers(total: int) -> dict[str, int]:
    """GB/T 42195 answers of this total, the surplus taken from self-care on."""
    best = {item.code: max(item.values) for item in gbt42195.ITEMS}
    surplus = 90 - total
    for code in best:
        step = min(best[code], surplus)
        best[code], surplus = best[code] - step, surplus - step
    return best


class Flow:
    """A resident's assessment, and the people who work on it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.admin, self.staff, self.family = (api.as_user(role) for role in ("admin", "caregiver", "family"))
        more = {
            "username": "second.nurse",
            "password": "a long enough passphrase",
            "role": "caregiver",
            "name": "赵护士",
        }
        self.second_id = self.admin.post("/api/v1/users", json=more).json()["id"]
        token = api.anonymous.post("/api/v1/auth/token", data={k: more[k] for k in ("username", "password")})
        headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
        self.second = TestClient(api.app, headers=headers)
        self.resident = str(api.world.a.residents[0])
        self.staff_id = str(api.world.a.users["caregiver"].id)
        made = self.staff.post(PATH, json={"resident_id": self.resident, "form": "gbt42195", "cause": "first"})
        assert made.status_code == 201, made.text
        self.one = f"{PATH}/{made.json()['id']}"

    def do(self, client: TestClient, action: str, status: int = 200, **body: Any) -> dict[str, Any]:
        answer = client.post(f"{self.one}/{action}", json=body)
        assert answer.status_code == status, f"{action}: {answer.status_code} {answer.text}"
        return answer.json()

    def assign(self, status: int = 200, assessors: tuple[str, ...] | None = None) -> None:
        now = self.api.clock.now()
        times = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=2)).isoformat()}
        self.do(self.staff, "assign", status, assessors=assessors or (self.staff_id, self.second_id), **times)

    def to_reviewed(self, total: int, **more: Any) -> dict[str, Any]:
        self.do(self.staff, "receive")
        self.assign()
        self.do(self.staff, "score", answers=answers(total), **INFORMANT, **more)
        self.do(self.staff, "sign")
        self.do(self.second, "sign")
        return self.do(self.admin, "review")

    def to_valid(self, total: int) -> dict[str, Any]:
        self.to_reviewed(total)
        self.do(self.admin, "announce", until=(self.api.clock.now() + timedelta(days=5)).isoformat())
        self.do(self.admin, "enforce", 409)
        self.api.clock.advance(timedelta(days=5).total_seconds() + 1)
        return self.do(self.api.as_user("admin"), "enforce")


@pytest.fixture
def flow(api: Api) -> Flow:
    return Flow(api)


def test_two_sign_a_third_reviews_and_the_level_becomes_the_residents(flow: Flow) -> None:
    valid = flow.to_valid(60)
    assert (valid["state"], valid["detail"]["total"], valid["detail"]["level"]) == ("valid", 60, 2)
    assert valid["detail"]["level_zh"].startswith("能力中度受损")
    admin = flow.api.as_user("admin")
    assert admin.get(f"/api/v1/residents/{flow.resident}").json()["care_level"] == 2


def test_one_signature_is_not_enough_and_nobody_signs_twice_or_for_others(flow: Flow) -> None:
    flow.do(flow.staff, "receive")
    flow.assign()
    flow.do(flow.admin, "score", 403, answers=answers(60), **INFORMANT)
    flow.do(flow.staff, "score", answers=answers(60), **INFORMANT)
    flow.do(flow.staff, "sign")
    flow.do(flow.staff, "sign", 409)
    flow.do(flow.admin, "sign", 403)
    flow.do(flow.admin, "review", 409)
    flow.do(flow.second, "sign")
    flow.do(flow.second, "review", 403)
    flow.do(flow.admin, "review")


def test_scoring_anew_voids_the_signatures(flow: Flow) -> None:
    flow.do(flow.staff, "receive")
    flow.assign()
    flow.do(flow.staff, "score", answers=answers(60), **INFORMANT)
    flow.do(flow.staff, "sign")
    assert flow.do(flow.second, "score", answers=answers(70), **INFORMANT)["detail"]["signed_by"] == []


def test_assessors_are_two_different_people_of_the_staff(flow: Flow) -> None:
    flow.do(flow.staff, "receive")
    flow.assign(422, (flow.staff_id, flow.staff_id))
    flow.assign(422, (flow.staff_id, str(flow.api.world.a.users["family"].id)))
    flow.assign(422, (flow.staff_id, str(flow.api.world.b.users["caregiver"].id)))


def test_answers_must_be_whole_and_possible(flow: Flow) -> None:
    flow.do(flow.staff, "receive")
    flow.assign()
    missing = {code: value for code, value in answers(60).items() if code != "walking"}
    assert "walking is missing" in flow.do(flow.staff, "score", 422, answers=missing, **INFORMANT)["detail"]
    wrong = answers(60) | {"stairs": 4}
    assert "stairs is one of" in flow.do(flow.staff, "score", 422, answers=wrong, **INFORMANT)["detail"]


def test_falls_that_the_platform_saw_raise_the_level(flow: Flow, database_url: str) -> None:
    now = flow.api.clock.now()
    with psycopg.connect(database_url, autocommit=True) as connection:
        for days, outcome in ((3, "assisted"), (10, "hospital"), (12, "false_alarm"), (40, "assisted")):
            at = now - timedelta(days=days)
            connection.execute(
                "INSERT INTO alerts (id, institution_id, resident_id, type, severity, state, source, occurred_at,"
                " opened_at, last_occurred_at, resolved_at, outcome)"
                " VALUES (%s, %s, %s, 'fall', 'critical', 'resolved', 'event', %s, %s, %s, %s, %s)",
                (new_id(flow.api.clock), flow.api.world.a.institution_id, flow.resident, at, at, at, at, outcome),
            )
    reviewed = flow.to_reviewed(70, events={"fall": 1})
    detail = reviewed["detail"]
    assert detail["platform_events"]["fall"] == 2, "neither the false alarm nor the old one"
    assert (detail["preliminary_level"], detail["level"]) == (1, 2)
    assert any("照护风险事件" in clause for clause in detail["clauses"])


def test_an_appeal_goes_to_two_others_or_is_rejected_with_a_reason(flow: Flow) -> None:
    flow.to_valid(60)
    family = flow.api.as_user("family")
    flow.staff, admin = flow.api.as_user("caregiver"), flow.api.as_user("admin")
    own = family.get(flow.one).json()["detail"]
    assert (own["level"], own["answers"], own["informant"]) == (2, {}, ""), "the result, not the answers"
    history = family.get(f"{flow.one}/history").text
    assert "eating" not in history
    assert "eating" in admin.get(f"{flow.one}/history").text
    flow.do(family, "appeal", reason="母亲近来不能自己吃饭")
    flow.assign(422)
    upheld = flow.do(admin, "uphold", reason="复核后维持")
    assert (upheld["state"], upheld["detail"]["appeals"]) == ("announced", 1)


def test_the_running_score_keeps_nothing(api: Api) -> None:
    staff = api.as_user("caregiver")
    forms = staff.get("/api/v1/services/assessment/forms").json()["items"]
    assert {form["code"] for form in forms} == {"gbt42195", "mzt039", "barthel", "morse"}
    path = "/api/v1/services/assessment/forms/gbt42195/2022/score"
    running = staff.post(path, json={"answers": {"eating": 3, "stairs": 2}}).json()
    assert (running["total"], len(running["missing"])) == (5, 24)
    assert staff.post(path, json={"answers": {"eating": 9}}).status_code == 422
    assert staff.post("/api/v1/services/assessment/forms/braden/1/score", json={"answers": {}}).status_code == 404
