"""What is due: in every state of every kind of record, by the engine's one rule, and by the calendar of people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from api.auth.accounts import Account
from api.services import platform
from api.services.engine import records
from api.services.engine.kind import HOUSE, Note, RecordKind, Step
from api.services.registry import KINDS
from bench.bodies import body_of
from core.vocabulary import Role
from db.pool import DbRole, Pool
from db.tenant import tenant_transaction
from tests.integration.conftest import Api

Connection = psycopg.Connection[Any]
URL = "/api/v1/services"
HALF_PAST_MIDNIGHT = datetime(2026, 2, 28, 16, 30, tzinfo=UTC)
"""00:30 on the first of March in Shanghai, while in UTC it is still February."""


@pytest.fixture
def past_the_rules(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def put(connection: Connection, api: Api, kind: RecordKind, state: str, due_at: datetime | None) -> UUID:
    """A record in a state, written past every rule."""
    record, now = uuid4(), api.clock.now()
    detail = kind.detail.model_validate(body_of(kind.detail)).model_dump(mode="json")
    # These name one record at most.
    detail |= {name: str(uuid4()) for name in ("alert_id", "serial") if name in detail}
    connection.execute(
        "INSERT INTO service_records (id, institution_id, service, kind, state, final, detail, due_at, created_at,"
        " updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (record, api.world.a.institution_id, kind.service, kind.code, state, state in kind.machine.finals,
         Jsonb(detail), due_at, now, now),
    )  # fmt: skip
    return record


def overdue(api: Api) -> set[str]:
    client, found = api.as_user("admin"), set()
    for path in (f"{URL}/overdue", f"/api/v1/{HOUSE}/overdue"):
        cursor: str | None = None
        while True:
            params = {"limit": "100", **({"cursor": cursor} if cursor else {})}
            page = client.get(path, params=params).json()
            found |= {item["id"] for item in page["items"]}
            cursor = page["next"]
            if cursor is None:
                break
    return found


def test_every_move_of_every_kind_lets_go_of_what_was_due(
    api: Api, past_the_rules: Connection, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    """Through the engine without the kind's own rules, which could only say more."""
    pool, user = make_pool_for("api"), api.world.a.users["admin"]
    caller = Account(user.id, api.world.a.institution_id, None, user.username, Role.ADMIN, "x", 0, disabled=False)
    yesterday = api.clock.now() - timedelta(days=1)
    reached: set[tuple[str, str, str]] = set()
    for kind in KINDS.values():
        bare = replace(kind, rules={})
        for move in kind.machine.moves:
            for source in sorted(move.sources):
                record = put(past_the_rules, api, kind, source, yesterday)
                with tenant_transaction(pool, caller.tenant) as tx:
                    row = tx.one("records.for_platform", id=record)
                    row["state"] = source if move.target == "=" else move.target
                    step = Step(tx, api.clock, caller, kind.service, move.action, row, Note(), was=source)
                    records.carry_out(step, bare)
                    after = tx.one("records.for_platform", id=record)
                waited_for = after["state"] in kind.machine.due
                assert (after["due_at"] == yesterday) is waited_for, f"{kind.service}/{kind.code} {move.action}"
                assert (after["due_at"] is None) is not waited_for
                reached.add((kind.service, kind.code, after["state"]))
    finals = {(kind.service, kind.code, state) for kind in KINDS.values() for state in kind.machine.finals}
    assert finals <= reached, "every final state was walked to"


def test_overdue_is_only_what_stands_in_a_state_in_which_something_is_due(
    api: Api, past_the_rules: Connection, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    """Also of records that an older version left as due: the platform's own round lets go of them."""
    yesterday, wanted, others = api.clock.now() - timedelta(days=1), set(), set()
    for kind in KINDS.values():
        for state in kind.machine.states:
            if state.code in kind.timeouts:
                continue  # these move on by themselves
            record = put(past_the_rules, api, kind, state.code, yesterday)
            (wanted if state.code in kind.machine.due else others).add(str(record))
    platform.act_on_past_due(make_pool_for("jobs"), api.clock)
    found = overdue(api)
    assert found == wanted
    assert not found & others


def test_what_became_of_things_that_were_due(api: Api) -> None:
    staff, resident = api.as_user("caregiver"), str(api.world.a.residents[0])
    now = api.clock.now()

    def made(path: str, body: dict[str, Any]) -> str:
        answer = staff.post(f"{URL}/{path}", json=body)
        assert answer.status_code == 201, answer.text
        return f"{URL}/{path}/{answer.json()['id']}"

    def act(one: str, **bodies: dict[str, Any]) -> dict[str, Any]:
        for action, body in bodies.items():
            answer = staff.post(f"{one}/{action.replace('_', '-')}", json=body)
            assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    span = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=1)).isoformat()}
    missed = act(made("safety/rounds", {"title": "夜间巡查", **span}), miss={"reason": "人手不足"})
    assert missed["due_at"] is None, "a missed round can still be walked, but nothing waits for it"
    walked = act(made("safety/rounds", {"title": "夜间巡查", **span}), walk={"dangers": ["地面湿滑"]})
    assert walked["due_at"] is not None
    assert act(f"{URL}/safety/rounds/{walked['id']}", put_right={"done": "已拖干"})["due_at"] is None
    finding = {"resident_id": resident, "finding": "血压 172/98"}
    assert act(made("health/follow-ups", finding), confirm={"real": False})["due_at"] is None
    real = made("health/follow-ups", finding)
    assert act(real, confirm={"real": True})["due_at"] is not None, "what is real stays due until it is handled"
    worse = act(real, handle={"done": "卧床休息"}, remeasure={"finding": "血压 170/96", "better": False})
    assert worse["due_at"] is not None
    better = act(real, handle={"done": "遵医嘱加药"}, remeasure={"finding": "血压 138/82", "better": True})
    assert better["due_at"] is None
    stay = {"resident_id": resident, "carer": "王芳", **span}
    home = act(
        made("home-care/respites", stay), approve={"nights": 1, "price": "200.00"}, arrive={},
        go_home={"at": (now + timedelta(minutes=50)).isoformat()},
    )  # fmt: skip
    assert home["due_at"] is None
    referral = {"resident_id": resident, "direction": "to_hospital", "hospital": "高新区人民医院", "urgency": "urgent",
                "question": "血压升高", "consent_by": "王秀英"}  # fmt: skip
    treated = act(made("medical/referrals", referral), accept={}, treat={"diagnosis": "高血压2级"})
    assert treated["due_at"] is None


def test_an_aid_that_is_not_brought_back_stays_overdue(api: Api, make_pool_for: Callable[[DbRole], Pool]) -> None:
    staff, resident = api.as_user("caregiver"), str(api.world.a.residents[0])
    aid = {"title": "轮椅", "serial": "WC-1", "category": "wheelchair", "price": "800.00"}
    one = f"{URL}/rehabilitation/aids/{staff.post(f'{URL}/rehabilitation/aids', json=aid).json()['id']}"
    until = (api.clock.now() + timedelta(days=2)).date().isoformat()
    assert staff.post(f"{one}/reserve", json={"resident_id": resident}).status_code == 200
    assert staff.post(f"{one}/lend", json={"until": until, "instructed": True}).status_code == 200
    api.clock.advance(4 * 86_400)
    platform.act_on_past_due(make_pool_for("jobs"), api.clock)
    staff = api.as_user("caregiver")
    found = staff.get(one).json()
    assert found["state"] == "due"
    assert found["id"] in overdue(api)
    assert staff.post(f"{one}/take-back", json={"findings": "完好"}).json()["due_at"] is None
    assert found["id"] not in overdue(api)


def test_the_agenda_can_leave_out_what_has_ended(api: Api) -> None:
    staff, now = api.as_user("caregiver"), api.clock.now()
    body = {"resident_id": str(api.world.a.residents[0]), "way": "visit", "starts_at": now.isoformat(),
            "ends_at": (now + timedelta(hours=1)).isoformat()}  # fmt: skip
    running, ended = (staff.post(f"{URL}/companionship/visits", json=body).json()["id"] for _ in range(2))
    assert staff.post(f"{URL}/companionship/visits/{ended}/decline", json={"reason": "外出"}).status_code == 200
    span = {"starts_from": now.isoformat(), "starts_to": (now + timedelta(days=1)).isoformat()}

    def listed(**more: str) -> set[str]:
        return {one["id"] for one in staff.get(f"{URL}/agenda", params={**span, **more}).json()["items"]}

    assert listed() == {running, ended}
    assert listed(unfinished="true") == {running}
    assert listed(unfinished="false") == {ended}


def test_the_day_is_the_one_on_the_wall_also_after_midnight(api: Api) -> None:
    """At 00:30 in Shanghai the first of March has begun: the last day of February is over."""
    api.clock.advance((HALF_PAST_MIDNIGHT - api.clock.now()).total_seconds() % 86_400)
    today = (api.clock.now() + timedelta(hours=8)).date()
    assert today != api.clock.now().date(), "in UTC it is still the day before"
    staff, resident = api.as_user("admin"), str(api.world.a.residents[0])
    yesterday, now = today - timedelta(days=1), api.clock.now()

    def tried(path: str, make: dict[str, Any], *steps: tuple[str, dict[str, Any], int]) -> None:
        made = staff.post(f"{URL}/{path}", json=make)
        assert made.status_code == 201, made.text
        for action, body, wanted in steps:
            answer = staff.post(f"{URL}/{path}/{made.json()['id']}/{action}", json=body)
            assert answer.status_code == wanted, f"{path} {action} {body}: {answer.text}"

    old, new = yesterday.isoformat(), today.isoformat()
    contract = {"resident_id": resident, "doctor": "周医生", "clinic": "白市驿镇卫生院"}
    signed = {"agreed_by": "王秀英", "valid_until": new}
    tried(
        "medical/contracts", contract, ("sign", {**signed, "valid_until": old}, 422), ("sign", signed, 200),
        ("record-round", {"on": (today + timedelta(days=1)).isoformat(), "findings": "平稳"}, 422),
        ("record-round", {"on": new, "findings": "平稳"}, 200),
    )  # fmt: skip
    plan = {"resident_id": resident, "findings": "左侧肢体乏力", "score": 55}
    goals = {"goals": "独立站立", "sessions_planned": 12}
    tried("rehabilitation/plans", plan, ("set-goals", {**goals, "until": old}, 422),
          ("set-goals", {**goals, "until": new}, 200))  # fmt: skip
    bed = {"resident_id": resident}
    sign = {"agreed_by": "王芳", "monthly_fee": "800.00"}
    tried("home-care/beds", bed, ("survey", {"findings": "适合", "suitable": True}, 200),
          ("sign", {**sign, "valid_until": old}, 422), ("sign", {**sign, "valid_until": new}, 200))  # fmt: skip
    care = {"resident_id": resident, "measures": [{"what": "测血压"}]}
    tried("health/plans", care, ("activate", {"review_on": new}, 422),
          ("activate", {"review_on": (today + timedelta(days=1)).isoformat()}, 200))  # fmt: skip
    base = f"{URL}/companionship"
    assert staff.put(f"{base}/targets/{resident}", json={"groups": ["alone"], "every_days": 1,
                                                         "since": old}).status_code == 204  # fmt: skip
    assert (
        staff.get(f"{base}/due").json()["items"][0] | {"due_on": new, "overdue": False}
        == (staff.get(f"{base}/due").json()["items"][0])
    )
    span = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=1)).isoformat()}
    visit = {"resident_id": resident, "way": "visit", **span}
    tried("companionship/visits", visit, ("report", {"condition": "good"}, 200))
    due = staff.get(f"{base}/due").json()["items"][0]
    assert due["due_on"] == (today + timedelta(days=1)).isoformat(), "visited today, by the calendar on the wall"
