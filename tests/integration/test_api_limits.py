"""Vital limits of one person: set with a reason, replaced with a record, taken up by the detectors, ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

import pytest

from alerts.directory import load
from alerts.own_limits import own_limits
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from tests.integration.conftest import Api

DEFAULTS = {"low_critical": 40.0, "low": 45.0, "high": 110.0, "high_critical": 130.0}


def url(api: Api, foreign: bool = False) -> str:
    one = api.world.b if foreign else api.world.a
    return f"/api/v1/residents/{one.residents[0]}/limits"


def test_limits_are_set_with_author_and_reason_and_replaced_with_a_record(api: Api) -> None:
    staff = api.as_user("caregiver")
    first = staff.post(url(api), json={"metric": "heart_rate", "high": 120, "reason": "房颤"})
    assert first.status_code == 201, first.text
    assert (first.json()["high"], first.json()["author"], first.json()["valid_to"]) == (120, "caregiver a", None)
    api.clock.advance(60)
    staff.post(url(api), json={"metric": "heart_rate", "high": 115, "low": 50, "reason": "复查后调整"})
    items = staff.get(url(api)).json()["items"]
    assert [(one["high"], one["valid_to"] is None) for one in items] == [(115, True), (120, False)]


def test_the_detectors_get_what_holds_now(api: Api, make_pool_for: Callable[[DbRole], Pool]) -> None:
    staff = api.as_user("caregiver")
    staff.post(url(api), json={"metric": "spo2", "low": 88, "low_critical": 85, "reason": "COPD"})

    def held() -> list[float | None]:
        with service_transaction(make_pool_for("alerts")) as tx:
            return [row["low"] for row in load(tx, api.clock).limits]

    api.clock.advance(1)
    assert held() == [88]
    assert staff.delete(f"{url(api)}/spo2").status_code == 204
    api.clock.advance(1)
    assert held() == []
    assert staff.delete(f"{url(api)}/spo2").status_code == 404


def test_limits_hold_from_and_until(api: Api, make_pool_for: Callable[[DbRole], Pool]) -> None:
    staff = api.as_user("caregiver")
    now = api.clock.now()
    staff.post(url(api), json={"metric": "bp_sys", "high": 170, "reason": "现在"})
    later = {"metric": "bp_sys", "high": 150, "reason": "术后", "from": (now + timedelta(hours=1)).isoformat()}
    answer = staff.post(url(api), json=later | {"until": (now + timedelta(hours=2)).isoformat()})
    assert answer.status_code == 201, answer.text
    ended = staff.post(url(api), json=later | {"until": (now + timedelta(minutes=30)).isoformat()})
    assert ended.status_code == 422

    def held() -> list[float | None]:
        with service_transaction(make_pool_for("alerts")) as tx:
            return [row["high"] for row in load(tx, api.clock).limits]

    assert held() == [170]
    api.clock.advance(3601)
    assert held() == [150]
    api.clock.advance(3600)
    assert held() == []


@pytest.mark.parametrize(
    "body",
    [
        {"metric": "heart_rate", "reason": "nothing set"},
        {"metric": "heart_rate", "low": 90, "high": 60, "reason": "crossed"},
        {"metric": "steps", "high": 5, "reason": "no such limit"},
        {"metric": "heart_rate", "high": 120, "reason": " "},
        {"metric": "heart_rate", "high": 1e9, "reason": "impossible"},
    ],
)
def test_limits_that_make_no_sense_are_refused(api: Api, body: dict[str, object]) -> None:
    assert api.as_user("caregiver").post(url(api), json=body).status_code == 422


def test_another_institutions_resident_is_not_there(api: Api) -> None:
    body = {"metric": "heart_rate", "high": 120, "reason": "x"}
    assert api.as_user("caregiver").post(url(api, foreign=True), json=body).status_code == 404
    assert api.as_user("family").get(url(api)).status_code == 403


def test_defaults_fill_in_and_give_way() -> None:
    nothing = dict.fromkeys(DEFAULTS)
    assert own_limits(DEFAULTS, nothing | {"high": 100}) == DEFAULTS | {"high": 100.0}
    widened = own_limits(DEFAULTS, nothing | {"high": 140})
    assert widened["high"] == 140
    assert math.isnan(widened["high_critical"])
    lifted = own_limits(DEFAULTS, nothing | {"low": 120})
    assert math.isnan(lifted["high"])
    assert lifted["high_critical"] == 130
