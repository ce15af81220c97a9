"""Who may do what, from the description itself: every operation for every role, and what no role may ever be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from core.vocabulary import Role
from tests.integration.conftest import Api, TestClient

ROLES = [role.value for role in Role if role is not Role.DEVICE]
NOBODY = "00000000-0000-7000-8000-000000000000"
ENDLESS = {"/api/v1/alerts/stream", "/api/v1/board/stream"}
"""Streams do not end; tests of their own read them."""
PAIRS_MIN = 1500

CANARY = "CANARY-7f3a"
"""Stands in every text of a resident that is for staff alone."""


def operations(api: Api) -> Iterator[tuple[str, str, list[str], dict[str, Any]]]:
    """(method, path, roles, description) of every operation."""
    for path, ways in api.app.openapi()["paths"].items():
        for method, operation in ways.items():
            yield method.upper(), path, operation["x-roles"], operation


def filled(path: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], NOBODY), path)


def test_every_operation_says_who_may_call_it(api: Api) -> None:
    for method, path, roles, operation in operations(api):
        assert set(roles) <= set(ROLES), f"{method} {path}"
        needs_token = any("anhu" in one for one in operation.get("security", ()))
        assert bool(roles) == needs_token, f"{method} {path}: roles without a token, or a token without"


@pytest.mark.parametrize("role", ROLES)
def test_function_level_a_role_gets_in_where_it_is_named_and_nowhere_else(api: Api, role: str) -> None:
    """With no body and ids of nothing: whoever gets in is told what is missing, never that the role is wrong."""
    client, pairs = api.as_user(role), 0
    for method, path, roles, _ in operations(api):
        if not roles or path in ENDLESS:
            continue
        answer = client.request(method, filled(path, {"code": "rescue", "metric": "heart_rate", "kind": "oxygen"}))
        wrong_role = answer.status_code == 403 and "not for the role" in answer.json()["detail"]
        assert wrong_role is (role not in roles), f"{role} {method} {path}: {answer.status_code} {answer.text[:200]}"
        assert answer.status_code != 401, f"{role} {method} {path}"
        assert answer.status_code < 500, f"{role} {method} {path}: {answer.text[:200]}"
        pairs += 1
    assert pairs > PAIRS_MIN / len(ROLES)


# Object level

OF_TABLE = {
    "resident_id": "residents", "alert_id": "alerts", "provider_id": "providers", "worker_id": "workers",
    "silence_id": "silences", "contact_id": "contacts", "consent_id": "consents", "user_id": "users",
    "product_id": "products", "record_id": "service_records", "shift_id": "rota_shifts", "fence_id": "geofences",
    "guardian_id": "resident_guardians", "request_id": "rights_requests", "notice_id": "notices",
    "account_id": "hour_accounts",
}  # fmt: skip
"""The parameter of a path, and the table whose rows it names."""


def _own(api: Api, url: str, letter: str) -> dict[str, str]:
    """One of each thing at institution a or b: the parameter of a path and the id."""
    one = api.world.a if letter == "a" else api.world.b
    now, t, r, u = api.clock.now(), one.institution_id, one.residents[0], one.users["admin"].id
    values = {"t": t, "r": r, "u": u, "now": now, "family": one.users["family"].id}
    rows = {
        "alerts": "resident_id, type, severity, source, occurred_at, opened_at, last_occurred_at)"
        " VALUES (%(id)s, %(t)s, %(r)s, 'sos', 'critical', 'event', %(now)s, %(now)s, %(now)s",
        "providers": "name, services, created_at, updated_at) VALUES (%(id)s, %(t)s, 'x', '{goods}', %(now)s, %(now)s",
        "workers": "name, created_at, updated_at) VALUES (%(id)s, %(t)s, 'x', %(now)s, %(now)s",
        "silences": "author_id, reason, starts_at, ends_at, created_at)"
        " VALUES (%(id)s, %(t)s, %(u)s, 'x', %(now)s, 'infinity', %(now)s",
        "products": "code, name, category, price, created_at, updated_at)"
        " VALUES (%(id)s, %(t)s, 'x', 'x', 'food', 1, %(now)s, %(now)s",
        "geofences": "resident_id, name, corners, radius_m, author_id, valid_from)"
        " VALUES (%(id)s, %(t)s, %(r)s, 'x', '[[29.5,106.5]]', 300, %(u)s, %(now)s",
        "resident_guardians": "resident_id, kind, name, ground, powers, valid_from, verified_by, created_at)"
        " VALUES (%(id)s, %(t)s, %(r)s, 'agent', 'x', 'x', '{access}', '2020-01-01', %(u)s, %(now)s",
        "rights_requests": "resident_id, kind, requested_by, user_id, received_at, due_at)"
        " VALUES (%(id)s, %(t)s, %(r)s, 'access', 'x', %(u)s, %(now)s, %(now)s",
        "notices": "user_id, at, zh, en) VALUES (%(id)s, %(t)s, %(u)s, %(now)s, 'x', 'x'",
        "hour_accounts": "kind, name, created_at) VALUES (%(id)s, %(t)s, 'person', 'x', %(now)s",
        "rota_shifts": "user_id, starts_on, start_time, end_time, end_day, zone, uid, created_at, updated_at)"
        " VALUES (%(id)s, %(t)s, %(u)s, '2026-01-01', '08:00', '16:00', 0, 'Asia/Shanghai', 'x', %(now)s, %(now)s",
    }
    found = {"resident_id": str(r), "user_id": str(one.users["caregiver"].id), "device_id": one.devices[0].id}
    with psycopg.connect(url, autocommit=True) as connection:
        for table, rest in rows.items():
            made = {**values, "id": uuid4()}
            connection.execute(f"INSERT INTO {table} (id, institution_id, {rest})", made)
            found |= {name: str(made["id"]) for name, of in OF_TABLE.items() if of == table}
        for name in ("contacts", "consents"):
            row = connection.execute(f"SELECT id FROM {name} WHERE institution_id = %s LIMIT 1", (t,)).fetchone()
            assert row
            found[f"{name.removesuffix('s')}_id"] = str(row[0])
    return found


def test_object_level_what_belongs_to_another_institution_is_not_there(api: Api, database_url: str) -> None:
    """Read with each role that may read at all; changing is asked with a body of nothing, which may be told invalid."""
    theirs = _own(api, database_url, "b")
    clients = {role: api.as_user(role) for role in ROLES}
    tried: dict[str, int] = {}
    for method, path, roles, _ in operations(api):
        names = set(re.findall(r"\{(\w+)\}", path)) & set(theirs)
        if not names or path in ENDLESS:
            continue
        for role in roles:
            query = "?metric=heart_rate" if path.endswith("/readings") else ""
            answer = clients[role].request(method, filled(path, theirs) + query, json={} if method != "GET" else None)
            allowed = (404,) if method == "GET" else (403, 404, 409, 422)
            assert answer.status_code in allowed, f"{role} {method} {path}: {answer.status_code} {answer.text[:200]}"
            tried |= {name: tried.get(name, 0) + 1 for name in names}
    assert set(tried) >= set(theirs) - {"device_id"}, "a parameter that no path has any more"


# Property level


@pytest.fixture
def marked(api: Api, database_url: str) -> dict[str, str]:
    """A resident whose family sees everything that can be consented to, with a canary in each text of the staff."""
    mine = _own(api, database_url, "a")
    resident = mine["resident_id"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE residents SET access_notes = %(c)s, conditions = %(c)s, medication = %(c)s, care_level = 3"
            " WHERE id = %(r)s",
            {"c": CANARY, "r": resident},
        )
        connection.execute(
            "INSERT INTO contacts (id, institution_id, resident_id, position, name, phone, created_at)"
            " SELECT gen_random_uuid(), institution_id, id, 7, %s, %s, created_at FROM residents WHERE id = %s",
            (CANARY, "7777777777", resident),
        )
        connection.execute(
            "UPDATE alerts SET plan = %s, evidence = '{\"value\": 1}' WHERE resident_id = %s",
            (f'[{{"after": 0, "whom": "{CANARY}"}}]', resident),
        )
        connection.execute("UPDATE resident_guardians SET ground = %s, name = %s", (CANARY, CANARY))
        connection.execute("UPDATE rights_requests SET reason = %s, requested_by = %s", (CANARY, CANARY))
        connection.execute(
            "INSERT INTO resident_groups (institution_id, resident_id, code, valid_from, proof, recorded_at)"
            " SELECT institution_id, id, 'destitute', '2020-01-01', %s, created_at FROM residents WHERE id = %s",
            (CANARY, resident),
        )
    return mine


RESCUE_CARD = "/api/v1/residents/{resident_id}/rescue-card"
"""The one place where family with the consent for health reads conditions and medication."""


def _reads(api: Api, client: TestClient, role: str, mine: dict[str, str]) -> Iterator[tuple[str, str]]:
    for method, path, roles, _ in operations(api):
        if method != "GET" or role not in roles or path in ENDLESS:
            continue
        queries = ["?metric=heart_rate"] if path.endswith("/readings") else ["", f"?resident={mine['resident_id']}"]
        for query in queries:
            answer = client.get(filled(path, mine) + query)
            yield path, answer.text


@pytest.mark.parametrize("role", ["family", "provider", "regulator", "platform"])
def test_property_level_what_is_for_staff_is_shown_to_nobody_else(api: Api, marked: dict[str, str], role: str) -> None:
    seen = 0
    for path, text in _reads(api, api.as_user(role), role, marked):
        if path == RESCUE_CARD:
            continue
        assert CANARY not in text, f"{role} GET {path}"
        assert "7777777777" not in text, f"{role} GET {path}"
        if role in ("regulator", "platform", "provider"):
            assert "张老" not in text, f"{role} GET {path}"
        if role == "family":
            assert '"care_level"' not in text, f"GET {path}: the assessment is not family's to see"
            assert "destitute" not in text.replace('"destitute_', ""), f"GET {path}"
        seen += 1
    assert seen > 5


def test_the_canary_is_seen_by_staff(api: Api, marked: dict[str, str]) -> None:
    """Else the test above would prove nothing."""
    found = {path for path, text in _reads(api, api.as_user("admin"), "admin", marked) if CANARY in text}
    assert {
        "/api/v1/residents", "/api/v1/residents/{resident_id}", "/api/v1/residents/{resident_id}/contacts",
        "/api/v1/residents/{resident_id}/guardians", "/api/v1/residents/{resident_id}/rights-requests",
        "/api/v1/alerts/{alert_id}",
    } <= found  # fmt: skip


def test_a_body_cannot_say_more_than_its_fields(api: Api) -> None:
    """Mass assignment: every JSON body of the API refuses a field that it does not know."""
    schemas = api.app.openapi()["components"]["schemas"]
    open_bodies = []
    for method, path, _, operation in operations(api):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for name in re.findall(r"#/components/schemas/([\w.\-\[\]]+)", str(content.get("schema", {}))):
            if schemas[name].get("type") == "object" and schemas[name].get("additionalProperties") is not False:
                open_bodies.append(f"{method} {path}: {name}")
    assert open_bodies == []


def test_no_route_takes_a_file(api: Api) -> None:
    """Uploads would need bounds and types of their own. A calendar is text, within the bound of every body."""
    kinds = {kind for _, _, _, one in operations(api) for kind in one.get("requestBody", {}).get("content", {})}
    assert kinds <= {"application/json", "application/x-www-form-urlencoded", "text/calendar"}
