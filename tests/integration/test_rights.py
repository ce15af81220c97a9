"""Rights of the person: guardians, requests, export, restriction and erasure, on a real database."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from api.rights import erase
from db.pool import DbRole, Pool
from tests.integration.conftest import Api, TestClient

Pools = Callable[[DbRole], Pool]
SECRET = "高血压王老太太的秘密"


def _run(url: str, statement: str, *parameters: Any) -> Any:
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
    _run(database_url, "SELECT ensure_partitions(%s::date - 2, %s::date + 2)", now, now)
    for hours in range(30):
        at = now - timedelta(hours=hours, minutes=1)
        _run(
            database_url,
            "INSERT INTO readings (device_key, metric, time, value, delay_seconds) VALUES (%s, 1, %s, 70, 0)",
            device, at,
        )  # fmt: skip
        _run(
            database_url,
            "INSERT INTO rollup_1h (device_key, metric, bucket, count, sum, min, max)"
            " VALUES (%s, 1, date_trunc('hour', %s::timestamptz), 1, 70, 70, 70)",
            device, at,
        )  # fmt: skip
    _run(
        database_url,
        "INSERT INTO latest (device_key, metric, time, value, received) VALUES (%s, 1, %s, 70, %s)",
        device, now, now,
    )  # fmt: skip
    _run(
        database_url,
        "INSERT INTO events (device_key, event_id, institution_id, time, received, type, data)"
        " VALUES (%s, 'e1', %s, %s, %s, 'sos', %s)",
        device, a.institution_id, now - timedelta(minutes=1), now, json.dumps({"where": SECRET}),
    )  # fmt: skip
    alert = _run(
        database_url,
        "INSERT INTO alerts (id, institution_id, resident_id, place, type, severity, state, source, evidence,"
        " occurred_at, opened_at, last_occurred_at, resolved_at, outcome) VALUES (gen_random_uuid(), %s, %s, %s, 'sos',"
        " 'critical', 'resolved', 'event', %s, %s, %s, %s, %s, 'assisted') RETURNING id",
        a.institution_id, resident, SECRET, json.dumps({"value": SECRET}), now, now, now, now,
    )[0]  # fmt: skip
    _run(
        database_url,
        "INSERT INTO alert_entries (institution_id, seq, alert_id, at, kind, note)"
        " VALUES (%s, 1, %s, %s, 'opened', %s)",
        a.institution_id, alert, now, SECRET,
    )  # fmt: skip
    page = _run(
        database_url,
        "INSERT INTO outbox (id, institution_id, alert_id, idempotency_key, recipient, recipient_name, channel_kind,"
        " message, purpose, state, next_attempt_at, created_at) VALUES (gen_random_uuid(), %s, %s, 'k', 'rescue', 'x',"
        " 'webhook', %s, 'rescue', 'sent', %s, %s) RETURNING id",
        a.institution_id, alert, json.dumps({"rescue_card": {"conditions": SECRET}}), now, now,
    )[0]  # fmt: skip
    _run(
        database_url,
        "INSERT INTO page_links (token_hash, institution_id, outbox_id, alert_id, recipient, recipient_name,"
        " created_at, expires_at) VALUES ('x', %s, %s, %s, 'desk', %s, %s, %s)",
        a.institution_id, page, alert, SECRET, now, now,
    )  # fmt: skip
    record = _run(
        database_url,
        "INSERT INTO service_records (id, institution_id, service, kind, state, final, resident_id, title, detail,"
        " created_at, updated_at) VALUES (gen_random_uuid(), %s, 'medical', 'referral', 'closed', true, %s, %s, %s,"
        " %s, %s) RETURNING id",
        a.institution_id, resident, SECRET, json.dumps({"summary": SECRET}), now, now,
    )[0]  # fmt: skip
    _run(
        database_url,
        "INSERT INTO service_events (institution_id, record_id, at, actor, role, action, to_state, detail)"
        " VALUES (%s, %s, %s, 'x', 'caregiver', 'create', 'closed', %s)",
        a.institution_id, record, now, json.dumps({"summary": SECRET}),
    )  # fmt: skip
    _run(
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


# Export


def test_an_export_holds_everything_in_json_and_csv(api: Api, lived: str) -> None:
    request = ask(api.as_user("caregiver"), lived, "access")
    admin = api.as_user("admin")
    url = f"{lived}/rights-requests/{request['id']}/export"
    assert admin.get(url).status_code == 409
    grant(api, lived, request)
    answer = admin.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert hashlib.sha256(answer.content).hexdigest() == answer.headers["x-content-sha256"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for name, told in manifest["files"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == told["sha256"], name
        for kind, rows in manifest["rows"].items():
            assert len(json.loads(archive.read(f"{kind}.json"))) == rows, kind
            table = list(csv.DictReader(io.StringIO(archive.read(f"{kind}.csv").decode("utf-8-sig"))))
            assert len(table) == rows, kind
        assert manifest["rows"]["readings"] == 30
        assert json.loads(archive.read("resident.json"))[0]["conditions"] == SECRET
    full = {kind for kind, rows in manifest["rows"].items() if rows}
    assert full >= {
        "resident", "contacts", "consents", "rescue_cards", "vital_limits", "resident_clinical", "geofences",
        "bindings", "alerts", "alert_entries", "pages", "page_links", "service_records", "service_events", "notices",
        "device_events", "readings", "readings_hourly", "audit", "resident_changes", "rights_requests",
    }  # fmt: skip
    logged = admin.get("/api/v1/audit?object_type=resident&limit=5").json()["items"]
    assert any(
        row["action"] == "export" and row["detail"]["sha256"] == answer.headers["x-content-sha256"] for row in logged
    )


def test_a_cell_that_looks_like_a_formula_is_text(api: Api, lived: str) -> None:
    api.as_user("caregiver").patch(lived, json={"access_notes": "=HYPERLINK(1)"})
    request = ask(api.as_user("caregiver"), lived, "access")
    grant(api, lived, request)
    content = api.as_user("admin").get(f"{lived}/rights-requests/{request['id']}/export").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        table = list(csv.DictReader(io.StringIO(archive.read("resident.csv").decode("utf-8-sig"))))
    assert table[0]["access_notes"] == "'=HYPERLINK(1)"


def test_only_those_who_may_ask_and_fetch(api: Api, lived: str) -> None:
    family = api.as_user("family")
    body = {"kind": "access", "requested_by": "王丽"}
    assert family.post(f"{lived}/rights-requests", json=body).status_code == 404
    assert family.get(f"{lived}/rights-requests").status_code == 404
    request = ask(api.as_user("caregiver"), lived, "access")
    grant(api, lived, request)
    url = f"{lived}/rights-requests/{request['id']}/export"
    assert api.as_user("caregiver").get(url).status_code == 403
    assert family.get(url).status_code == 404
    assert api.as_user("admin", api.world.b).get(url).status_code == 404


# Guardians


def guardian(api: Api, path: str, kind: str, *powers: str, **more: Any) -> dict[str, Any]:
    body = {
        "kind": kind, "name": "王丽", "relation": "女儿", "user_id": str(api.world.a.users["family"].id),
        "ground": "法院判决 2026-118", "powers": list(powers), "valid_from": "2020-01-01", **more,
    }  # fmt: skip
    answer = api.as_user("admin").post(f"{path}/guardians", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_guardian_asks_fetches_and_stops_when_it_ends(api: Api, lived: str) -> None:
    one, family = guardian(api, lived, "statutory", "access"), api.as_user("family")
    asked = ask(family, lived, "access", requested_by="王丽")
    assert asked["guardian_id"] == one["id"]
    body = {"kind": "erasure", "requested_by": "王丽"}
    assert family.post(f"{lived}/rights-requests", json=body).status_code == 404
    grant(api, lived, asked)
    url = f"{lived}/rights-requests/{asked['id']}/export"
    assert family.get(url).status_code == 200
    other = ask(api.as_user("caregiver"), lived, "access")
    assert family.get(f"{lived}/rights-requests/{other['id']}").status_code == 404
    assert api.as_user("admin").post(f"{lived}/guardians/{one['id']}/end").json()["ended_at"]
    assert family.get(url).status_code == 404


def test_whoever_cannot_decide_consents_through_a_guardian_alone(api: Api, lived: str) -> None:
    admin, user = api.as_user("admin"), str(api.world.a.users["family"].id)
    body = {"user_id": user, "scope": "location", "granted_by": "本人"}
    assert admin.put(f"{lived}/legal", json={"capacity": "none"}).status_code == 422
    done = admin.put(f"{lived}/legal", json={"capacity": "none", "ground": "鉴定书 7", "version": 0})
    assert done.json()["version"] == 1
    assert admin.put(f"{lived}/legal", json={"capacity": "full", "version": 0}).status_code == 412
    nurse = api.as_user("caregiver")
    assert nurse.post(f"{lived}/consents", json=body).status_code == 422
    wrong = guardian(api, lived, "statutory", "consent_health")
    assert nurse.post(f"{lived}/consents", json={**body, "guardian_id": wrong["id"]}).status_code == 422
    late = guardian(api, lived, "statutory", "consent_location", valid_until="2021-01-01")
    assert nurse.post(f"{lived}/consents", json={**body, "guardian_id": late["id"]}).status_code == 422
    right = guardian(api, lived, "statutory", "consent_location")
    made = api.as_user("family").post(f"{lived}/consents", json=body)
    assert made.status_code == 201
    assert (made.json()["guardian_id"], made.json()["granted_by"]) == (right["id"], "王丽")


def test_family_gives_consents_only_as_guardian_and_withdraws_its_own(api: Api, lived: str) -> None:
    family, user = api.as_user("family"), str(api.world.a.users["family"].id)
    body = {"user_id": user, "scope": "location", "granted_by": "我"}
    assert family.post(f"{lived}/consents", json=body).status_code == 404
    mine = family.get(f"{lived}/consents").json()["items"]
    health = next(one for one in mine if one["scope"] == "health")
    assert family.get(f"{lived}/readings?metric=heart_rate").status_code == 200
    assert family.post(f"{lived}/consents/{health['id']}/withdraw").status_code == 200
    assert family.get(f"{lived}/readings?metric=heart_rate").status_code == 403
    assert family.post(f"{lived}/consents/{health['id']}/withdraw").status_code == 409


@pytest.mark.parametrize(("wish", "may"), [("relatives", True), ("nobody", False), ("named", False)])
def test_close_relatives_act_after_the_death_unless_arranged_otherwise(
    api: Api, lived: str, wish: str, *, may: bool
) -> None:
    guardian(api, lived, "relative", "access")
    admin, family = api.as_user("admin"), api.as_user("family")
    body = {"kind": "access", "requested_by": "王丽"}
    assert family.post(f"{lived}/rights-requests", json=body).status_code == 404
    assert admin.put(f"{lived}/legal", json={"after_death": wish}).status_code == 200
    assert admin.patch(lived, json={"status": "deceased"}).status_code == 200
    assert family.post(f"{lived}/rights-requests", json=body).status_code == (201 if may else 404)


# Correction


def test_a_correction_is_applied_and_remembered(api: Api, lived: str) -> None:
    request = ask(api.as_user("caregiver"), lived, "correction", changes={"room": "305"})
    nurse = api.as_user("caregiver")
    assert nurse.get(lived).json()["room"] == "201"
    decide = f"{lived}/rights-requests/{request['id']}/decide"
    assert nurse.post(decide, json={"grant": True}).status_code == 403
    assert grant(api, lived, request)["state"] == "granted"
    assert nurse.get(lived).json()["room"] == "305"
    newest = nurse.get(f"{lived}/changes").json()["items"][0]
    assert newest["fields"] == {"room": {"from": "201", "to": "305"}}
    assert newest["by"] == "admin a"
    assert api.as_user("admin").post(decide, json={"grant": True}).status_code == 409
    bare = {"kind": "correction", "requested_by": "x"}
    assert nurse.post(f"{lived}/rights-requests", json=bare).status_code == 422


def test_a_refusal_says_why(api: Api, lived: str) -> None:
    request = ask(api.as_user("caregiver"), lived, "access")
    url = f"{lived}/rights-requests/{request['id']}/decide"
    admin = api.as_user("admin")
    assert admin.post(url, json={"grant": False}).status_code == 422
    refused = admin.post(url, json={"grant": False, "reason": "身份未核实"}).json()
    assert (refused["state"], refused["decision"], refused["decided_by"]) == ("refused", "身份未核实", "admin a")


# Restriction


def test_restricted_data_is_closed_at_once_and_a_call_still_answered(api: Api, lived: str) -> None:
    nurse, family = api.as_user("caregiver"), api.as_user("family")
    assert nurse.get(f"{lived}/readings?metric=heart_rate").status_code == 200
    assert nurse.get(f"{lived}/limits").json()["items"]
    grant(api, lived, ask(nurse, lived, "restriction"))
    for client in (nurse, family, api.as_user("admin")):
        assert client.get(f"{lived}/readings?metric=heart_rate").status_code == 403
        assert client.get(f"{lived}/latest").json()["items"] == []
    assert nurse.get(f"{lived}/limits").json()["items"] == []
    assert nurse.get("/api/v1/services/medical/referrals").json()["items"] == []
    alerts = nurse.get("/api/v1/alerts").json()["items"]
    assert [one["resident"]["name"] for one in alerts] == ["张老a1"]
    assert nurse.get(lived).status_code == 200
    assert api.as_user("admin").post(f"{lived}/restriction/lift").status_code == 204
    assert nurse.get(f"{lived}/readings?metric=heart_rate").status_code == 200
    assert nurse.get(f"{lived}/limits").json()["items"]


def test_whoever_has_left_can_be_closed_altogether(api: Api, lived: str) -> None:
    nurse = api.as_user("caregiver")
    nurse.patch(lived, json={"status": "discharged"})
    grant(api, lived, ask(nurse, lived, "restriction"))
    assert nurse.get(lived).status_code == 404
    assert api.as_user("admin").get(lived).status_code == 404
    assert lived.rpartition("/")[2] not in nurse.get("/api/v1/residents").text
    assert nurse.get("/api/v1/alerts").json()["items"] == []
    assert nurse.get(f"{lived}/rights-requests").json()["items"][0]["kind"] == "restriction"


def test_every_table_of_persons_is_closed_by_the_database(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM person_tables()").fetchall()}
        closed = {
            name
            for (name,) in connection.execute(
                "SELECT c.relname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid"
                " WHERE p.polname = 'restriction' AND NOT p.polpermissive"
            ).fetchall()
        }
    desk = {"resident_legal", "resident_guardians", "rights_requests", "resident_restrictions", "silences"}
    assert tables - closed == desk
    assert "residents" in closed


# Erasure


@pytest.fixture
def gone(api: Api, lived: str) -> str:
    """The resident has died."""
    assert api.as_user("admin").patch(lived, json={"status": "deceased"}).status_code == 200
    return lived


def test_nobody_who_lives_here_is_erased(api: Api, lived: str) -> None:
    request = ask(api.as_user("caregiver"), lived, "erasure")
    url = f"{lived}/rights-requests/{request['id']}/decide"
    assert api.as_user("admin").post(url, json={"grant": True}).status_code == 409


def test_erasure_in_two_steps_with_receipts(api: Api, gone: str, database_url: str, make_pool_for: Pools) -> None:
    jobs, admin = make_pool_for("jobs"), api.as_user("admin")
    other = api.world.a.devices[1].key
    _run(
        database_url,
        "INSERT INTO readings (device_key, metric, time, value, delay_seconds) VALUES (%s, 1, %s, 70, 0)",
        other, api.clock.now(),
    )  # fmt: skip
    request = ask(admin, gone, "erasure")
    decided = grant(api, gone, request)
    assert decided["state"] == "running"
    assert admin.get(gone).status_code == 404
    assert erase.erase_due(jobs, api.clock) == 1
    first = admin.get(f"{gone}/rights-requests/{request['id']}").json()
    assert (first["state"], first["receipt"]["complete"]) == ("waiting", False)
    erased = {one["what"]: one["rows"] for one in first["receipt"]["erased"]}
    assert (erased["readings"], erased["outbox"], erased["page_links"], erased["notices"]) == (30, 1, 1, 1)
    kept = {one["what"]: one["until"] for one in first["receipt"]["kept"]}
    assert kept["service_records"] == first["receipt"]["kept"][-1]["until"] is not None
    text = erase.canonical(_stored(database_url, request["id"]))
    assert hashlib.sha256(text.encode()).hexdigest() == first["receipt_hash"]
    assert where_found(database_url, SECRET) == {
        "residents", "resident_changes", "vital_limits", "resident_clinical", "alerts", "alert_entries",
        "service_records", "service_events",
    }  # fmt: skip
    assert _run(database_url, "SELECT count(*) FROM readings") == (1,)
    assert _run(database_url, "SELECT count(*) FROM rollup_1h") == (0,)
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
    assert _run(database_url, "SELECT count(*) FROM alerts") == (1,)


def _stored(url: str, request: str) -> dict[str, Any]:
    receipt = _run(url, "SELECT receipt FROM rights_requests WHERE id = %s", UUID(request))[0]
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
