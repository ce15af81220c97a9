"""Residents, contacts and consents over HTTP."""

from __future__ import annotations

import psycopg
import pytest

from tests.integration.conftest import Api

RESIDENTS = "/api/v1/residents"
NEW = {"name": "王秀英", "sex": "female", "birth_date": "1941-03-08", "room": "203", "conditions": "高血压"}


def _audit(database_url: str, action: str) -> list[tuple]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT username, object_id, request_id, address, detail FROM audit_log"
            " WHERE action = %s AND object_type = 'resident' ORDER BY id",
            (action,),
        ).fetchall()


def test_a_resident_is_added_read_and_changed(api: Api, database_url: str) -> None:
    admin = api.as_user("admin")
    made = admin.post(RESIDENTS, json=NEW, headers={"X-Request-ID": "req-1"})
    assert made.status_code == 201, made.text
    assert made.headers["x-request-id"] == "req-1"
    resident = made.json()
    assert resident["created_at"].endswith("Z")
    read = admin.get(made.headers["location"])
    assert read.json() == resident
    changed = admin.patch(
        f"{RESIDENTS}/{resident['id']}", json={"status": "hospital"}, headers={"If-Match": read.headers["etag"]}
    )
    assert (changed.status_code, changed.json()["status"], changed.json()["version"]) == (200, "hospital", 2)
    assert changed.json()["conditions"] == "高血压"
    assert _audit(database_url, "create") == [("admin-a", resident["id"], "req-1", "testclient", {})]
    assert _audit(database_url, "update")[0][4] == {"fields": ["status"]}


def test_a_change_of_what_somebody_else_changed_answers_412(api: Api) -> None:
    nurse = api.as_user("caregiver")
    path = f"{RESIDENTS}/{api.world.a.residents[0]}"
    tag = nurse.get(path).headers["etag"]
    assert nurse.patch(path, json={"room": "301"}, headers={"If-Match": tag}).status_code == 200
    late = nurse.patch(path, json={"room": "302"}, headers={"If-Match": tag})
    assert late.status_code == 412
    assert late.json()["type"] == "urn:anhu:problem:precondition-failed"
    assert nurse.get(path).json()["room"] == "301"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None},
        {"care_level": 5},
        {"birth_date": "1700-01-01"},
        {"nmae": "x"},
        {"name": "x\u0000"},
        {"name": "  "},
        {"status": "gone"},
        {"conditions": "x" * 4001},
    ],
)
def test_what_is_not_valid_changes_nothing(api: Api, wrong: dict) -> None:
    nurse = api.as_user("caregiver")
    path = f"{RESIDENTS}/{api.world.a.residents[0]}"
    before = nurse.get(path).json()
    answer = nurse.patch(path, json=wrong)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:anhu:problem:invalid"
    assert nurse.get(path).json() == before


def test_an_idempotency_key_makes_one_resident(api: Api) -> None:
    admin = api.as_user("admin")
    headers = {"Idempotency-Key": "k-1"}
    first, again = admin.post(RESIDENTS, json=NEW, headers=headers), admin.post(RESIDENTS, json=NEW, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = admin.post(RESIDENTS, json={**NEW, "name": "别人"}, headers=headers)
    assert other.status_code == 409
    at_b = api.as_user("admin", api.world.b).post(RESIDENTS, json=NEW, headers=headers)
    assert at_b.status_code == 201
    assert at_b.json()["id"] != first.json()["id"]


def test_pages_cover_everybody_once(api: Api) -> None:
    admin = api.as_user("admin")
    for number in range(7):
        api.clock.advance(0.5)
        assert admin.post(RESIDENTS, json={**NEW, "name": f"人{number}"}).status_code == 201
    seen: list[str] = []
    cursor = None
    while True:
        page = admin.get(RESIDENTS, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 9
    assert [one["name"] for one in admin.get(RESIDENTS, params={"q": "人3"}).json()["items"]] == ["人3"]
    assert len(admin.get(RESIDENTS, params={"room": "203"}).json()["items"]) == 7
    assert admin.get(RESIDENTS, params={"status": "deceased"}).json() == {"items": [], "next": None}
    assert admin.get(RESIDENTS, params={"q": "%"}).json()["items"] == []


@pytest.mark.parametrize("cursor", ["x", "AAAA", "W10", "WzEsMl0", "%00", "bnVsbA", "WyIyMDIwLTAxLTAxIiwiYSJd"])
def test_a_cursor_that_is_not_ours_is_refused(api: Api, cursor: str) -> None:
    admin = api.as_user("admin")
    for path in (RESIDENTS, "/api/v1/users", "/api/v1/devices", "/api/v1/rejections", "/api/v1/audit"):
        assert admin.get(path, params={"cursor": cursor}).status_code == 422
    timeline = f"{RESIDENTS}/{api.world.a.residents[0]}/timeline"
    assert admin.get(timeline, params={"cursor": cursor}).status_code == 422


def test_family_see_only_who_consented_and_only_a_little(api: Api) -> None:
    family = api.as_user("family")
    items = family.get(RESIDENTS).json()["items"]
    assert [item["id"] for item in items] == [str(api.world.a.residents[0])]
    assert items[0]["scopes"] == ["activity", "alerts", "health"]
    assert not {"conditions", "care_level", "medication", "access_notes", "birth_date"} & set(items[0])
    assert family.get(f"{RESIDENTS}/{api.world.a.residents[0]}").json() == items[0]
    assert family.get(f"{RESIDENTS}/{api.world.a.residents[1]}").status_code == 404


def test_withdrawing_a_consent_takes_effect_at_once(api: Api) -> None:
    nurse, family = api.as_user("caregiver"), api.as_user("family")
    path = f"{RESIDENTS}/{api.world.a.residents[0]}"
    readings = f"{path}/readings?metric=heart_rate"
    assert family.get(readings).status_code == 200
    consents = {one["scope"]: one["id"] for one in nurse.get(f"{path}/consents").json()["items"]}
    assert nurse.post(f"{path}/consents/{consents['health']}/withdraw").json()["withdrawn_at"].endswith("Z")
    assert family.get(readings).status_code == 403
    assert family.get(f"{path}/readings?metric=steps").status_code == 200
    assert nurse.post(f"{path}/consents/{consents['health']}/withdraw").status_code == 409
    for scope in ("alerts", "activity"):
        nurse.post(f"{path}/consents/{consents[scope]}/withdraw")
    for end in ("", "/latest", "/timeline", "/consents", "/readings?metric=steps"):
        assert family.get(path + end).status_code == 404
    assert family.get(RESIDENTS).json()["items"] == []


def test_a_consent_opens_one_scope_and_can_be_given_again(api: Api) -> None:
    nurse, family = api.as_user("caregiver"), api.as_user("family")
    second = f"{RESIDENTS}/{api.world.a.residents[1]}"
    body = {"user_id": str(api.world.a.users["family"].id), "scope": "location", "granted_by": "本人"}
    given = nurse.post(f"{second}/consents", json=body)
    assert given.status_code == 201, given.text
    assert given.json()["scope_name"]["zh"] == "位置信息"
    assert nurse.post(f"{second}/consents", json=body).status_code == 409
    assert family.get(f"{second}/readings?metric=lat").status_code == 200
    for metric in ("heart_rate", "steps", "bed"):
        assert family.get(f"{second}/readings?metric={metric}").status_code == 403
    nurse.post(f"{second}/consents/{given.json()['id']}/withdraw")
    assert nurse.post(f"{second}/consents", json=body).status_code == 201
    staff = {**body, "user_id": str(api.world.a.users["caregiver"].id)}
    assert nurse.post(f"{second}/consents", json=staff).status_code == 422
    foreign = {**body, "user_id": str(api.world.b.users["family"].id)}
    assert nurse.post(f"{second}/consents", json=foreign).status_code == 404


def test_contacts_are_kept_in_the_order_of_calling(api: Api) -> None:
    nurse = api.as_user("caregiver")
    path = f"{RESIDENTS}/{api.world.a.residents[0]}/contacts"
    second = nurse.post(path, json={"name": "儿子", "phone": "+86 138 0000 0000"})
    assert (second.status_code, second.json()["position"]) == (201, 2)
    assert nurse.post(path, json={"name": "邻居", "position": 2}).status_code == 409
    assert nurse.post(path, json={"name": "x", "user_id": str(api.world.b.users["family"].id)}).status_code == 404
    assert nurse.delete(f"{path}/{second.json()['id']}").status_code == 204
    assert nurse.delete(f"{path}/{second.json()['id']}").status_code == 404
    assert [one["name"] for one in nurse.get(path).json()["items"]] == ["女儿"]


def test_reading_health_data_leaves_a_trace(api: Api, database_url: str) -> None:
    family = api.as_user("family")
    path = f"{RESIDENTS}/{api.world.a.residents[0]}"
    for end in ("", "/latest", "/timeline", "/readings?metric=spo2"):
        assert family.get(path + end, headers={"X-Request-ID": "look"}).status_code == 200
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT action FROM audit_log WHERE request_id = 'look' AND username = 'family-a' AND object_id = %s"
            " ORDER BY id",
            (str(api.world.a.residents[0]),),
        ).fetchall()
    assert [row[0] for row in rows] == ["read", "read_latest", "read_timeline", "read_readings"]
