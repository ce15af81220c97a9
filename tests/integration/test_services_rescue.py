"""Incidents follow their alerts: opened by the platform, claimed, on site, ended, then looked back at by people."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest

from api.services import platform
from core.ids import new_id
from db.pool import DbRole, Pool
from tests.integration.conftest import Api

INCIDENTS = "/api/v1/services/rescue/incidents"


def emergency(api: Api, url: str, severity: str = "critical", resident: int = 0) -> UUID:
    """A fall of a resident of institution a, written as the alerts would."""
    alert, now = new_id(api.clock), api.clock.now()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO alerts (id, institution_id, resident_id, type, severity, source, occurred_at, opened_at,"
            " last_occurred_at) VALUES (%s, %s, %s, 'fall', %s, 'event', %s, %s, %s)",
            (alert, api.world.a.institution_id, api.world.a.residents[resident], severity, now, now, now),
        )
    return alert


def move(url: str, alert: UUID, state: str, outcome: str | None = None) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE alerts SET state = %s, outcome = %s, resolved_at = CASE WHEN %s = 'resolved' THEN opened_at END"
            " WHERE id = %s",
            (state, outcome, state, alert),
        )


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("assisted", "cleared"), ("hospital", "hospital"), ("false_alarm", "false_alarm"), ("no_action", "cleared")],
)
def test_an_incident_follows_its_alert(
    api: Api, database_url: str, make_pool_for: Callable[[DbRole], Pool], outcome: str, state: str
) -> None:
    jobs, staff = make_pool_for("jobs"), api.as_user("caregiver")
    alert = emergency(api, database_url)
    emergency(api, database_url, "medium", resident=1)
    seen = []
    for alert_state, ended in (("open", None), ("acknowledged", None), ("on_site", None), ("resolved", outcome)):
        move(database_url, alert, alert_state, ended)
        platform.follow_alerts(jobs, api.clock)
        assert platform.follow_alerts(jobs, api.clock) == 0, "once is enough"
        items = staff.get(INCIDENTS).json()["items"]
        assert len(items) == 1, "one incident for one emergency, none for lesser alerts"
        seen.append(items[0]["state"])
    assert seen == ["triggered", "claimed", "on_site", state]
    one = f"{INCIDENTS}/{items[0]['id']}"
    assert items[0]["detail"]["alert_id"] == str(alert)
    review = {"cause": "夜间如厕未开灯", "lessons": "加装夜灯", "response_adequate": True}
    assert staff.post(f"{one}/review", json=review).status_code == 200
    assert [event["role"] for event in staff.get(f"{one}/history").json()["items"]] == ["platform"] * 4 + ["caregiver"]


def test_a_drill_is_no_incident(api: Api, database_url: str, make_pool_for: Callable[[DbRole], Pool]) -> None:
    move(database_url, emergency(api, database_url), "resolved", "test")
    assert platform.follow_alerts(make_pool_for("jobs"), api.clock) == 0


def test_what_people_found_is_not_overtaken(
    api: Api, database_url: str, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    jobs, staff = make_pool_for("jobs"), api.as_user("caregiver")
    alert = emergency(api, database_url)
    platform.follow_alerts(jobs, api.clock)
    one = f"{INCIDENTS}/{staff.get(INCIDENTS).json()['items'][0]['id']}"
    staff.post(f"{one}/claim", json={})
    staff.post(f"{one}/assess", json={"category": "fall", "judgement": "右髋疼痛"})
    staff.post(f"{one}/dispatch", json={"to": "ambulance", "who": "120"})
    move(database_url, alert, "acknowledged")
    assert platform.follow_alerts(jobs, api.clock) == 0
    assert staff.get(one).json()["state"] == "dispatched"
    staff.post(f"{one}/arrive", json={})
    hospital = {"hospital": "高新区人民医院", "accompanied_by": "李护士"}
    assert staff.post(f"{one}/send-to-hospital", json=hospital).json()["detail"]["hospital"] == "高新区人民医院"


def test_an_incident_may_be_opened_by_hand_for_an_alert_of_that_resident(api: Api, database_url: str) -> None:
    staff, alert = api.as_user("caregiver"), emergency(api, database_url, "medium")
    body = {"resident_id": str(api.world.a.residents[0]), "alert_id": str(alert)}
    made = staff.post(INCIDENTS, json=body)
    assert made.status_code == 201, made.text
    detail = made.json()["detail"]
    assert (detail["alert_id"], detail["alert_type"], detail["severity"]) == (str(alert), "fall", "medium")
    assert staff.post(INCIDENTS, json=body | {"resident_id": str(api.world.a.residents[1])}).status_code == 422
