"""Silences through the API: made with a reason and an end, never over an emergency, seen with what they held back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alerts import service
from alerts.service import Occurrence
from core.vocabulary import Severity
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from tests.integration.conftest import Api

URL = "/api/v1/silences"


def body(api: Api, seconds: float = 3600, **given: Any) -> dict[str, Any]:
    return {"reason": "检修", "ends_at": (api.clock.now() + timedelta(seconds=seconds)).isoformat(), **given}


@pytest.fixture
def occur(api: Api, make_pool_for: Callable[[DbRole], Pool]) -> Callable[..., Any]:
    def do(kind: str = "device_silent") -> Any:
        device = api.world.a.devices[0]
        found = Occurrence(
            api.world.a.institution_id, kind, Severity.MEDIUM, "detector", api.clock.now(), device.resident_id,
            device.key, evidence={"device_id": device.id},
        )  # fmt: skip
        with service_transaction(make_pool_for("alerts")) as tx:
            return service.open_or_append(tx, api.clock, found)

    return do


def test_a_silence_is_made_listed_ended_and_audited(api: Api, occur: Callable[..., Any]) -> None:
    nurse = api.as_user("caregiver")
    made = nurse.post(URL, json=body(api, floor="2"))
    assert made.status_code == 201, made.text
    assert (made.json()["state"], made.json()["author"], made.json()["suppressed"]) == ("active", "caregiver a", 0)
    api.clock.advance(1)
    assert occur() is None
    one = nurse.get(f"{URL}/{made.json()['id']}").json()
    assert one["suppressed"] == 1
    (held,) = nurse.get("/api/v1/suppressions", params={"silence": one["id"]}).json()["items"]
    assert (held["type"], held["cause"], held["reason"], held["device_id"]) == (
        "device_silent", "silence", "检修", api.world.a.devices[0].id,
    )  # fmt: skip
    ended = nurse.post(f"{URL}/{one['id']}/end").json()
    assert (ended["state"], ended["ended_by"]) == ("ended", "caregiver a")
    assert nurse.post(f"{URL}/{one['id']}/end").status_code == 409
    assert nurse.get(URL, params={"current": "true"}).json()["items"] == []
    assert len(nurse.get(URL).json()["items"]) == 1
    assert occur() is not None
    trail = api.as_user("admin").get("/api/v1/audit").json()["items"]
    assert {row["action"] for row in trail if row["object_type"] == "silence"} == {"create", "end"}


def test_it_ends_by_itself_and_begins_when_it_was_planned(api: Api, occur: Callable[..., Any]) -> None:
    nurse = api.as_user("caregiver")
    planned = body(api, 7200, starts_at=(api.clock.now() + timedelta(hours=1)).isoformat())
    assert nurse.post(URL, json=planned).json()["state"] == "planned"
    opened = occur()
    assert opened is not None
    api.clock.advance(3601)
    assert occur() is None
    api.clock.advance(3600)
    assert occur()["occurrences"] == 2


@pytest.mark.parametrize("kind", ["sos", "fall", "smoke", "gas", "co"])
def test_no_emergency_can_be_named(api: Api, kind: str) -> None:
    answer = api.as_user("admin").post(URL, json=body(api, alert_types=["device_silent", kind]))
    assert answer.status_code == 422
    assert "never silenced" in answer.text


def test_there_is_no_drill_that_pages_nobody(api: Api) -> None:
    device = api.world.a.devices[0].id
    for named in ({}, {"alert_types": ["sos"]}):
        answer = api.as_user("admin").post(URL, json=body(api, drill=True, device_id=device, **named))
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "given",
    [{"reason": " "}, {"ends_at": "2020-01-01T00:00:00Z"}, {"ends_at": "2199-01-01T00:00:00Z"},
     {"alert_types": []}, {"alert_types": ["nonsense"]}, {"surprise": 1}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(api: Api, given: dict[str, Any]) -> None:
    assert api.as_user("admin").post(URL, json={**body(api), **given}).status_code == 422


def test_another_institutions_silences_devices_and_people_are_not_there(api: Api) -> None:
    admin, other = api.as_user("admin"), api.as_user("admin", api.world.b)
    silence = other.post(URL, json=body(api)).json()["id"]
    assert admin.get(f"{URL}/{silence}").status_code == 404
    assert admin.post(f"{URL}/{silence}/end").status_code == 404
    assert admin.get(URL).json()["items"] == []
    assert admin.post(URL, json=body(api, device_id=api.world.b.devices[0].id)).status_code == 404
    assert admin.post(URL, json=body(api, resident_id=str(api.world.b.residents[0]))).status_code == 404


def test_what_an_absence_holds_back_is_read_with_its_cause(api: Api, occur: Callable[..., Any]) -> None:
    nurse, resident = api.as_user("caregiver"), api.world.a.devices[0].resident_id
    until = (api.clock.now() + timedelta(days=2)).isoformat()
    answer = nurse.post(f"/api/v1/residents/{resident}/away", json={"kind": "away", "until": until})
    assert answer.status_code == 201, answer.text
    assert occur() is None
    (held,) = nurse.get("/api/v1/suppressions").json()["items"]
    assert (held["cause"], held["type"], held["silence_id"]) == ("away", "device_silent", None)


def test_silences_and_suppressions_are_read_in_pages(api: Api, occur: Callable[..., Any]) -> None:
    nurse = api.as_user("caregiver")
    for _ in range(3):
        nurse.post(URL, json=body(api))
        api.clock.advance(1)
        occur()
    for url in (URL, "/api/v1/suppressions"):
        first = nurse.get(url, params={"limit": 2}).json()
        rest = nurse.get(url, params={"limit": 2, "cursor": first["next"]}).json()
        assert len({item["id"] for item in first["items"] + rest["items"]}) == 3
        assert rest["next"] is None
