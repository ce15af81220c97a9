"""Somebody who has lived in a house: one row of every kind, and how rights are asked for, for the tests of rights."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from db.pool import DbRole, Pool
from tests.integration.conftest import Api, TestClient

Pools = Callable[[DbRole], Pool]
SECRET = "高血压王老太太的秘密"


def run(url: str, statement: str, *parameters: Any) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchone() if cursor.description else None


@pytest.fixture
def lived(api: Api, database_url: str) -> str:
    """The first resident of institution a, with something of every kind; their path."""
    a, resident, now = api.world.a, api.world.a.residents[0], api.clock.now()
    admin, nurse = api.as_user("admin"), api.as_user("caregiver")
    path = f"/api/v1/residents/{resident}"
    assert nurse.patch(path, json={"conditions": SECRET, "medication": SECRET}).status_code == 200
    card = {"allergies": SECRET, "consented_by": "本人", "conditions": SECRET, "medication": SECRET}
    assert nurse.put(f"{path}/rescue-card", json=card).status_code == 200
    limit = {"metric": "heart_rate", "high": 130, "reason": SECRET}
    assert nurse.post(f"{path}/limits", json=limit).status_code in (200, 201)
    fence = {"name": SECRET, "corners": [[29.5, 106.5]], "radius_m": 300}
    assert nurse.post(f"{path}/fences", json=fence).status_code == 201
    kind = {"kind": "oxygen", "value": "air", "reason": SECRET}
    assert nurse.post(f"{path}/clinical", json=kind).status_code in (200, 201)
    order = {"resident_id": str(resident), "title": SECRET}
    assert nurse.post("/api/v1/services/companionship/visits", json=order).status_code in (201, 422)
    device = a.devices[0].key
    run(database_url, "SELECT ensure_partitions(%s::date - 2, %s::date + 2)", now, now)
    for hours in range(30):
        at = now - timedelta(hours=hours, minutes=1)
        run(
            database_url,
            "INSERT INTO readings (device_key, metric, time, value, delay_seconds) VALUES (%s, 1, %s, 70, 0)",
            device, at,
        )  # fmt: skip
        run(
            database_url,
            "INSERT INTO rollup_1h (device_key, metric, bucket, count, sum, min, max)"
            " VALUES (%s, 1, date_trunc('hour', %s::timestamptz), 1, 70, 70, 70)",
            device, at,
        )  # fmt: skip
    run(
        database_url,
        "INSERT INTO latest (device_key, metric, time, value, received) VALUES (%s, 1, %s, 70, %s)",
        device, now, now,
    )  # fmt: skip
    run(
        database_url,
        "INSERT INTO events (device_key, event_id, institution_id, time, received, type, data)"
        " VALUES (%s, 'e1', %s, %s, %s, 'sos', %s)",
        device, a.institution_id, now - timedelta(minutes=1), now, json.dumps({"where": SECRET}),
    )  # fmt: skip
    alert = run(
        database_url,
        "INSERT INTO alerts (id, institution_id, resident_id, place, type, severity, state, source, evidence,"
        " occurred_at, opened_at, last_occurred_at, resolved_at, outcome) VALUES (gen_random_uuid(), %s, %s, %s, 'sos',"
        " 'critical', 'resolved', 'event', %s, %s, %s, %s, %s, 'assisted') RETURNING id",
        a.institution_id, resident, SECRET, json.dumps({"value": SECRET}), now, now, now, now,
    )[0]  # fmt: skip
    run(
        database_url,
        "INSERT INTO alert_entries (institution_id, seq, alert_id, at, kind, note)"
        " VALUES (%s, 1, %s, %s, 'opened', %s)",
        a.institution_id, alert, now, SECRET,
    )  # fmt: skip
    page = run(
        database_url,
        "INSERT INTO outbox (id, institution_id, alert_id, idempotency_key, recipient, recipient_name, channel_kind,"
        " message, purpose, state, next_attempt_at, created_at) VALUES (gen_random_uuid(), %s, %s, 'k', 'rescue', 'x',"
        " 'webhook', %s, 'rescue', 'sent', %s, %s) RETURNING id",
        a.institution_id, alert, json.dumps({"rescue_card": {"conditions": SECRET}}), now, now,
    )[0]  # fmt: skip
    run(
        database_url,
        "INSERT INTO page_links (token_hash, institution_id, outbox_id, alert_id, recipient, recipient_name,"
        " created_at, expires_at) VALUES ('x', %s, %s, %s, 'desk', %s, %s, %s)",
        a.institution_id, page, alert, SECRET, now, now,
    )  # fmt: skip
    record = run(
        database_url,
        "INSERT INTO service_records (id, institution_id, service, kind, state, final, resident_id, title, detail,"
        " created_at, updated_at) VALUES (gen_random_uuid(), %s, 'medical', 'referral', 'closed', true, %s, %s, %s,"
        " %s, %s) RETURNING id",
        a.institution_id, resident, SECRET, json.dumps({"summary": SECRET}), now, now,
    )[0]  # fmt: skip
    run(
        database_url,
        "INSERT INTO service_events (institution_id, record_id, at, actor, role, action, to_state, detail)"
        " VALUES (%s, %s, %s, 'x', 'caregiver', 'create', 'closed', %s)",
        a.institution_id, record, now, json.dumps({"summary": SECRET}),
    )  # fmt: skip
    run(
        database_url,
        "INSERT INTO notices (id, institution_id, user_id, record_id, at, zh, en)"
        " VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, 'x')",
        a.institution_id, a.users["admin"].id, record, now, SECRET,
    )  # fmt: skip
    assert admin.get(path).status_code == 200
    return path


def ask(client: TestClient, path: str, kind: str, **more: Any) -> dict[str, Any]:
    answer = client.post(f"{path}/rights-requests", json={"kind": kind, "requested_by": "本人", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def grant(api: Api, path: str, request: dict[str, Any]) -> dict[str, Any]:
    answer = api.as_user("admin").post(f"{path}/rights-requests/{request['id']}/decide", json={"grant": True})
    assert answer.status_code == 200, answer.text
    return answer.json()


def where_found(url: str, text: str) -> set[str]:
    """The tables in which a text still stands, anywhere."""
    with psycopg.connect(url) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            ).fetchall()
        ]
        found = set()
        for table in tables:
            row = connection.execute(
                f'SELECT EXISTS (SELECT FROM "{table}" t WHERE strpos(to_jsonb(t)::text, %s) > 0)', (text,)
            ).fetchone()
            if row and row[0]:
                found.add(table)
        return found
