"""Prices and subsidies through HTTP: an order's price from the list, its split at settlement, ceilings under load."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.integration.conftest import Api

HOUSE = "/api/v1/institution"
ORDERS = "/api/v1/services/daily-living/orders"
RULE = {
    "name": "失能老人助浴补贴", "source": "渝高新民政〔2025〕8号", "service": "daily-living", "care_levels": [2, 3],
    "percent": "60.00", "ceiling_month": "100.00", "valid_from": "2026-01-01",
}  # fmt: skip


@pytest.fixture
def bath(api: Api) -> str:
    """A bath at 80 yuan from 2026 on, and 90 from March 15; its id."""
    admin = api.as_user("admin")
    body = {"service": "daily-living", "code": "BATH", "name": "上门助浴", "unit": "time"}
    item = str(admin.post(f"{HOUSE}/items", json=body).json()["id"])
    for amount, day in (("80.00", "2026-01-01"), ("90.00", "2026-03-15")):
        made = admin.post(f"{HOUSE}/items/{item}/prices", json={"amount": amount, "valid_from": day})
        assert made.status_code == 201, made.text
    return item


def order(client: Any, resident: object, day: str = "2026-03-02") -> str:
    wish = {"resident_id": str(resident), "care": "bath", "title": "助浴", "starts_at": f"{day}T01:00:00Z",
            "ends_at": f"{day}T02:00:00Z"}  # fmt: skip
    return f"{ORDERS}/{client.post(ORDERS, json=wish).json()['id']}"


def done(client: Any, one: str) -> None:
    """Bring an assessed order to the point of settlement."""
    for action, body in (("assign", {}), ("accept", {}), ("check-in", {}), ("begin", {}), ("check-out", {"done": "x"})):
        answer = client.post(f"{one}/{action}", json=body)
        assert answer.status_code == 200, f"{action}: {answer.text}"


def test_the_price_follows_from_the_list_and_the_day(api: Api, bath: str) -> None:
    staff, resident = api.as_user("caregiver"), api.world.a.residents[0]
    for day, price in (("2026-03-02", "80.00"), ("2026-03-15", "90.00")):
        answer = staff.post(f"{order(staff, resident, day)}/assess", json={"item_id": bath}).json()
        assert (answer["price"], answer["own_share"]) == (price, price)
    half = staff.post(f"{order(staff, resident)}/assess", json={"item_id": bath, "quantity": "0.33"}).json()
    assert half["price"] == "26.40"
    before = staff.post(f"{order(staff, resident, '2025-12-31')}/assess", json={"item_id": bath})
    assert before.status_code == 422, "no price yet"
    both = staff.post(f"{order(staff, resident)}/assess", json={"item_id": bath, "price": "1.00"})
    assert both.status_code == 422
    assert staff.post(f"{order(staff, resident)}/assess", json={}).status_code == 422


def test_a_provider_has_its_own_price_from_the_assignment_on(api: Api, bath: str) -> None:
    admin, resident = api.as_user("admin"), api.world.a.residents[0]
    firm = admin.post("/api/v1/providers", json={"name": "安康助浴", "services": ["daily-living"]}).json()["id"]
    own = {"amount": "70.00", "provider_id": firm, "valid_from": "2026-01-01"}
    assert admin.post(f"{HOUSE}/items/{bath}/prices", json=own).status_code == 201
    one = order(admin, resident)
    assert admin.post(f"{one}/assess", json={"item_id": bath}).json()["price"] == "80.00"
    assert admin.post(f"{one}/assign", json={"provider_id": firm}).json()["price"] == "70.00"
    assert admin.post(f"{HOUSE}/items/{bath}/prices", json=own).status_code == 409, "one price a first day"


def test_the_rules_split_the_price_and_the_ceiling_of_the_month_holds(api: Api, bath: str) -> None:
    admin, staff, family = (api.as_user(role) for role in ("admin", "caregiver", "family"))
    resident = api.world.a.residents[0]
    staff.patch(f"/api/v1/residents/{resident}", json={"care_level": 2})
    assert admin.post(f"{HOUSE}/subsidy-rules", json=RULE).status_code == 201
    shares = []
    for day in ("2026-03-02", "2026-03-03", "2026-03-04", "2026-04-01"):
        one = order(staff, resident, day)
        estimate = staff.post(f"{one}/assess", json={"item_id": bath}).json()
        done(staff, one)
        wrong = staff.post(f"{one}/settle", json={"paid": "0.01"})
        assert wrong.status_code == 422
        assert estimate["own_share"] in wrong.text, "the answer says what is owed"
        paid = staff.post(f"{one}/settle", json={"paid": estimate["own_share"]}).json()
        shares.append((paid["price"], paid["subsidy"], paid["own_share"]))
    assert shares == [
        ("80.00", "48.00", "32.00"), ("80.00", "48.00", "32.00"), ("80.00", "4.00", "76.00"),
        ("90.00", "54.00", "36.00"),
    ]  # fmt: skip
    uses = staff.get(f"{HOUSE}/subsidies", params={"month": "2026-03-20"}).json()["items"]
    assert sorted(one["amount"] for one in uses) == ["4.00", "48.00", "48.00"]
    assert family.get(f"{HOUSE}/subsidies").status_code == 403


def test_two_orders_settled_at_once_do_not_pass_the_ceiling(api: Api, bath: str) -> None:
    admin, resident = api.as_user("admin"), api.world.a.residents[0]
    admin.patch(f"/api/v1/residents/{resident}", json={"care_level": 3})
    admin.post(f"{HOUSE}/subsidy-rules", json=RULE | {"ceiling_month": "48.00"})
    ready = []
    for day in ("2026-03-02", "2026-03-03"):
        one = order(admin, resident, day)
        assert admin.post(f"{one}/assess", json={"item_id": bath}).json()["own_share"] == "32.00"
        done(admin, one)
        ready.append(one)
    answers: list[tuple[int, str]] = []
    start = threading.Barrier(2)

    def settle(one: str) -> None:
        start.wait()
        answer = admin.post(f"{one}/settle", json={"paid": "32.00"})
        answers.append((answer.status_code, answer.text))

    threads = [threading.Thread(target=settle, args=(one,)) for one in ready]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [200, 422]
    assert "80.00" in next(text for status, text in answers if status == 422)
    assert [one["amount"] for one in admin.get(f"{HOUSE}/subsidies").json()["items"]] == ["48.00"]


def test_a_group_opens_a_rule_for_its_term_and_staff_alone_see_it(api: Api, bath: str) -> None:
    admin, family, resident = api.as_user("admin"), api.as_user("family"), api.world.a.residents[0]
    rule = {"name": "低保助浴", "source": "x", "item_id": bath, "groups": ["low_income"], "amount": "100.00",
            "valid_from": "2026-01-01"}  # fmt: skip
    assert admin.post(f"{HOUSE}/subsidy-rules", json=rule).status_code == 201
    quote = {"resident": str(resident), "service": "daily-living", "item": bath, "day": "2026-03-02"}
    assert admin.get(f"{HOUSE}/quote", params=quote).json()["own_share"] == "80.00"
    term = {"valid_from": "2026-03-01", "valid_until": "2026-03-31", "proof": "低保证 1"}
    group = f"/api/v1/residents/{resident}/groups/low_income"
    assert admin.put(group, json=term).status_code == 204
    assert admin.get(f"{HOUSE}/quote", params=quote).json() == {
        "day": "2026-03-02", "price": "80.00", "subsidy": "80.00", "own_share": "0.00",
    }  # fmt: skip
    assert admin.get(f"{HOUSE}/quote", params=quote | {"day": "2026-04-01"}).json()["subsidy"] == "0.00"
    assert family.get(f"/api/v1/residents/{resident}/groups").status_code == 403
    assert admin.delete(group).status_code == 204
    assert admin.delete(group).status_code == 404


def test_what_was_named_by_hand_stays_as_it_was_named(api: Api, bath: str) -> None:
    admin, resident = api.as_user("admin"), api.world.a.residents[0]
    admin.patch(f"/api/v1/residents/{resident}", json={"care_level": 2})
    admin.post(f"{HOUSE}/subsidy-rules", json=RULE)
    one = order(admin, resident)
    admin.post(f"{one}/assess", json={"item_id": bath, "subsidy": "10.00"})
    done(admin, one)
    paid = admin.post(f"{one}/settle", json={"paid": "70.00"}).json()
    assert (paid["subsidy"], paid["own_share"]) == ("10.00", "70.00")
    assert admin.get(f"{HOUSE}/subsidies").json()["items"] == []


def test_a_rule_says_where_it_stands_and_gives_one_thing(api: Api, bath: str) -> None:
    admin = api.as_user("admin")
    for wrong in (
        RULE | {"source": ""},
        RULE | {"amount": "5.00"},
        {key: value for key, value in RULE.items() if key != "percent"},
        RULE | {"percent": "100.01"},
        RULE | {"valid_until": "2025-01-01"},
        RULE | {"item_id": bath, "service": "goods"},
    ):
        assert admin.post(f"{HOUSE}/subsidy-rules", json=wrong).status_code == 422, wrong
    made = admin.post(f"{HOUSE}/subsidy-rules", json=RULE, headers={"Idempotency-Key": "r"})
    again = admin.post(f"{HOUSE}/subsidy-rules", json=RULE, headers={"Idempotency-Key": "r"})
    assert (made.status_code, again.status_code) == (201, 200)
    one = f"{HOUSE}/subsidy-rules/{made.json()['id']}"
    tag = made.headers["ETag"]
    assert admin.put(one, json=RULE | {"percent": "50.00"}, headers={"If-Match": tag}).json()["percent"] == "50.00"
    assert admin.put(one, json=RULE, headers={"If-Match": tag}).status_code == 412
    other = api.as_user("admin", api.world.b)
    assert other.put(one, json=RULE).status_code == 404
    assert other.get(f"{HOUSE}/subsidy-rules").json()["items"] == []
