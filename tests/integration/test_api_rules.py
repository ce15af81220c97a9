"""Every route has a rule, and keeps it: nobody signed in, another institution. By role: test_authorisation.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi.routing import iter_route_contexts

from api.deps import RoleRule, open_to_all
from core.vocabulary import Role
from tests.integration.conftest import Api

OPEN = {
    ("POST", "/api/v1/auth/token"),
    ("POST", "/api/v1/auth/refresh"),
    ("POST", "/api/v1/auth/logout"),
    # No account, but a signature over the body: tests/integration/test_adapters_door.py.
    ("POST", "/api/v1/ingest/{site}"),
    ("GET", "/api/v1/open-data/indicators"),
    ("GET", "/api/v1/fhir/R4/metadata"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}
OTHERS_THINGS_MIN = 15
"""At least so many routes name a thing that can belong to another institution."""


def _calls(dependant: Any) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def routes(api: Api) -> list[tuple[str, str, frozenset[Role] | None]]:
    """(method, path, roles) of every route of the api; roles are None for an open one."""
    found = []
    for route in iter_route_contexts(api.app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None or route.path is None:
            continue
        calls = list(_calls(dependant))
        rules = [call for call in calls if isinstance(call, RoleRule)]
        assert len(rules) + calls.count(open_to_all) == 1, f"{route.path} must have exactly one rule"
        for method in sorted(route.methods or ()):
            found.append((method, route.path, rules[0].roles if rules else None))
    assert len(found) > 30
    return found


def _path(api: Api, template: str, *, foreign: bool) -> str:
    one = api.world.b if foreign else api.world.a
    values = {
        "resident_id": str(one.residents[0]),
        "device_id": one.devices[0].id,
        "user_id": str(one.users["caregiver"].id),
        "contact_id": "00000000-0000-7000-8000-000000000000",
        "consent_id": "00000000-0000-7000-8000-000000000000",
        "code": "rescue",
        "metric": "heart_rate",
        "kind": "oxygen",
        "group": "low_income",
        "year": "2026",
    }
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "00000000-0000-7000-8000-000000000000"), template)


def test_only_the_named_routes_are_open(api: Api) -> None:
    assert {(method, path) for method, path, roles in routes(api) if roles is None and path.startswith("/api")} | {
        (method, path) for method, path, roles in routes(api) if path in ("/healthz", "/readyz", "/metrics")
    } == OPEN


def test_without_a_token_every_other_route_answers_401(api: Api) -> None:
    for method, template, roles in routes(api):
        if roles is None:
            continue
        answer = api.anonymous.request(method, _path(api, template, foreign=False))
        assert answer.status_code == 401, f"{method} {template}: {answer.status_code}"
        assert answer.headers["content-type"] == "application/problem+json"
        assert "www-authenticate" in answer.headers


BODIES: dict[str, dict[str, Any]] = {
    "/checks": {"result": "passed", "note": "x"},
    "/drill": {"minutes": 5},
    "/contacts": {"name": "x"},
    "/consents": {"user_id": "00000000-0000-7000-8000-000000000000", "scope": "health", "granted_by": "x"},
    "/bind": {"room": "1"},
    "/commands": {"type": "locate"},
    "{request_id}/confirm": {"confirm": True},
    "/clinical": {"kind": "oxygen", "value": "air", "reason": "x"},
    "/fences": {"name": "x", "corners": [[29.5, 106.5]], "radius_m": 300},
    "/away": {"until": "2100-01-01T00:00:00Z"},
    "/rescue-card": {},
    "/contact-order": {"contact_ids": ["00000000-0000-7000-8000-000000000000"]},
    "/quiet-hours": {},
    "/legal": {},
    "/guardians": {"kind": "agent", "name": "x", "ground": "x", "powers": ["access"], "valid_from": "2026-01-01"},
    "/rights-requests": {"kind": "access", "requested_by": "x"},
    "/decide": {"grant": True},
    "/limits": {"metric": "heart_rate", "high": 120, "reason": "x"},
    "/fees": {"item_id": "00000000-0000-7000-8000-000000000000", "valid_from": "2026-01-01"},
    "/fees/{fee_id}/end": {"valid_until": "2026-01-01"},
    "/account": {"cause": "deposit", "amount": "1.00", "method": "cash"},
    "/notes": {"kind": "care", "text": "x"},
    "/correct": {"text": "x", "reason": "x"},
    "/groups/{group}": {"valid_from": "2026-01-01", "proof": "x"},
    "/targets/{resident_id}": {"groups": ["alone"], "since": "2026-01-01"},
}


def test_another_institutions_things_answer_404(api: Api) -> None:
    clients = {role: api.as_user(role) for role in ("admin", "caregiver", "family")}
    tried = 0
    for method, template, roles in routes(api):
        if roles is None or not re.search(r"\{(resident_id|device_id|user_id)\}", template):
            continue
        body = next((body for end, body in BODIES.items() if template.endswith(end)), {})
        query = "?metric=heart_rate" if template.endswith("/readings") else ""
        for role, client in clients.items():
            if Role(role) not in roles:
                continue
            path = _path(api, template, foreign=True) + query
            answer = client.request(method, path, json=body if method in ("POST", "PATCH", "PUT") else None)
            assert answer.status_code == 404, f"{role} {method} {template}: {answer.status_code} {answer.text}"
            tried += 1
    assert tried >= OTHERS_THINGS_MIN


def test_lists_hold_only_the_own_institution(api: Api) -> None:
    for one in (api.world.a, api.world.b):
        admin = api.as_user("admin", one)
        assert {item["id"] for item in admin.get("/api/v1/residents").json()["items"]} == set(map(str, one.residents))
        assert {item["id"] for item in admin.get("/api/v1/devices").json()["items"]} == {d.id for d in one.devices}
        users = {item["id"] for item in admin.get("/api/v1/users").json()["items"]}
        assert users == {str(user.id) for user in one.users.values()}
