"""Goods: the last piece is sold once, a basket that is not paid comes back, money is exact."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from api.services import platform
from db.pool import DbRole, Pool
from tests.integration.conftest import Api

PRODUCTS = "/api/v1/services/goods/products"
ORDERS = "/api/v1/services/goods/orders"


def product(admin: TestClient, code: str, price: str = "12.50", stock: int = 10, **more: Any) -> str:
    made = admin.post(PRODUCTS, json={"code": code, "name": code, "category": "food", "price": price} | more)
    assert made.status_code == 201, made.text
    if stock:
        admin.post(f"{PRODUCTS}/{made.json()['id']}/stock", json={"quantity": stock, "cause": "delivery"})
    return str(made.json()["id"])


def basket(api: Api, *lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    wanted = [{"product_id": one, "quantity": quantity} for one, quantity in lines]
    return {"resident_id": str(api.world.a.residents[0]), "lines": wanted} | more


def left(client: TestClient, one: str) -> int:
    return next(item["stock"] for item in client.get(PRODUCTS).json()["items"] if item["id"] == one)


def test_an_order_is_priced_paid_and_delivered(api: Api) -> None:
    admin = api.as_user("admin")
    rice, oil = product(admin, "rice", "49.90"), product(admin, "oil", "0.05")
    order = admin.post(ORDERS, json=basket(api, (rice, 2), (oil, 1))).json()
    assert (order["price"], order["state"]) == ("99.85", "unpaid")
    one = f"{ORDERS}/{order['id']}"
    assert admin.post(f"{one}/pay", json={"method": "cash", "paid": "99.84"}).status_code == 422
    for action, body in (
        ("pay", {"method": "cash", "paid": "99.85"}), ("accept", {}), ("pack", {}), ("deliver", {}),
        ("receive", {"received_by": "王秀英"}), ("rate", {"stars": 4}),
    ):  # fmt: skip
        answer = admin.post(f"{one}/{action}", json=body)
        assert answer.status_code == 200, f"{action}: {answer.text}"
    assert (left(admin, rice), left(admin, oil)) == (8, 9)
    assert [move["quantity"] for move in admin.get(f"{PRODUCTS}/{rice}/stock").json()["items"]] == [-2, 10]


def test_the_last_pieces_are_not_sold_twice(api: Api) -> None:
    admin = api.as_user("admin")
    last = product(admin, "last", stock=3)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: admin.post(ORDERS, json=basket(api, (last, 1))).status_code, range(8)))
    assert sorted(answers) == [201] * 3 + [409] * 5
    assert left(admin, last) == 0


def test_a_basket_is_all_or_nothing(api: Api) -> None:
    admin = api.as_user("admin")
    much, little = product(admin, "much", stock=5), product(admin, "little", stock=1)
    short = admin.post(ORDERS, json=basket(api, (much, 2), (little, 2)))
    assert short.status_code == 409
    assert "little: 1 left" in short.json()["detail"]
    assert (left(admin, much), left(admin, little)) == (5, 1)


def test_what_is_given_back_is_in_stock_again_and_refunded_once(api: Api) -> None:
    admin = api.as_user("admin")
    rice = product(admin, "rice", "10.00", stock=2)
    one = f"{ORDERS}/{admin.post(ORDERS, json=basket(api, (rice, 2))).json()['id']}"
    admin.post(f"{one}/pay", json={"method": "wechat", "paid": "20.00"})
    assert admin.post(f"{one}/cancel", json={"reason": "不要了"}).status_code == 200
    assert left(admin, rice) == 2
    assert admin.post(f"{one}/refund", json={"refunded": "19.00"}).status_code == 422
    assert admin.post(f"{one}/refund", json={"refunded": "20.00"}).status_code == 200
    assert admin.post(f"{one}/refund", json={"refunded": "20.00"}).status_code == 409


def test_food_that_does_not_fit_the_diet_needs_a_word(api: Api) -> None:
    admin = api.as_user("admin")
    cake, tofu = product(admin, "cake"), product(admin, "tofu", diets=["低糖"])
    assert admin.post(ORDERS, json=basket(api, (cake, 1), diets=["低糖"])).status_code == 409
    assert admin.post(ORDERS, json=basket(api, (tofu, 1), diets=["低糖"])).status_code == 201
    assert admin.post(ORDERS, json=basket(api, (cake, 1), diets=["低糖"], diet_override=True)).status_code == 201
    assert left(admin, cake) == 9, "the refused basket took nothing"


def test_goods_of_two_providers_are_two_orders(api: Api) -> None:
    admin = api.as_user("admin")
    firms = [
        admin.post("/api/v1/providers", json={"name": name, "services": ["goods"]}).json()["id"] for name in ("x", "y")
    ]
    one, other = (product(admin, f"p{i}", provider_id=firm) for i, firm in enumerate(firms))
    assert admin.post(ORDERS, json=basket(api, (one, 1), (other, 1))).status_code == 422
    assert admin.post(ORDERS, json=basket(api, (one, 1))).json()["provider_id"] == firms[0]


def test_an_unpaid_basket_goes_back_into_stock_by_itself(
    api: Api, make_pool_for: Callable[[DbRole], Pool], database_url: str
) -> None:
    admin = api.as_user("admin")
    rice = product(admin, "rice", stock=2)
    one = f"{ORDERS}/{admin.post(ORDERS, json=basket(api, (rice, 2))).json()['id']}"
    jobs = make_pool_for("jobs")
    assert platform.act_on_past_due(jobs, api.clock) == 0
    api.clock.advance(31 * 60)
    assert platform.act_on_past_due(jobs, api.clock) == 1
    admin = api.as_user("admin")
    assert (admin.get(one).json()["state"], left(admin, rice)) == ("cancelled", 2)
    history = admin.get(f"{one}/history").json()["items"]
    assert (history[-1]["role"], history[-1]["action"]) == ("platform", "cancel")
    with psycopg.connect(database_url) as connection:
        others = connection.execute(
            "SELECT count(*) FROM notices n JOIN users u ON u.id = n.user_id WHERE u.institution_id <> n.institution_id"
            " OR u.institution_id = %s",
            (api.world.b.institution_id,),
        ).fetchone()
    assert others == (0,), "nobody of another institution is told"


@pytest.mark.parametrize("quantity", [0, -11])
def test_the_stock_never_goes_below_nothing(api: Api, quantity: int) -> None:
    admin = api.as_user("admin")
    rice = product(admin, "rice", stock=10)
    answer = admin.post(f"{PRODUCTS}/{rice}/stock", json={"quantity": quantity, "cause": "count"})
    assert answer.status_code in (409, 422)
    assert left(admin, rice) == 10


def test_of_two_who_edit_at_once_the_second_is_told(api: Api) -> None:
    admin = api.as_user("admin")
    body = {"code": "rice-5kg", "name": "大米", "category": "food", "price": "39.00"}
    made = admin.post("/api/v1/services/goods/products", json=body).json()
    one = f"/api/v1/services/goods/products/{made['id']}"
    tag = {"If-Match": f'"{made["version"]}"'}
    assert admin.put(one, json=body | {"price": "38.00"}, headers=tag).status_code == 200
    late = admin.put(one, json=body | {"price": "41.00"}, headers=tag)
    assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (412, "precondition-failed")
    provider = {"name": "好味食堂", "services": ["daily-living"]}
    made = admin.post("/api/v1/providers", json=provider).json()
    one, tag = f"/api/v1/providers/{made['id']}", {"If-Match": f'"{made["version"]}"'}
    answers = [admin.put(one, json=provider | {"phone": phone}, headers=tag).status_code for phone in ("1", "2")]
    assert answers == [200, 412]
    shift = {
        "user_id": str(api.world.a.users["caregiver"].id), "starts_on": "2026-03-02", "start_time": "08:00",
        "end_time": "16:00",
    }  # fmt: skip
    made = admin.post("/api/v1/rota/shifts", json=shift).json()
    one, tag = f"/api/v1/rota/shifts/{made['id']}", {"If-Match": f'"{made["version"]}"'}
    answers = [admin.put(one, json=shift | {"note": note}, headers=tag).status_code for note in ("a", "b")]
    assert answers == [200, 412]
