"""FHIR R4: every resource validates against the published models, pages lose nothing, consents hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.device import Device
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient

from core.metrics import BY_CODE
from tests.integration.conftest import Api
from tests.integration.test_services_rescue import emergency, move

BASE = "/api/v1/fhir/R4"
MINUTES = 30


@pytest.fixture
def readings(api: Api, database_url: str) -> int:
    """Half an hour of heart rate and blood pressure of resident 0; how many resources that makes."""
    device = next(one for one in api.world.a.devices if one.resident_id == api.world.a.residents[0])
    now = api.clock.now()
    with psycopg.connect(database_url, autocommit=True) as connection:
        columns = {
            row[0]
            for row in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'readings'"
            )
        }
        received = "received" if "received" in columns else "delay_seconds"
        for minute in range(MINUTES):
            at = now - timedelta(minutes=minute + 1)
            for code, value in (("heart_rate", 70 + minute), ("bp_sys", 130), ("bp_dia", 80)):
                connection.execute(
                    f"INSERT INTO readings (device_key, metric, time, value, flags, {received})"
                    " VALUES (%s, %s, %s, %s, 0, %s)",
                    (device.key, BY_CODE[code].id, at, value, at if received == "received" else 0),
                )
    return MINUTES * 2


def resident(api: Api) -> str:
    return f"Patient/{api.world.a.residents[0]}"


def pages(client: Any, url: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    answer = client.get(url, params=params)
    while True:
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/fhir+json")
        bundle = answer.json()
        Bundle.model_validate(bundle)
        found += [entry["resource"] for entry in bundle["entry"]]
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        if not following:
            return found
        answer = client.get(following[0])


def test_observations_validate_and_pages_lose_nothing(api: Api, readings: int) -> None:
    staff = api.as_user("caregiver")
    whole = pages(staff, f"{BASE}/Observation", subject=resident(api), _count=500)
    small = pages(staff, f"{BASE}/Observation", subject=resident(api), _count=7)
    assert len(whole) == len({one["id"] for one in whole}) == readings
    assert [one["id"] for one in small] == [one["id"] for one in whole]
    for one in whole:
        Observation.model_validate(one)
    panel = next(one for one in whole if one["code"]["coding"][0]["code"] == "85354-9")
    assert [part["valueQuantity"]["value"] for part in panel["component"]] == [130, 80]
    assert panel["component"][0]["valueQuantity"]["code"] == "mm[Hg]"


@pytest.mark.parametrize("code", ["8867-4", "http://loinc.org|8867-4"])
def test_a_search_by_code_and_date(api: Api, readings: int, code: str) -> None:
    assert readings
    staff = api.as_user("caregiver")
    since = (api.clock.now() - timedelta(minutes=10, seconds=1)).isoformat()
    found = pages(staff, f"{BASE}/Observation", subject=resident(api), code=code, date=f"ge{since}")
    assert len(found) == 10
    assert {one["code"]["coding"][0]["code"] for one in found} == {"8867-4"}


@pytest.mark.parametrize("params", [{"code": "1-2"}, {"date": "yesterday"}, {"date": "gexyz"}, {"code": "http://x|1"}])
def test_what_cannot_be_searched_is_refused(api: Api, params: dict[str, str]) -> None:
    answer = api.as_user("caregiver").get(f"{BASE}/Observation", params={"subject": resident(api), **params})
    assert answer.status_code == 422


def test_people_and_devices_validate(api: Api) -> None:
    staff = api.as_user("caregiver")
    found = pages(staff, f"{BASE}/Patient", _count=1)
    assert {one["id"] for one in found} == {str(one) for one in api.world.a.residents}
    for one in found:
        Patient.model_validate(one)
    Patient.model_validate(staff.get(f"{BASE}/{resident(api)}").json())
    device = api.world.a.devices[0].id.replace("_", ".")
    Device.model_validate(staff.get(f"{BASE}/Device/{device}").json())
    CapabilityStatement.model_validate(api.anonymous.get(f"{BASE}/metadata").json())


def test_flags_follow_the_alert(api: Api, database_url: str) -> None:
    staff, alert = api.as_user("caregiver"), emergency(api, database_url)
    states = []
    for state, outcome in (("open", None), ("resolved", "assisted"), ("resolved", "false_alarm")):
        move(database_url, alert, state, outcome)
        (found,) = pages(staff, f"{BASE}/Flag", subject=resident(api))
        states.append(found["status"])
    assert states == ["active", "inactive", "entered-in-error"]
    assert pages(staff, f"{BASE}/Flag", subject=resident(api), status="active") == []


def test_family_sees_observations_while_the_consent_stands(api: Api, database_url: str, readings: int) -> None:
    assert readings
    family = api.as_user("family")
    url = f"{BASE}/Observation?subject={resident(api)}"
    assert family.get(url).status_code == 200
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE consents SET withdrawn_at = %s WHERE scope IN ('health', 'activity')", (api.clock.now(),)
        )
    assert family.get(url).status_code == 403


def test_another_institutions_resident_answers_404(api: Api) -> None:
    other, staff = api.world.b.residents[0], api.as_user("caregiver")
    for path in (f"Patient/{other}", f"Observation?subject=Patient/{other}", f"Flag?subject=Patient/{other}"):
        assert staff.get(f"{BASE}/{path}").status_code == 404


def test_the_early_warning_score_says_what_it_is_derived_from(api: Api, database_url: str) -> None:
    device = next(one for one in api.world.a.devices if one.resident_id == api.world.a.residents[0])
    now = api.clock.now()
    values = {"heart_rate": 96, "spo2": 95, "resp_rate": 18, "bp_sys": 130, "bp_dia": 80, "body_temp": 36.6}
    with psycopg.connect(database_url, autocommit=True) as connection:
        for code, value in values.items():
            # The temperature is of the day before yesterday: too old to count.
            at = now - (timedelta(days=2) if code == "body_temp" else timedelta(minutes=1))
            connection.execute(
                "INSERT INTO latest (device_key, metric, time, value, flags, received) VALUES (%s, %s, %s, %s, 0, %s)",
                (device.key, BY_CODE[code].id, at, value, at),
            )
    nurse = api.as_user("caregiver")
    answer = nurse.get(f"{BASE}/Observation", params={"subject": resident(api), "code": "http://loinc.org|88330-6"})
    assert answer.status_code == 200, answer.text
    Bundle.model_validate(answer.json())
    score, *sources = [entry["resource"] for entry in answer.json()["entry"]]
    for one in (score, *sources):
        Observation.model_validate(one)
    assert [entry["search"]["mode"] for entry in answer.json()["entry"]] == ["match", *["include"] * 4]
    assert {one["reference"] for one in score["derivedFrom"]} == {f"Observation/{one['id']}" for one in sources}
    assert sorted(one["code"]["text"] for one in sources)[0] == "Blood pressure panel"
    # 96/min scores 1, 95 % scores 1; the rest is missing, and so the score is preliminary and says so.
    assert (score["status"], score["valueQuantity"]["value"]) == ("preliminary", 2)
    absent = [one["code"]["text"] for one in score["component"] if "dataAbsentReason" in one]
    assert len(absent) == 3
    assert "body_temp" in score["note"][0]["text"]
    assert score["valueQuantity"]["value"] == nurse.get(f"/api/v1/residents/{resident(api)[8:]}/news2").json()["score"]
    family = api.as_user("family")
    params = {"subject": resident(api), "code": "88330-6"}
    assert family.get(f"{BASE}/Observation", params=params).status_code == 403
    other = {"subject": f"Patient/{api.world.b.residents[0]}", "code": "88330-6"}
    assert nurse.get(f"{BASE}/Observation", params=other).status_code == 404
