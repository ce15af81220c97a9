"""A house's own rules: orders left to the month's bill, less for days away, credits, beds that wait too long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from api.institution.kept_beds import free_kept_beds
from db.pool import DbRole, Pool
from tests.integration.conftest import Api
from tests.integration.test_institution_bills import BILLS, MARCH_1, fee, to
from tests.integration.test_institution_stays import STAYS, act, bed, moved_in

HOUSE = "/api/v1/institution"
ORDERS = "/api/v1/services/daily-living/orders"


def ordered(api: Api, admin: Any, resident: str, price: str, subsidy: str = "0.00", title: str = "助浴") -> str:
    """An order that was done now; ready to settle."""
    now = api.clock.now()
    body = {"resident_id": resident, "care": "bath", "title": title, "starts_at": now.isoformat(),
            "ends_at": (now + timedelta(hours=1)).isoformat()}  # fmt: skip
    one = f"{ORDERS}/{admin.post(ORDERS, json=body).json()['id']}"
    steps: list[tuple[str, dict[str, Any]]] = [
        ("assess", {"price": price, "subsidy": subsidy}), ("assign", {}), ("accept", {}), ("check-in", {}),
        ("begin", {}), ("check-out", {"done": "已完成"}),
    ]  # fmt: skip
    for action, words in steps:
        answer = admin.post(f"{one}/{action}", json=words)
        assert answer.status_code == 200, answer.text
    return one


def drawn(admin: Any, resident: str, month: str, status: int = 201) -> Any:
    answer = admin.post(BILLS, json={"resident_id": resident, "month": month})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_orders_left_to_the_bill_are_on_one_bill_with_their_own_share(api: Api) -> None:
    to(api, MARCH_1 + timedelta(days=9))
    admin, resident = api.as_user("admin"), str(api.world.a.residents[0])
    first, second = ordered(api, admin, resident, "80.00", "48.00"), ordered(api, admin, resident, "20.00")
    paid = ordered(api, admin, resident, "15.00")
    assert admin.post(f"{first}/settle", json={}).status_code == 422, "paid, or left to the bill"
    assert admin.post(f"{first}/settle", json={"paid": "32.00", "on_bill": True}).status_code == 422
    for one in (first, second):
        settled = admin.post(f"{one}/settle", json={"on_bill": True})
        assert settled.status_code == 200, settled.text
        assert settled.json()["detail"]["paid"] is None
    assert admin.post(f"{paid}/settle", json={"paid": "15.00"}).status_code == 200
    draft = drawn(admin, resident, "2026-03")
    lines = draft["detail"]["lines"]
    assert {(line["title"], line["amount"], line["subsidy"]) for line in lines} == {
        ("助浴", "32.00", "48.00"), ("助浴", "20.00", "0.00")}  # fmt: skip
    assert (draft["price"], {f"{ORDERS}/{line['record_id']}" for line in lines}) == ("52.00", {first, second})
    again = admin.post(f"{BILLS}/{draft['id']}/draw-up", json={})
    assert again.json()["price"] == "52.00", "drawn up anew it holds the same orders, once"
    to(api, datetime(2026, 4, 2, 4, tzinfo=UTC))
    admin = api.as_user("admin")
    late = ordered(api, admin, resident, "30.00")
    admin.post(f"{late}/settle", json={"on_bill": True})
    assert admin.post(f"{BILLS}/{draft['id']}/issue", json={"due_on": "2026-04-20"}).status_code == 200
    april = drawn(admin, resident, "2026-04")
    assert [line["amount"] for line in april["detail"]["lines"]] == ["30.00"], "nothing is billed twice"
    void = admin.post(f"{BILLS}/{draft['id']}/void", json={"reason": "重开"})
    assert void.status_code == 200, void.text
    renewed = admin.post(f"{BILLS}/{april['id']}/draw-up", json={}).json()
    assert renewed["price"] == "82.00", "what a void bill held waits for the next one"
    drawn(admin, resident, "2026-03", status=422)
    account = admin.get(f"/api/v1/residents/{resident}/account").json()
    assert account["balance"] == "0.00"


def test_the_run_finds_who_has_only_orders_and_names_no_care_of_health(api: Api) -> None:
    to(api, MARCH_1 + timedelta(days=9))
    admin, resident = api.as_user("admin"), str(api.world.a.residents[0])
    plan = admin.post("/api/v1/services/rehabilitation/plans",
                      json={"resident_id": resident, "findings": "乏力", "score": 55}).json()["id"]  # fmt: skip
    base = "/api/v1/services/rehabilitation"
    until = {"goals": "站立", "sessions_planned": 2, "until": "2026-05-01"}
    assert admin.post(f"{base}/plans/{plan}/set-goals", json=until).status_code == 200
    assert admin.post(f"{base}/plans/{plan}/start", json={}).status_code == 200
    now = api.clock.now()
    body = {"resident_id": resident, "plan_id": plan, "exercise": "站立平衡", "title": "偏瘫训练",
            "starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=1)).isoformat()}  # fmt: skip
    one = f"{base}/sessions/{admin.post(f'{base}/sessions', json=body).json()['id']}"
    for action, words in (("assess", {"price": "90.00", "subsidy": "0.00"}), ("assign", {}), ("accept", {}),
                          ("check-in", {}), ("begin", {}), ("check-out", {"done": "完成"}),
                          ("settle", {"on_bill": True})):  # fmt: skip
        assert admin.post(f"{one}/{action}", json=words).status_code == 200
    to(api, datetime(2026, 4, 2, tzinfo=UTC))
    admin = api.as_user("admin")
    run = admin.post(f"{HOUSE}/bills-run", json={"month": "2026-03"}).json()
    assert (len(run["made"]), run["failed"]) == (1, [])
    bill = admin.get(f"{BILLS}/{run['made'][0]}").json()
    assert [line["title"] for line in bill["detail"]["lines"]] == ["服务 Service"]
    assert admin.post(f"{HOUSE}/bills-run", json={"month": "2026-03"}).json()["made"] == []


def test_a_mistake_on_a_bill_is_credited_and_never_changed(api: Api) -> None:
    to(api, MARCH_1)
    admin, resident = api.as_user("admin"), str(api.world.a.residents[0])
    moved_in(admin, resident, bed(admin, "208-1"))
    fee(admin, resident, "BED", "3100.00")
    to(api, datetime(2026, 4, 2, tzinfo=UTC))
    admin = api.as_user("admin")
    made = drawn(admin, resident, "2026-03")
    bill, account = f"{BILLS}/{made['id']}", f"/api/v1/residents/{resident}/account"
    assert admin.post(f"{bill}/credit", json={"credited": "1.00", "reason": "x"}).status_code == 409, "not yet out"
    admin.post(f"{bill}/issue", json={"due_on": "2026-04-20"})
    assert admin.post(f"{bill}/credit", json={"credited": "3100.00", "reason": "x"}).status_code == 422
    credited = admin.post(f"{bill}/credit", json={"credited": "100.00", "reason": "停水一日"}).json()
    assert (credited["price"], credited["detail"]["lines"]) == ("3100.00", made["detail"]["lines"])
    assert credited["detail"]["credited_so_far"] == "100.00"
    assert admin.get(account).json()["balance"] == "3000.00"
    assert admin.post(f"{bill}/pay", json={"paid": "3100.00", "method": "cash"}).status_code == 422
    assert admin.post(f"{bill}/pay-part", json={"paid": "2900.00", "method": "cash"}).status_code == 200
    assert admin.post(f"{bill}/write-off", json={"reason": "尾款免收"}).json()["state"] == "paid"
    assert admin.get(account).json()["balance"] == "0.00"
    after = admin.post(f"{bill}/credit", json={"credited": "50.00", "reason": "多收"})
    assert after.status_code == 200, after.text
    assert admin.get(account).json()["balance"] == "-50.00", "of a paid bill it is to the person's credit"
    assert admin.post(f"{bill}/credit", json={"credited": "2850.01", "reason": "x"}).status_code == 422
    causes = [one["cause"] for one in admin.get(account).json()["items"]]
    assert causes == ["credit", "credit", "payment", "credit", "bill"]


def test_goods_from_the_account_are_owed_there_and_given_back_there(api: Api) -> None:
    admin, resident = api.as_user("admin"), str(api.world.a.residents[0])
    goods, account = "/api/v1/services/goods", f"/api/v1/residents/{resident}/account"
    provider = admin.post("/api/v1/providers", json={"name": "便民超市", "services": ["goods"]}).json()["id"]
    product = {"code": "RICE", "name": "大米", "category": "food", "unit": "袋", "price": "36.50",
               "provider_id": provider}  # fmt: skip
    made = admin.post(f"{goods}/products", json=product)
    assert made.status_code == 201, made.text
    stock = admin.post(f"{goods}/products/{made.json()['id']}/stock", json={"quantity": 5, "cause": "delivery"})
    assert stock.status_code in (200, 201, 204), stock.text
    basket = {"resident_id": resident, "lines": [{"product_id": made.json()["id"], "quantity": 2}]}
    answer = admin.post(f"{goods}/orders", json=basket)
    assert answer.status_code == 201, answer.text
    one = f"{goods}/orders/{answer.json()['id']}"
    assert admin.post(f"{one}/pay", json={"method": "account", "paid": "73.00"}).status_code == 200
    assert admin.get(account).json()["balance"] == "73.00"
    assert admin.post(f"{one}/cancel", json={"reason": "不要了"}).status_code == 200
    assert admin.post(f"{one}/refund", json={"refunded": "73.00"}).status_code == 200
    assert admin.get(account).json()["balance"] == "0.00"


def test_days_away_cost_less_only_where_the_house_says_so(api: Api) -> None:
    to(api, MARCH_1)
    admin, resident = api.as_user("admin"), str(api.world.a.residents[0])
    moved_in(admin, resident, bed(admin, "208-1"))
    fee(admin, resident, "BED", "3100.00")
    fee(admin, resident, "MEAL", "20.00", "day")
    away = {"kind": "hospital", "until": "2026-03-30T00:00:00Z", "reason": "住院"}
    to(api, datetime(2026, 3, 5, 4, tzinfo=UTC))
    admin = api.as_user("admin")
    assert admin.post(f"/api/v1/residents/{resident}/away", json=away).status_code in (200, 201)
    to(api, datetime(2026, 3, 15, 4, tzinfo=UTC))
    admin = api.as_user("admin")
    assert admin.delete(f"/api/v1/residents/{resident}/away").status_code in (200, 204)
    plain = drawn(admin, resident, "2026-03")
    assert [line["amount"] for line in plain["detail"]["lines"]] == ["3100.00", "620.00"], "off unless it is set"
    rules = admin.get(f"{HOUSE}/rules")
    assert (rules.json()["version"], rules.json()["absence_percent"], rules.json()["keep_bed_days"]) == (0, None, 14)
    meal = plain["detail"]["lines"]
    assert len(meal) == 2
    items = {one["code"]: one["id"] for one in admin.get(f"{HOUSE}/items").json()["items"]}
    wanted = {"absence_percent": "100.00", "absence_from_days": 3, "absence_items": [items["MEAL"]]}
    put = admin.put(f"{HOUSE}/rules", json=wanted, headers={"If-Match": rules.headers["ETag"]})
    assert put.status_code == 200, put.text
    assert admin.put(f"{HOUSE}/rules", json=wanted, headers={"If-Match": rules.headers["ETag"]}).status_code == 412
    anew = admin.post(f"{BILLS}/{plain['id']}/draw-up", json={}).json()
    # Away from the 5th to the 15th: ten days, three of them at full price.
    assert [line["amount"] for line in anew["detail"]["lines"]] == ["3100.00", "620.00", "-140.00"]
    assert anew["price"] == "3580.00"
    stranger = {"absence_items": [plain["id"]]}
    assert admin.put(f"{HOUSE}/rules", json=stranger).status_code == 422
    assert api.as_user("caregiver").put(f"{HOUSE}/rules", json=wanted).status_code == 403
    assert api.as_user("admin", api.world.b).get(f"{HOUSE}/rules").json()["version"] == 0


def test_the_bed_of_who_stays_away_is_given_away_after_a_warning(
    api: Api, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    jobs, admin, resident = make_pool_for("jobs"), api.as_user("admin"), str(api.world.a.residents[0])
    stay = moved_in(admin, resident, bed(admin, "208-1"))
    until = (api.clock.now() + timedelta(days=60)).isoformat()
    away = {"kind": "hospital", "until": until, "reason": "住院"}
    assert admin.post(f"/api/v1/residents/{resident}/away", json=away).status_code in (200, 201)
    api.clock.advance(10 * 86_400)
    assert free_kept_beds(jobs, api.clock) == 0
    family = api.as_user("family")
    assert not [one for one in family.get("/api/v1/notices").json()["items"] if "床位保留至" in one["text"]["zh"]]
    api.clock.advance(86_400)
    for _ in range(2):
        assert free_kept_beds(jobs, api.clock) == 0
    family = api.as_user("family")
    told = [one for one in family.get("/api/v1/notices").json()["items"] if "床位保留至" in one["text"]["zh"]]
    assert len(told) == 1, "told once"
    api.clock.advance(4 * 86_400)
    assert free_kept_beds(jobs, api.clock) == 1
    admin = api.as_user("admin")
    found = admin.get(f"{STAYS}/{stay}").json()
    assert (found["state"], found["detail"]["bed"], found["detail"]["bed_id"]) == ("living", "", None)
    assert found["detail"]["bed_freed_on"]
    assert free_kept_beds(jobs, api.clock) == 0
    again = act(admin, stay, "transfer", {"bed_id": bed(admin, "208-2"), "reason": "出院返院"})
    assert (again["detail"]["bed_freed_on"], again["detail"]["bed"]) == (None, "1 2 208 208-2")


def test_a_bed_that_is_kept_for_nobody_who_comes_is_free_again(
    api: Api, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    jobs, admin = make_pool_for("jobs"), api.as_user("admin")
    assert admin.put(f"{HOUSE}/rules", json={"keep_bed_days": 5, "warn_days": 2}).status_code == 200
    found = {"findings": "适合", "risks": [], "suitable": True, "bed_type": "nursing"}
    body = {"resident_id": str(api.world.a.residents[0]), "applied_by": "女儿"}
    stay, wanted = admin.post(STAYS, json=body).json()["id"], bed(admin, "208-1")
    act(admin, stay, "assess", found)
    act(admin, stay, "reserve", {"bed_id": wanted})
    api.clock.advance(5 * 86_400)
    assert free_kept_beds(jobs, api.clock) == 0, "kept through its last day"
    api.clock.advance(86_400)
    assert free_kept_beds(jobs, api.clock) == 1
    admin = api.as_user("admin")
    assert admin.get(f"{STAYS}/{stay}").json()["state"] == "assessed"
    assert [one["id"] for one in admin.get(f"{HOUSE}/beds?free=true").json()["items"]] == [wanted]
    assert admin.put(f"{HOUSE}/rules", json={"keep_bed_days": None}).status_code == 200
    kept = act(admin, stay, "reserve", {"bed_id": wanted})
    assert kept["due_at"] is None, "never, where the house says so"
    api.clock.advance(60 * 86_400)
    assert free_kept_beds(jobs, api.clock) == 0
