"""The early warning score over HTTP: from the newest readings and what staff observed, partial where some lack."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from alerts.detector_set import clinical
from alerts.directory import load
from core.metrics import BY_CODE
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from tests.integration.conftest import Api


def url(api: Api, end: str, *, foreign: bool = False) -> str:
    one = api.world.b if foreign else api.world.a
    return f"/api/v1/residents/{one.residents[0]}/{end}"


def measure(api: Api, database_url: str, values: dict[str, float], *, seconds_ago: float = 60) -> None:
    at = api.clock.now() - timedelta(seconds=seconds_ago)
    device = api.world.a.devices[0]
    with psycopg.connect(database_url, autocommit=True) as connection:
        for code, value in values.items():
            connection.execute(
                "INSERT INTO latest (device_key, metric, time, value, received) VALUES (%s, %s, %s, %s, %s)",
                (device.key, BY_CODE[code].id, at, value, at),
            )


ILL = {"resp_rate": 22, "spo2": 94, "bp_sys": 105, "heart_rate": 112, "body_temp": 38.5}


def test_without_any_reading_everything_is_missing(api: Api) -> None:
    body = api.as_user("caregiver").get(url(api, "news2")).json()
    assert (body["score"], body["risk"], body["partial"], len(body["missing"])) == (0, "low", True, 7)


def test_score_with_parts_and_what_they_derive_from(api: Api, database_url: str) -> None:
    measure(api, database_url, ILL)
    staff = api.as_user("caregiver")
    body = staff.get(url(api, "news2")).json()
    assert (body["score"], body["risk"], body["partial"]) == (2 + 1 + 1 + 2 + 1, "high", True)
    assert body["missing"] == ["oxygen", "consciousness"]
    pulse = next(part for part in body["parts"] if part["parameter"] == "heart_rate")
    assert (pulse["points"], pulse["value"], pulse["unit"], pulse["age_max_seconds"]) == (2, 112, "/min", 3600)
    assert pulse["source"] == api.world.a.devices[0].id
    staff.post(url(api, "clinical"), json={"kind": "oxygen", "value": "oxygen", "reason": "鼻导管 2 L/min"})
    answer = staff.post(url(api, "clinical"), json={"kind": "consciousness", "value": "C", "reason": "早查房发现"})
    assert answer.status_code == 201, answer.text
    body = staff.get(url(api, "news2")).json()
    assert (body["score"], body["partial"], body["missing"], body["single_3"]) == (7 + 2 + 3, False, [], True)


def test_what_is_too_old_counts_as_missing_and_is_still_shown(api: Api, database_url: str) -> None:
    measure(api, database_url, {"heart_rate": 140.0, "bp_sys": 85.0}, seconds_ago=7200)
    body = api.as_user("caregiver").get(url(api, "news2")).json()
    parts = {part["parameter"]: part for part in body["parts"]}
    assert (parts["heart_rate"]["points"], parts["heart_rate"]["value"]) == (None, 140)
    assert parts["bp_sys"]["points"] == 3
    assert "heart_rate" in body["missing"]


def test_scale_2_is_a_setting_with_author_and_reason(api: Api, database_url: str) -> None:
    measure(api, database_url, {"spo2": 89.0})
    staff = api.as_user("caregiver")
    assert staff.get(url(api, "news2")).json()["score"] == 3
    body = {"kind": "spo2_scale", "value": "2", "reason": "高碳酸血症，目标 88-92 %"}
    staff.post(url(api, "clinical"), json=body)
    told = staff.get(url(api, "news2")).json()
    assert (told["score"], told["spo2_scale"]) == (0, 2)
    (item,) = staff.get(url(api, "clinical")).json()["items"]
    assert (item["author"], item["reason"], item["valid_to"]) == ("caregiver a", body["reason"], None)
    assert staff.delete(url(api, "clinical/spo2_scale")).status_code == 204
    assert staff.delete(url(api, "clinical/spo2_scale")).status_code == 404
    assert staff.get(url(api, "news2")).json()["spo2_scale"] == 1


def test_an_observation_of_consciousness_ends_and_the_detectors_are_told(
    api: Api, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    staff = api.as_user("caregiver")
    staff.post(url(api, "clinical"), json={"kind": "consciousness", "value": "V", "reason": "嗜睡"})

    def held() -> dict[str, bool | None]:
        with service_transaction(make_pool_for("alerts")) as tx:
            return clinical({row["kind"]: row["value"] for row in load(tx, api.clock).clinical})

    assert held() == {"scale2": False, "oxygen": None, "altered": True}
    api.clock.advance(24 * 3600)
    assert held() == {"scale2": False, "oxygen": None, "altered": None}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "consciousness", "value": "2", "reason": "x"},
        {"kind": "oxygen", "value": "yes", "reason": "x"},
        {"kind": "mood", "value": "A", "reason": "x"},
        {"kind": "oxygen", "value": "air", "reason": " "},
        {"kind": "oxygen", "value": "air", "reason": "x", "until": "2020-01-01T00:00:00Z"},
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, body: dict[str, str]) -> None:
    assert api.as_user("caregiver").post(url(api, "clinical"), json=body).status_code == 422


def test_family_and_other_institutions_see_nothing(api: Api) -> None:
    assert api.as_user("family").get(url(api, "news2")).status_code == 403
    assert api.as_user("caregiver").get(url(api, "news2", foreign=True)).status_code == 404
