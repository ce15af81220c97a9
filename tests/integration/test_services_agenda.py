"""The day's work in all services: what is planned in a span, and what is overdue, by page and by tenant."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.conftest import Api

URL = "/api/v1/services"


def visit(api: Api, hours: float, resident: int = 0) -> str:
    begins = api.clock.now() + timedelta(hours=hours)
    body = {
        "resident_id": str(api.world.a.residents[resident]), "way": "visit", "title": f"探访 {hours}",
        "starts_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    answer = api.as_user("caregiver").post(f"{URL}/companionship/visits", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_the_agenda_has_what_begins_in_the_span_in_its_order(api: Api) -> None:
    late, early, _after = visit(api, 30), visit(api, 2, resident=1), visit(api, 60)
    now = api.clock.now()
    span = {"starts_from": now.isoformat(), "starts_to": (now + timedelta(hours=48)).isoformat()}
    nurse = api.as_user("caregiver")
    items = nurse.get(f"{URL}/agenda", params=span).json()["items"]
    assert [one["id"] for one in items] == [early, late]
    first = items[0]
    assert (first["service"], first["kind"], first["path"]) == ("companionship", "visit", "visits")
    assert first["resident_name"]
    assert first["kind_name"]["zh"]
    record = nurse.get(f"{URL}/{first['service']}/{first['path']}/{first['id']}")
    assert record.json()["state_name"] == first["state_name"]
    one = nurse.get(f"{URL}/agenda", params={**span, "limit": 1}).json()
    two = nurse.get(f"{URL}/agenda", params={**span, "limit": 1, "cursor": one["next"]}).json()
    assert [one["items"][0]["id"], two["items"][0]["id"]] == [early, late]
    assert two["next"] is None
    assert api.as_user("caregiver", api.world.b).get(f"{URL}/agenda", params=span).json()["items"] == []
    turned = {"starts_from": span["starts_to"], "starts_to": span["starts_from"]}
    assert nurse.get(f"{URL}/agenda", params=turned).status_code in (400, 422)
    year = {**span, "starts_to": (now + timedelta(days=365)).isoformat()}
    assert nurse.get(f"{URL}/agenda", params=year).status_code in (400, 422)


def test_what_is_overdue_in_any_service_the_oldest_first(api: Api) -> None:
    later, sooner = visit(api, 5), visit(api, 2)
    nurse = api.as_user("caregiver")
    assert nurse.get(f"{URL}/overdue").json()["items"] == []
    api.clock.step(7 * 3600)
    nurse = api.as_user("caregiver")
    items = nurse.get(f"{URL}/overdue").json()["items"]
    assert [one["id"] for one in items] == [sooner, later]
    one = nurse.get(f"{URL}/overdue", params={"limit": 1}).json()
    two = nurse.get(f"{URL}/overdue", params={"limit": 1, "cursor": one["next"]}).json()
    assert [page["items"][0]["id"] for page in (one, two)] == [sooner, later]
    assert api.as_user("caregiver", api.world.b).get(f"{URL}/overdue").json()["items"] == []


def test_the_catalogue_says_where_the_records_stand(api: Api) -> None:
    nurse = api.as_user("caregiver")
    for service in nurse.get(URL).json()["items"]:
        for cycle in service["lifecycles"]:
            assert nurse.get(f"{URL}/{service['code']}/{cycle['path']}").status_code == 200


def test_colleagues_are_names_of_active_staff_and_no_more(api: Api) -> None:
    items = api.as_user("caregiver").get("/api/v1/colleagues").json()["items"]
    assert {one["role"] for one in items} == {"admin", "caregiver"}
    assert all(set(one) == {"id", "name", "role", "on_duty"} for one in items)
    mine = {str(user.id) for user in api.world.a.users.values()}
    assert {one["id"] for one in items} < mine
