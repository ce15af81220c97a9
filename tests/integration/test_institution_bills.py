"""Bills and accounts through HTTP: a month drawn up, paid in parts, booked once, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_institution_stays import act, bed, moved_in

HOUSE = "/api/v1/institution"
BILLS = f"{HOUSE}/bills"
MARCH_1 = datetime(2026, 3, 1, tzinfo=UTC)


def to(api: Api, moment: datetime) -> None:
    api.clock.advance((moment - api.clock.now()).total_seconds())


def fee(admin: Any, resident: object, code: str, listed: str, unit: str = "month", **given: Any) -> None:
    item = admin.post(f"{HOUSE}/items", json={"service": "institution", "code": code, "name": code, "unit": unit},
                      headers={"Idempotency-Key": code}).json()["id"]  # fmt: skip
    admin.post(f"{HOUSE}/items/{item}/prices", json={"amount": listed, "valid_from": "2025-01-01"},
               headers={"Idempotency-Key": "first"})  # fmt: skip
    body = {"item_id": item, "valid_from": "2025-01-01"} | given
    answer = admin.post(f"/api/v1/residents/{resident}/fees", json=body)
    assert answer.status_code == 201, answer.text


@pytest.fixture
def living(api: Api) -> tuple[str, str]:
    """Somebody who moved in on 2026-03-01 and pays 3,100 a month and 20 a day; resident and stay."""
    to(api, MARCH_1)
    admin, resident = api.as_user("admin"), str(api.world.a.residents[0])
    stay = moved_in(admin, resident, bed(admin, "208-1"))
    fee(admin, resident, "BED", "3100.00")
    fee(admin, resident, "MEAL", "25.00", "day", amount="20.00")
    return resident, stay


def test_a_month_is_drawn_up_issued_and_paid_to_the_fen(api: Api, living: tuple[str, str]) -> None:
    resident, _ = living
    admin, family = api.as_user("admin"), api.as_user("family")
    made = admin.post(BILLS, json={"resident_id": resident, "month": "2026-03"})
    assert made.status_code == 201, made.text
    bill = f"{BILLS}/{made.json()['id']}"
    assert [line["amount"] for line in made.json()["detail"]["lines"]] == ["3100.00", "620.00"]
    assert made.json()["price"] == "3720.00"
    assert admin.post(BILLS, json={"resident_id": resident, "month": "2026-03"}).status_code == 409
    assert admin.post(f"{bill}/issue", json={"due_on": "2026-04-10"}).status_code == 409, "the month is not over"
    to(api, datetime(2026, 4, 2, tzinfo=UTC))
    admin, family = api.as_user("admin"), api.as_user("family")
    assert admin.post(f"{bill}/issue", json={"due_on": "2026-04-10"}).status_code == 200
    account = f"/api/v1/residents/{resident}/account"
    assert family.get(account).json()["balance"] == "3720.00"
    assert admin.post(f"{bill}/pay", json={"paid": "3719.99", "method": "cash"}).status_code == 422
    part = {"paid": "720.00", "method": "transfer", "reference": "R-1"}
    assert admin.post(f"{bill}/pay-part", json=part).json()["detail"]["paid_so_far"] == "720.00"
    assert admin.post(f"{bill}/pay-part", json=part).status_code == 409, "one receipt is booked once"
    assert admin.post(f"{bill}/pay-part", json={"paid": "3000.00", "method": "cash"}).status_code == 422
    paid = admin.post(f"{bill}/pay", json={"paid": "3000.00", "method": "wechat", "reference": "R-2"})
    assert (paid.json()["state"], paid.json()["detail"]["paid_so_far"]) == ("paid", "3720.00")
    seen = family.get(account).json()
    assert (seen["balance"], [one["amount"] for one in seen["items"]]) == ("0.00", ["-3000.00", "-720.00", "3720.00"])
    assert family.get(bill).json()["price"] == "3720.00"
    assert admin.get(f"{HOUSE}/balances").json()["items"] == []


def test_a_void_bill_is_owed_no_longer_and_makes_room(api: Api, living: tuple[str, str]) -> None:
    resident, _ = living
    to(api, datetime(2026, 4, 2, tzinfo=UTC))
    admin = api.as_user("admin")
    bill = f"{BILLS}/{admin.post(BILLS, json={'resident_id': resident, 'month': '2026-03'}).json()['id']}"
    admin.post(f"{bill}/issue", json={"due_on": "2026-04-10"})
    admin.post(f"{bill}/pay-part", json={"paid": "100.00", "method": "cash"})
    assert admin.post(f"{bill}/void", json={"reason": "费用有误"}).status_code == 200
    assert admin.get(f"/api/v1/residents/{resident}/account").json()["balance"] == "-100.00"
    assert admin.post(BILLS, json={"resident_id": resident, "month": "2026-03"}).status_code == 201
    owing = admin.get(f"{HOUSE}/balances").json()["items"]
    assert [(one["resident_id"], one["balance"]) for one in owing] == [(resident, "-100.00")]


def test_who_leaves_pays_for_the_days_and_gets_the_deposit_back(api: Api, living: tuple[str, str]) -> None:
    resident, stay = living
    admin = api.as_user("admin")
    account = f"/api/v1/residents/{resident}/account"
    deposit = {"cause": "deposit", "amount": "5000.00", "method": "transfer", "reference": "D-1"}
    for _ in range(2):
        answer = admin.post(account, json=deposit, headers={"Idempotency-Key": "d"})
        assert (answer.status_code, answer.json()["balance"], answer.json()["deposits"]) == (201, "-5000.00", "5000.00")
    assert admin.post(account, json=deposit | {"amount": "1.00"}, headers={"Idempotency-Key": "d"}).status_code == 409
    to(api, datetime(2026, 3, 11, 1, tzinfo=UTC))
    admin = api.as_user("admin")
    act(admin, stay, "discharge", {"reason": "home"})
    bill = f"{BILLS}/{admin.post(BILLS, json={'resident_id': resident, 'month': '2026-03'}).json()['id']}"
    assert admin.post(f"{bill}/issue", json={"due_on": "2026-03-20"}).json()["price"] == "1200.00"
    back = {"cause": "refund", "amount": "3800.01", "method": "transfer"}
    assert admin.post(account, json=back).status_code == 409, "no more than the credit"
    assert admin.post(account, json=back | {"amount": "3800.00"}).json()["balance"] == "0.00"


def test_the_run_makes_a_bill_for_everybody_once_and_tells_what_failed(api: Api, living: tuple[str, str]) -> None:
    resident, _ = living
    admin, other = api.as_user("admin"), str(api.world.a.residents[1])
    moved_in(admin, other, bed(admin, "208-2"))
    item = admin.post(f"{HOUSE}/items", json={"service": "institution", "code": "X", "name": "X", "unit": "month"})
    admin.post(f"/api/v1/residents/{other}/fees", json={"item_id": item.json()["id"], "valid_from": "2026-01-01"})
    to(api, datetime(2026, 4, 2, tzinfo=UTC))
    admin = api.as_user("admin")
    run = admin.post(f"{HOUSE}/bills-run", json={"month": "2026-03"}).json()
    assert (len(run["made"]), [one["resident_id"] for one in run["failed"]]) == (1, [other])
    assert "no price" in run["failed"][0]["reason"]
    assert admin.post(f"{HOUSE}/bills-run", json={"month": "2026-03"}).json()["made"] == []
    assert [one["resident_id"] for one in admin.get(BILLS).json()["items"]] == [resident]


def test_an_account_is_nobody_elses(api: Api, living: tuple[str, str]) -> None:
    resident, _ = living
    account = f"/api/v1/residents/{resident}/account"
    assert api.as_user("admin", api.world.b).get(account).status_code == 404
    assert api.as_user("family", api.world.b).get(account).status_code == 404
    assert api.as_user("provider").get(account).status_code == 403
    assert api.as_user("family").get(f"/api/v1/residents/{resident}/fees").status_code == 403
