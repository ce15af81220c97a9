"""Erasure: two pairs of eyes, two steps, receipts; and nothing of a person is left that nobody has decided to keep."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from api.rights import erase
from tests.fixtures.world import WorldUser
from tests.integration.conftest import Api, TestClient
from tests.integration.rights_kit import SECRET, Pools, ask, grant, lived, run, where_found

__all__ = ["lived"]
DESK = "/api/v1/institution/rights-requests"


def second_admin(api: Api) -> TestClient:
    """Another administrator of institution a."""
    body = {"username": "second.admin", "password": "Lantern-harbour-2026", "role": "admin", "name": "李主任"}
    made = api.as_user("admin").post("/api/v1/users", json=body)
    assert made.status_code in (201, 409), made.text
    user = WorldUser(UUID(int=0), body["username"], body["password"])
    return TestClient(api.app, headers={"Authorization": f"Bearer {api.sign_in(user)['access_token']}"})


def confirmed(api: Api, path: str, request: dict[str, Any]) -> dict[str, Any]:
    answer = second_admin(api).post(f"{path}/rights-requests/{request['id']}/confirm", json={"confirm": True})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def gone(api: Api, lived: str) -> str:
    """The resident has died."""
    assert api.as_user("admin").patch(lived, json={"status": "deceased"}).status_code == 200
    return lived


def test_nobody_who_lives_here_is_erased(api: Api, lived: str) -> None:
    request = ask(api.as_user("caregiver"), lived, "erasure")
    url = f"{lived}/rights-requests/{request['id']}/decide"
    assert api.as_user("admin").post(url, json={"grant": True}).status_code == 409


def test_neither_who_asks_nor_who_grants_confirms(api: Api, gone: str, make_pool_for: Pools, database_url: str) -> None:
    admin, other = api.as_user("admin"), second_admin(api)
    asked_by_other = ask(other, gone, "erasure")
    url = f"{gone}/rights-requests/{asked_by_other['id']}"
    assert other.post(f"{url}/confirm", json={"confirm": True}).status_code == 409, "nothing was granted"
    run(
        database_url,
        "INSERT INTO users (id, institution_id, username, password_hash, role, name, created_at)"
        " SELECT gen_random_uuid(), institution_id, 'third.admin', password_hash, 'admin', '三', created_at FROM users"
        " WHERE username = 'second.admin' RETURNING id",
    )
    assert admin.post(f"{url}/decide", json={"grant": True}).json()["state"] == "confirming"
    told = (
        "SELECT string_agg(u.username, ',') FROM notices n JOIN users u ON u.id = n.user_id"
        " WHERE strpos(n.zh, '删除申请') > 0"
    )
    assert run(database_url, told) == ("third.admin",), "not who asked, not who granted"
    waiting = other.get(DESK, params={"waits": "true"}).json()["items"]
    assert [(one["id"], one["state"]) for one in waiting] == [(asked_by_other["id"], "confirming")]
    assert admin.post(f"{url}/confirm", json={"confirm": True}).status_code == 403, "who granted it"
    assert other.post(f"{url}/confirm", json={"confirm": True}).status_code == 403, "who asked for it"
    assert api.as_user("caregiver").post(f"{url}/confirm", json={"confirm": True}).status_code == 403
    foreign = api.as_user("admin", api.world.b).post(f"{url}/confirm", json={"confirm": True})
    assert foreign.status_code == 404
    with pytest.raises(psycopg.errors.CheckViolation):
        run(
            database_url, "UPDATE rights_requests SET confirmed_by = decided_by WHERE id = %s",
            UUID(asked_by_other["id"]),
        )  # fmt: skip
    assert erase.erase_due(make_pool_for("jobs"), api.clock) == 0
    own = ask(admin, gone, "erasure")
    url = f"{gone}/rights-requests/{own['id']}"
    assert admin.post(f"{url}/decide", json={"grant": True}).json()["state"] == "confirming"
    assert admin.post(f"{gone}/restriction/lift").status_code == 409, "closed while it waits"
    assert other.post(f"{url}/confirm", json={"confirm": False}).status_code == 422, "a refusal says why"
    said = other.post(f"{url}/confirm", json={"confirm": False, "reason": "家属异议"})
    assert (said.json()["state"], said.json()["decision"]) == ("refused", "家属异议")
    assert said.json()["confirmed_by"] == "李主任"


def test_the_desk_has_what_waits_in_the_house_and_says_what_is_late(api: Api, lived: str) -> None:
    nurse = api.as_user("caregiver")
    first, second = ask(nurse, lived, "access"), ask(nurse, lived, "restriction")
    api.clock.advance(timedelta(days=31))
    admin = api.as_user("admin")
    third = ask(admin, lived, "access")
    grant(api, lived, second)
    found = admin.get(DESK, params={"waits": "true"}).json()["items"]
    assert {one["id"]: one["overdue"] for one in found} == {third["id"]: False, first["id"]: True}
    assert [one["id"] for one in admin.get(DESK, params={"state": "granted"}).json()["items"]] == [second["id"]]
    one = admin.get(DESK, params={"limit": 1}).json()
    two = admin.get(DESK, params={"limit": 5, "cursor": one["next"]}).json()
    assert len({one["items"][0]["id"], *(item["id"] for item in two["items"])}) == 3
    assert api.as_user("admin", api.world.b).get(DESK).json()["items"] == []
    assert api.as_user("caregiver").get(DESK).status_code == 403


def test_an_erasure_that_is_not_confirmed_opens_the_data_again(api: Api, gone: str) -> None:
    admin = api.as_user("admin")
    request = ask(admin, gone, "erasure")
    grant(api, gone, request)
    assert admin.get(gone).status_code == 404
    url = f"{gone}/rights-requests/{request['id']}/confirm"
    said = second_admin(api).post(url, json={"confirm": False, "reason": "家属异议"})
    assert said.status_code == 200, said.text
    assert admin.get(gone).status_code == 200


def test_erasure_in_two_steps_with_receipts(api: Api, gone: str, database_url: str, make_pool_for: Pools) -> None:
    jobs, admin = make_pool_for("jobs"), api.as_user("admin")
    other = api.world.a.devices[1].key
    run(
        database_url,
        "INSERT INTO readings (device_key, metric, time, value, delay_seconds) VALUES (%s, 1, %s, 70, 0)",
        other, api.clock.now(),
    )  # fmt: skip
    request = ask(admin, gone, "erasure")
    decided = grant(api, gone, request)
    assert decided["state"] == "confirming"
    assert admin.get(gone).status_code == 404
    assert erase.erase_due(jobs, api.clock) == 0, "nothing goes before a second one has looked"
    assert confirmed(api, gone, request)["state"] == "running"
    assert erase.erase_due(jobs, api.clock) == 1
    first = admin.get(f"{gone}/rights-requests/{request['id']}").json()
    assert (first["state"], first["receipt"]["complete"]) == ("waiting", False)
    erased = {one["what"]: one["rows"] for one in first["receipt"]["erased"]}
    assert (erased["readings"], erased["outbox"], erased["page_links"], erased["notices"]) == (30, 1, 1, 1)
    assert (first["receipt"]["decided_by"], first["receipt"]["confirmed_by"]) == ("admin a", "李主任")
    kept = {one["what"]: one["until"] for one in first["receipt"]["kept"]}
    assert kept["service_records"] == first["receipt"]["kept"][-1]["until"] is not None
    text = erase.canonical(_stored(database_url, request["id"]))
    assert hashlib.sha256(text.encode()).hexdigest() == first["receipt_hash"]
    assert where_found(database_url, SECRET) == {
        "residents", "resident_changes", "vital_limits", "resident_clinical", "alerts", "alert_entries",
        "service_records", "service_events",
    }  # fmt: skip
    assert run(database_url, "SELECT count(*) FROM readings") == (1,)
    assert run(database_url, "SELECT count(*) FROM rollup_1h") == (0,)
    assert erase.erase_due(jobs, api.clock) == 0
    assert admin.post(f"{gone}/restriction/lift").status_code == 409

    api.clock.advance(timedelta(days=5 * 365 + 1))
    assert erase.erase_due(jobs, api.clock) == 1
    admin = api.as_user("admin")
    last = admin.get(f"{gone}/rights-requests/{request['id']}").json()
    assert (last["state"], last["receipt"]["complete"]) == ("done", True)
    assert where_found(database_url, SECRET) == set()
    assert where_found(database_url, "张老a1") == set()
    assert where_found(database_url, "张老a2") == {"residents"}
    assert run(database_url, "SELECT count(*) FROM alerts") == (1,)


def _stored(url: str, request: str) -> dict[str, Any]:
    receipt = run(url, "SELECT receipt FROM rights_requests WHERE id = %s", UUID(request))[0]
    assert isinstance(receipt, dict)
    return receipt


def test_every_table_of_persons_is_erased_or_kept_with_its_ground(
    api: Api, gone: str, make_pool_for: Pools, database_url: str
) -> None:
    """Whoever adds a table that knows residents says here what becomes of it."""
    with psycopg.connect(database_url) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM person_tables()").fetchall()}
    request = ask(api.as_user("admin"), gone, "erasure")
    grant(api, gone, request)
    confirmed(api, gone, request)
    api.clock.advance(timedelta(days=6 * 365))
    erase.erase_due(make_pool_for("jobs"), api.clock)
    receipt = _stored(database_url, request["id"])
    told = {one["what"] for one in receipt["erased"]} | set(erase.KEPT_FOR_GOOD)
    assert tables - told == set()


def test_nobody_but_the_jobs_can_erase(make_pool_for: Pools) -> None:
    for role in ("api", "alerts", "ingest", "admin"):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            make_pool_for(role).connection() as connection,  # type: ignore[arg-type]
        ):
            connection.execute("SELECT * FROM erase_person('00000000-0000-7000-8000-000000000000', true)")
