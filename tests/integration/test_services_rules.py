"""Every kind of record of the eleven services: wrong transition, wrong tenant, wrong person, each refused rightly.

One database serves all kinds of a test: what is refused changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb
from starlette.testclient import TestClient

from api.services.engine.kind import RecordKind
from api.services.engine.machine import Move
from api.services.registry import KINDS
from bench.bodies import body_of
from core.vocabulary import Role
from tests.fixtures.world import WorldInstitution
from tests.integration.conftest import Api

Connection = psycopg.Connection[Any]


@pytest.fixture
def past_the_rules(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def _records(kind: RecordKind) -> str:
    return f"/api/v1{kind.prefix}/{kind.path}"


def _act(client: TestClient, kind: RecordKind, record: UUID, move: Move) -> Any:
    return client.post(f"{_records(kind)}/{record}/{move.action.replace('_', '-')}", json=body_of(move.body))


def _put(connection: Connection, one: WorldInstitution, kind: RecordKind, now: object) -> UUID:
    """A record in its first state, written past every rule."""
    record = uuid4()
    detail = kind.detail.model_validate(body_of(kind.detail)).model_dump(mode="json")
    connection.execute(
        "INSERT INTO service_records (id, institution_id, service, kind, state, resident_id, detail, created_at,"
        " updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (record, one.institution_id, kind.service, kind.code, kind.machine.initial, one.residents[0], Jsonb(detail),
         now, now),
    )  # fmt: skip
    return record


def test_an_action_that_the_state_does_not_allow_answers_409(api: Api, past_the_rules: Connection) -> None:
    clients = {role: api.as_user(role) for role in ("admin", "caregiver")}
    for kind in KINDS.values():
        tried, record = 0, _put(past_the_rules, api.world.a, kind, api.clock.now())
        for state in kind.machine.states:
            past_the_rules.execute("UPDATE service_records SET state = %s WHERE id = %s", (state.code, record))
            for move in kind.machine.moves:
                client = next((one for role, one in clients.items() if Role(role) in move.roles), None)
                if client is None or state.code in move.sources:
                    continue
                answer = _act(client, kind, record, move)
                said = f"{kind.service}/{kind.code} {state.code} {move.action}: {answer.status_code} {answer.text}"
                assert answer.status_code == 409, said
                assert answer.json()["type"] == "urn:anhu:problem:bad-transition", said
                tried += 1
        assert tried >= len(kind.machine.states), f"{kind.service}/{kind.code}"


def test_another_institutions_record_answers_404(api: Api, past_the_rules: Connection) -> None:
    for role in ("admin", "caregiver", "family", "provider"):
        client = api.as_user(role)
        for kind in KINDS.values():
            record = _put(past_the_rules, api.world.b, kind, api.clock.now())
            if Role(role) in kind.readers:
                for path in (f"{_records(kind)}/{record}", f"{_records(kind)}/{record}/history"):
                    assert client.get(path).status_code == 404, f"{role} {path}"
                listed = client.get(_records(kind)).json()["items"]
                assert str(record) not in [item["id"] for item in listed], f"{role} {kind.service}/{kind.code}"
            for move in kind.machine.moves:
                if Role(role) in move.roles:
                    answer = _act(client, kind, record, move)
                    said = f"{role} {kind.service}/{kind.code} {move.action}: {answer.status_code} {answer.text}"
                    assert answer.status_code == 404, said
            past_the_rules.execute("DELETE FROM service_records WHERE id = %s", (record,))


def test_family_and_providers_see_only_what_concerns_them(api: Api, past_the_rules: Connection) -> None:
    past_the_rules.execute("UPDATE consents SET withdrawn_at = %s", (api.clock.now(),))
    clients = {role: api.as_user(role) for role in ("admin", "family", "provider")}
    for kind in KINDS.values():
        record = _put(past_the_rules, api.world.a, kind, api.clock.now())
        for role, client in clients.items():
            if Role(role) in kind.readers:
                answer = client.get(f"{_records(kind)}/{record}")
                seen = 200 if role == "admin" else 404
                assert answer.status_code == seen, f"{role} {kind.service}/{kind.code}: {answer.status_code}"


def test_an_unknown_field_is_refused(api: Api) -> None:
    admin = api.as_user("admin")
    for kind in KINDS.values():
        assert Role.ADMIN in kind.creators
        body = body_of(kind.create) | {"strange": 1}
        answer = admin.post(_records(kind), json=body)
        assert answer.status_code == 422, f"{kind.service}/{kind.code}"
        assert "/body/strange" in [error["pointer"] for error in answer.json()["errors"]]
