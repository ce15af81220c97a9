"""Visits to those who are alone, and the time bank: who is due, what was missed, accounts that always balance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg

from api.services import platform
from db.pool import DbRole, Pool
from tests.integration.conftest import Api

BASE = "/api/v1/services/companionship"


def plan(api: Api, hours: float = 1) -> dict[str, Any]:
    start = api.clock.now() + timedelta(hours=hours)
    return {
        "resident_id": str(api.world.a.residents[0]),
        "way": "visit",
        "starts_at": start.isoformat(),
        "ends_at": (start + timedelta(hours=1)).isoformat(),
    }


def test_a_missed_visit_is_made_up_and_stays_due_until_then(api: Api, make_pool_for: Callable[[DbRole], Pool]) -> None:
    staff, resident = api.as_user("caregiver"), str(api.world.a.residents[0])
    since = (api.clock.now() - timedelta(days=40)).date().isoformat()
    target = {"groups": ["alone", "impaired"], "every_days": 30, "since": since}
    assert staff.put(f"{BASE}/targets/{resident}", json=target).status_code == 204
    assert staff.get(f"{BASE}/due").json()["items"][0]["overdue"] is True
    one = f"{BASE}/visits/{staff.post(f'{BASE}/visits', json=plan(api)).json()['id']}"
    api.clock.advance(2.5 * 3600)
    assert platform.act_on_past_due(make_pool_for("jobs"), api.clock) == 1
    staff = api.as_user("caregiver")
    assert staff.get(one).json()["state"] == "missed"
    assert any("未执行" in notice["text"]["zh"] for notice in staff.get("/api/v1/notices").json()["items"])
    report = {"condition": "fair", "mood": 3, "needs": ["卫生间灯坏"]}
    assert staff.post(f"{one}/report", json=report).status_code == 409
    made_up = staff.post(f"{one}/make-up", json=report).json()
    assert (made_up["state"], made_up["detail"]["made_up"]) == ("made_up", True)
    due = staff.get(f"{BASE}/due").json()["items"][0]
    assert (due["overdue"], due["last_visit"] is None) == (False, False)
    assert staff.post(f"{one}/review", json={}).status_code == 409, "the need goes on first"
    assert staff.post(f"{one}/refer", json={"service": "home-care", "reason": "灯坏"}).status_code == 200
    assert staff.post(f"{one}/review", json={}).status_code == 200


def test_nobody_met_is_no_visit(api: Api) -> None:
    staff = api.as_user("caregiver")
    one = f"{BASE}/visits/{staff.post(f'{BASE}/visits', json=plan(api)).json()['id']}"
    assert staff.post(f"{one}/report", json={"condition": "not_met"}).status_code == 422


def test_the_list_of_visits_due_pages(api: Api) -> None:
    staff = api.as_user("caregiver")
    for days, resident in enumerate(api.world.a.residents):
        since = (api.clock.now() - timedelta(days=days)).date().isoformat()
        staff.put(f"{BASE}/targets/{resident}", json={"groups": ["alone"], "since": since})
    first = staff.get(f"{BASE}/due", params={"limit": 1}).json()
    second = staff.get(f"{BASE}/due", params={"limit": 1, "cursor": first["next"]}).json()
    found = [item["resident_id"] for item in first["items"] + second["items"]]
    assert found == [str(one) for one in reversed(api.world.a.residents)], "the longest overdue first"


class Bank:
    """The time bank of institution a."""

    def __init__(self, api: Api, url: str) -> None:
        self.admin, self.url = api.as_user("admin"), url

    def open(self, name: str, kind: str = "person") -> str:
        return str(self.admin.post(f"{BASE}/accounts", json={"kind": kind, "name": name}).json()["id"])

    def hours(self, account: str, minutes: int) -> str:
        made = self.admin.post(f"{BASE}/hours", json={"account_id": account, "minutes": minutes})
        assert made.status_code == 201, made.text
        return f"{BASE}/hours/{made.json()['id']}"

    def credited(self, account: str, minutes: int) -> str:
        one = self.hours(account, minutes)
        assert self.admin.post(f"{one}/credit", json={}).status_code == 200
        return one

    def balances(self) -> dict[str, int]:
        return {item["name"]: item["minutes"] for item in self.admin.get(f"{BASE}/accounts").json()["items"]}


def test_every_minute_comes_from_somewhere(api: Api, database_url: str) -> None:
    bank = Bank(api, database_url)
    li, wu = bank.open("李"), bank.open("吴")
    first, second = bank.credited(li, 90), bank.credited(li, 30)
    third = bank.hours(wu, 10)
    assert bank.admin.post(f"{third}/transfer", json={"to_account_id": li}).status_code == 409, "not yet credited"
    assert bank.admin.post(f"{first}/transfer", json={"to_account_id": wu}).status_code == 200
    assert bank.admin.post(f"{first}/transfer", json={"to_account_id": wu}).status_code == 409, "once"
    assert bank.admin.post(f"{second}/donate", json={}).status_code == 200
    balances = bank.balances()
    assert (balances["李"], balances["吴"], balances["公益时间池 Common gifts"]) == (0, 90, 30)
    assert sum(balances.values()) == 0
    with psycopg.connect(database_url) as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM hour_accounts a WHERE minutes <>"
            " coalesce((SELECT sum(minutes) FROM hour_entries WHERE to_account = a.id), 0)"
            " - coalesce((SELECT sum(minutes) FROM hour_entries WHERE from_account = a.id), 0)"
        ).fetchone()
    assert wrong == (0,), "a balance is the sum of its entries"


def test_what_lies_over_the_cap_becomes_a_gift(api: Api, database_url: str) -> None:
    bank = Bank(api, database_url)
    li = bank.open("李")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE hour_accounts SET minutes = 1500 * 60 - 20 WHERE id = %s", (li,))
    one = bank.credited(li, 60)
    assert bank.admin.get(one).json()["detail"]["kept"] == 20
    assert (bank.balances()["李"], bank.balances()["公益时间池 Common gifts"]) == (90_000, 40)


def test_the_time_of_a_group_can_only_be_given_away(api: Api, database_url: str) -> None:
    bank = Bank(api, database_url)
    group, li = bank.open("志愿队", "group"), bank.open("李")
    one = bank.credited(group, 60)
    assert bank.admin.post(f"{one}/transfer", json={"to_account_id": li}).status_code == 422
    assert bank.admin.post(f"{one}/redeem", json={}).status_code == 422
    assert bank.admin.post(f"{one}/donate", json={}).status_code == 200


def test_time_that_was_spent_cannot_be_voided(api: Api, database_url: str) -> None:
    bank = Bank(api, database_url)
    li = bank.open("李")
    one, other = bank.credited(li, 60), bank.credited(li, 60)
    assert bank.admin.post(f"{one}/redeem", json={}).status_code == 200
    assert bank.admin.post(f"{one}/void", json={"reason": "x"}).status_code == 409
    assert bank.admin.post(f"{other}/void", json={"reason": "登记有误"}).status_code == 200
    assert bank.balances()["李"] == 0
