"""An order from the wish to the receipt, through HTTP alone: who may do what, who is told, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import Api

ORDERS = "/api/v1/services/daily-living/orders"


@pytest.fixture
def wish(api: Api) -> dict[str, Any]:
    return {
        "resident_id": str(api.world.a.residents[0]),
        "care": "bath",
        "title": "助浴",
        "starts_at": "2026-03-02T01:00:00Z",
        "ends_at": "2026-03-02T02:00:00Z",
    }


def test_an_order_goes_from_the_wish_to_the_receipt(api: Api, wish: dict[str, Any]) -> None:
    admin, staff, provider = (api.as_user(role) for role in ("admin", "caregiver", "provider"))
    firm = admin.post("/api/v1/providers", json={"name": "安康助浴", "services": ["daily-living"]}).json()
    user = api.world.a.users["provider"].id
    assert admin.put(f"/api/v1/providers/{firm['id']}/members/{user}").status_code == 204
    worker = admin.post("/api/v1/workers", json={"name": "陈护工", "provider_id": firm["id"]}).json()
    admin.post(f"/api/v1/workers/{worker['id']}/certificates", json={"kind": "养老护理员", "valid_from": "2020-01-01"})

    order = staff.post(ORDERS, json=wish).json()
    assert (order["state"], order["actions"]) == ("requested", ["assess", "reschedule", "cancel"])
    one = f"{ORDERS}/{order['id']}"
    assert provider.get(one).status_code == 404, "not yet given to it"

    steps: list[tuple[Any, str, dict[str, Any]]] = [
        (staff, "assess", {"price": "80.00", "subsidy": "60.50"}),
        (staff, "assign", {"provider_id": firm["id"], "worker_id": worker["id"]}),
        (provider, "accept", {}),
        (provider, "check-in", {"place": "203 室"}),
        (provider, "begin", {}),
        (provider, "check-out", {"done": "助浴完成，皮肤完好"}),
        (staff, "confirm", {"stars": 5}),
        (staff, "settle", {"paid": "19.50", "receipt": "R-1"}),
        (staff, "archive", {}),
    ]
    for client, action, body in steps:
        answer = client.post(f"{one}/{action}", json=body)
        assert answer.status_code == 200, f"{action}: {answer.text}"
    done = answer.json()
    assert (done["state"], done["final"], done["own_share"]) == ("archived", True, "19.50")
    assert done["detail"]["certified"] is True
    assert set(done["detail"]["times"]) == {"check_in", "begin", "check_out"}
    assert done["due_at"] is None, "an order whose worker has come is not overdue"
    history = staff.get(f"{one}/history").json()["items"]
    assert [event["action"] for event in history] == [
        "create", "assess", "assign", "accept", "check_in", "begin", "check_out", "confirm", "settle", "archive",
    ]  # fmt: skip
    told = provider.get("/api/v1/notices?unread=true").json()["items"]
    assert any("派单" in notice["text"]["zh"] for notice in told)
    assert provider.post(f"/api/v1/notices/{told[0]['id']}/read").status_code == 204
    assert staff.post(f"/api/v1/notices/{told[0]['id']}/read").status_code == 404, "only one's own"


def test_the_own_share_is_exact_and_the_subsidy_no_more_than_the_price(api: Api, wish: dict[str, Any]) -> None:
    staff = api.as_user("caregiver")
    one = f"{ORDERS}/{staff.post(ORDERS, json=wish).json()['id']}"
    assert staff.post(f"{one}/assess", json={"price": "10", "subsidy": "10.01"}).status_code == 422
    assert staff.post(f"{one}/assess", json={"price": "10.005"}).status_code == 422
    assert staff.post(f"{one}/assess", json={"price": "10.10", "subsidy": "0.10"}).json()["own_share"] == "10.00"


def test_a_worker_is_not_in_two_places_at_once(api: Api, wish: dict[str, Any]) -> None:
    admin, staff = api.as_user("admin"), api.as_user("caregiver")
    worker = admin.post("/api/v1/workers", json={"name": "陈护工"}).json()["id"]
    answers = []
    for start in ("01:00", "01:30", "02:00"):
        body = wish | {"starts_at": f"2026-03-02T{start}:00Z", "ends_at": "2026-03-02T03:00:00Z"}
        if start == "01:00":
            body["ends_at"] = "2026-03-02T02:00:00Z"
        one = f"{ORDERS}/{staff.post(ORDERS, json=body).json()['id']}"
        staff.post(f"{one}/assess", json={"price": "1"})
        answers.append(staff.post(f"{one}/assign", json={"worker_id": worker}).status_code)
    assert answers == [200, 409, 200], "the third begins when the first ends"


def test_a_blocked_provider_gets_no_work(api: Api, wish: dict[str, Any]) -> None:
    admin, staff = api.as_user("admin"), api.as_user("caregiver")
    firm = admin.post("/api/v1/providers", json={"name": "x", "services": ["daily-living"]}).json()["id"]
    other = admin.post("/api/v1/providers", json={"name": "y", "services": ["goods"]}).json()["id"]
    admin.post(f"/api/v1/providers/{firm}/block", json={"reason": "投诉属实"})
    one = f"{ORDERS}/{staff.post(ORDERS, json=wish).json()['id']}"
    staff.post(f"{one}/assess", json={"price": "1"})
    for provider in (firm, other):
        assert staff.post(f"{one}/assign", json={"provider_id": provider}).status_code == 422
    admin.post(f"/api/v1/providers/{firm}/unblock")
    assert staff.post(f"{one}/assign", json={"provider_id": firm}).status_code == 200


def test_a_repeated_request_makes_one_order(api: Api, wish: dict[str, Any]) -> None:
    staff, key = api.as_user("caregiver"), {"Idempotency-Key": "k1"}
    first, again = (staff.post(ORDERS, json=wish, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert staff.post(ORDERS, json=wish | {"title": "午餐"}, headers=key).status_code == 409


def test_a_stale_version_is_refused(api: Api, wish: dict[str, Any]) -> None:
    staff = api.as_user("caregiver")
    made = staff.post(ORDERS, json=wish)
    one = f"{ORDERS}/{made.json()['id']}"
    assert staff.post(f"{one}/assess", json={"price": "1"}).status_code == 200
    stale = staff.post(f"{one}/cancel", json={"reason": "x"}, headers={"If-Match": made.headers["ETag"]})
    assert stale.status_code == 412


def test_family_orders_for_those_who_consented_only(api: Api, wish: dict[str, Any]) -> None:
    family = api.as_user("family")
    seen = {item["id"] for item in family.get("/api/v1/residents").json()["items"]}
    for resident in map(str, api.world.a.residents):
        answer = family.post(ORDERS, json=wish | {"resident_id": resident})
        assert answer.status_code == (201 if resident in seen else 404)
    assert {item["resident_id"] for item in family.get(ORDERS).json()["items"]} == seen


def test_lists_page_and_filter(api: Api, wish: dict[str, Any]) -> None:
    staff = api.as_user("caregiver")
    made = [staff.post(ORDERS, json=wish).json()["id"] for _ in range(5)]
    first = staff.get(ORDERS, params={"limit": 3}).json()
    second = staff.get(ORDERS, params={"limit": 3, "cursor": first["next"]}).json()
    assert {item["id"] for item in first["items"] + second["items"]} == set(made)
    assert second["next"] is None
    staff.post(f"{ORDERS}/{made[0]}/cancel", json={"reason": "x"})
    assert len(staff.get(ORDERS, params={"unfinished": "true"}).json()["items"]) == 4
    assert [item["id"] for item in staff.get(ORDERS, params={"state": "cancelled"}).json()["items"]] == [made[0]]
    late = staff.get(ORDERS, params={"due_before": "2026-03-02T01:00:01Z"}).json()["items"]
    assert len(late) == 4
    counts = {
        item["state"]: item["records"] for item in staff.get("/api/v1/services/daily-living/counts").json()["items"]
    }
    assert counts == {"requested": 4, "cancelled": 1}
