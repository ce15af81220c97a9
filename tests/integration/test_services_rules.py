"""Every kind of record of the eleven services: wrong transition, wrong tenant, wrong person, each refused rightly."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from api.services.engine.kind import RecordKind
from api.services.registry import KINDS
from core.vocabulary import Role
from tests.fixtures.bodies import body_of
from tests.fixtures.world import WorldInstitution
from tests.integration.conftest import Api

EVERY = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: f"{kind.service}/{kind.code}")


def _address(kind: RecordKind, record: UUID, action: str = "") -> str:
    tail = f"/{action.replace('_', '-')}" if action else ""
    return f"/api/v1/services/{kind.service}/{kind.path}/{record}{tail}"


def _put(url: str, one: WorldInstitution, kind: RecordKind, state: str, now: object) -> UUID:
    """A record in this state, written past every rule."""
    record = uuid4()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO service_records (id, institution_id, service, kind, state, resident_id, detail, created_at,"
            " updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                record,
                one.institution_id,
                kind.service,
                kind.code,
                state,
                one.residents[0],
                Jsonb(_detail(kind)),
                now,
                now,
            ),
        )
    return record


def _detail(kind: RecordKind) -> dict[str, Any]:
    return kind.detail.model_validate(body_of(kind.detail)).model_dump(mode="json")


@EVERY
def test_an_action_that_the_state_does_not_allow_answers_409(api: Api, database_url: str, kind: RecordKind) -> None:
    clients = {role: api.as_user(role) for role in ("admin", "caregiver")}
    tried = 0
    record = _put(database_url, api.world.a, kind, kind.machine.initial, api.clock.now())
    for state in kind.machine.states:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("UPDATE service_records SET state = %s WHERE id = %s", (state.code, record))
        for move in kind.machine.moves:
            client = next((one for role, one in clients.items() if Role(role) in move.roles), None)
            if client is None or state.code in move.sources:
                continue
            answer = client.post(_address(kind, record, move.action), json=body_of(move.body))
            assert answer.status_code == 409, f"{state.code} {move.action}: {answer.status_code} {answer.text}"
            assert answer.json()["type"] == "urn:anhu:problem:bad-transition"
            tried += 1
    assert tried >= len(kind.machine.states)


@EVERY
def test_another_institutions_record_answers_404(api: Api, database_url: str, kind: RecordKind) -> None:
    record = _put(database_url, api.world.b, kind, kind.machine.initial, api.clock.now())
    for role in ("admin", "caregiver", "family", "provider"):
        client = api.as_user(role)
        if Role(role) in kind.readers:
            assert client.get(_address(kind, record)).status_code == 404
            assert client.get(_address(kind, record) + "/history").status_code == 404
            listed = client.get(_address(kind, record).rsplit("/", 1)[0]).json()["items"]
            assert str(record) not in [item["id"] for item in listed]
        for move in kind.machine.moves:
            if Role(role) in move.roles:
                answer = client.post(_address(kind, record, move.action), json=body_of(move.body))
                assert answer.status_code == 404, f"{role} {move.action}: {answer.status_code} {answer.text}"


@EVERY
def test_family_and_providers_see_only_what_concerns_them(api: Api, database_url: str, kind: RecordKind) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE consents SET withdrawn_at = %s", (api.clock.now(),))
    record = _put(database_url, api.world.a, kind, kind.machine.initial, api.clock.now())
    for role in ("family", "provider"):
        if Role(role) in kind.readers:
            assert api.as_user(role).get(_address(kind, record)).status_code == 404
    assert api.as_user("caregiver").get(_address(kind, record)).status_code in (200, 403)


@EVERY
def test_an_unknown_field_is_refused(api: Api, kind: RecordKind) -> None:
    role = next((one for one in ("admin", "caregiver", "family") if Role(one) in kind.creators), None)
    if role is None:
        pytest.skip("only the platform makes this kind")
    body = body_of(kind.create) | {"resident_id": str(api.world.a.residents[0]), "strange": 1}
    answer = api.as_user(role).post(f"/api/v1/services/{kind.service}/{kind.path}", json=body)
    assert answer.status_code == 422
