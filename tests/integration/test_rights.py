"""Rights of the person: guardians, requests, export, restriction, on a real database; erasure has its own file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import Any

import psycopg
import pytest

from tests.integration.conftest import Api
from tests.integration.rights_kit import SECRET, ask, grant, lived, run

__all__ = ["lived"]


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


def test_who_decides_is_told_to_whom_it_concerns_and_the_ledger_as_far_as_the_power_goes(
    api: Api, lived: str, database_url: str
) -> None:
    admin, family = api.as_user("admin"), api.as_user("family")
    told = family.get(f"{lived}/deciding").json()
    assert told["capacity"] == "full"
    assert {(one["by"], one["mine"]) for one in told["items"]} == {("resident", False)}
    assert told["recipients"] == []
    admin.put(f"{lived}/legal", json={"capacity": "none", "ground": "鉴定书 7"})
    guardian(api, lived, "statutory", "consent_health", valid_until="2021-01-01")
    guardian(api, lived, "relative", "consent_activity")
    assert {one["by"] for one in family.get(f"{lived}/deciding").json()["items"]} == {"nobody"}
    guardian(api, lived, "agreed", "consent_health")
    told = {one["scope"]: one for one in family.get(f"{lived}/deciding").json()["items"]}
    assert {scope: one["by"] for scope, one in told.items()} == {
        "alerts": "nobody", "health": "guardian", "location": "nobody", "activity": "nobody",
    }  # fmt: skip
    assert told["health"]["guardians"][0]["name"] == "王丽"
    assert family.get("/api/v1/family/wards").json()["items"][0]["resident_id"] == lived.rsplit("/", 1)[1]
    run(database_url, "UPDATE consents SET withdrawn_at = now() RETURNING id")
    ledger = family.get(f"{lived}/consents").json()["items"]
    assert {one["scope"] for one in ledger} == {"alerts", "health", "activity"}, "those once given to her, too"
    assert family.get(lived).status_code == 404
    run(database_url, "UPDATE resident_guardians SET ended_at = now() RETURNING id")
    assert family.get(f"{lived}/deciding").status_code == 404
    assert family.get(f"{lived}/consents").status_code == 404
    assert family.get("/api/v1/family/wards").json()["items"] == []


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
