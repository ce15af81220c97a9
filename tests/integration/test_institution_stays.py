"""A stay from the application to the end: beds that nobody shares, and everything that ends with the person."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from api.services import platform
from db.pool import DbRole, Pool
from tests.integration.conftest import Api
from tests.integration.test_services_rescue import emergency

HOUSE = "/api/v1/institution"
STAYS = f"{HOUSE}/stays"
AGREED = {"agreement": "AH-1", "agreed_by": "张老", "agreed_until": "2027-12-31", "deposit": "5000.00"}


def bed(admin: Any, label: str, kind: str = "nursing", room: str = "208") -> str:
    """A bed in a room of building 1, floor 2, made when they are not there yet; its id."""
    key = {"Idempotency-Key": f"room-{room}"}
    made = admin.post(f"{HOUSE}/rooms", json={"building": "1", "floor": "2", "name": room}, headers=key)
    assert made.status_code in (200, 201), made.text
    body = {"room_id": None if kind == "home" else made.json()["id"], "label": label, "type": kind}
    answer = admin.post(f"{HOUSE}/beds", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def act(client: Any, stay: str, action: str, body: dict[str, Any] | None = None, status: int = 200) -> dict[str, Any]:
    answer = client.post(f"{STAYS}/{stay}/{action}", json=body or {})
    assert answer.status_code == status, f"{action}: {answer.status_code} {answer.text}"
    found: dict[str, Any] = answer.json()
    return found


def moved_in(admin: Any, resident: object, bed_id: str, **agreed: Any) -> str:
    """A stay of somebody who lives in this bed now."""
    made = admin.post(STAYS, json={"resident_id": str(resident), "applied_by": "女儿"})
    assert made.status_code == 201, made.text
    stay = str(made.json()["id"])
    act(admin, stay, "assess", {"findings": "跌倒高风险", "risks": ["fall"], "suitable": True, "bed_type": "nursing"})
    act(admin, stay, "reserve", {"bed_id": bed_id})
    act(admin, stay, "sign", AGREED | agreed)
    act(admin, stay, "admit")
    return stay


def test_from_the_application_over_a_trial_to_another_bed(api: Api) -> None:
    admin, staff, family = (api.as_user(role) for role in ("admin", "caregiver", "family"))
    resident = str(api.world.a.residents[0])
    first, second = bed(admin, "208-1"), bed(admin, "209-1", "total_care", room="209")
    stay = staff.post(STAYS, json={"resident_id": resident, "applied_by": "女儿"}).json()["id"]
    found = {"findings": "跌倒高风险", "risks": ["fall"], "suitable": True, "bed_type": "nursing"}
    act(staff, stay, "assess", found)
    act(staff, stay, "reserve", {"bed_id": first})
    assert [one["reserved"] for one in staff.get(f"{HOUSE}/beds?free=false").json()["items"]] == [True]
    act(staff, stay, "sign", AGREED, status=403)
    act(admin, stay, "sign", AGREED)
    trial_end = (api.clock.now() + timedelta(days=14)).date().isoformat()
    assert act(staff, stay, "begin-trial", {"until": trial_end})["detail"]["bed"] == "1 2 208 208-1"
    assert act(staff, stay, "admit")["state"] == "living"
    assert staff.get(f"/api/v1/residents/{resident}").json()["room"] == "208"
    moved = act(staff, stay, "transfer", {"bed_id": second, "reason": "照护等级调整"})
    assert (moved["state"], moved["detail"]["bed"]) == ("living", "1 2 209 209-1")
    assert staff.get(f"/api/v1/residents/{resident}").json()["room"] == "209"
    act(staff, stay, "transfer", {"bed_id": second, "reason": "x"}, status=422)
    uses = staff.get(f"{HOUSE}/beds/{first}/uses").json()["items"]
    assert [(one["stay_id"], one["used_to"] is None) for one in uses] == [(stay, False), (stay, False)]
    full = {one["type"]: (one["beds"], one["occupied"], one["free"]) for one in
            staff.get(f"{HOUSE}/beds/occupancy").json()["items"]}  # fmt: skip
    assert full == {"total_care": (1, 1, 0), "nursing": (1, 0, 1), "ordinary": (0, 0, 0), "home": (0, 0, 0)}
    floors = staff.get(f"{HOUSE}/floors").json()["items"]
    assert [(one["rooms"], one["beds"], one["taken"]) for one in floors] == [(2, 2, 1)]
    seen = family.get(f"{STAYS}/{stay}").json()
    assert (seen["detail"]["findings"], seen["detail"]["risks"], seen["detail"]["bed_id"]) == ("", [], None)


def test_a_person_has_one_stay_and_a_bed_one_person(api: Api) -> None:
    admin = api.as_user("admin")
    one, other = (str(resident) for resident in api.world.a.residents)
    taken, free = bed(admin, "208-1"), bed(admin, "208-2")
    moved_in(admin, one, taken)
    assert admin.post(STAYS, json={"resident_id": one, "applied_by": "x"}).status_code == 409
    stay = admin.post(STAYS, json={"resident_id": other, "applied_by": "x"}).json()["id"]
    act(admin, stay, "assess", {"findings": "x", "suitable": True, "bed_type": "nursing"})
    act(admin, stay, "reserve", {"bed_id": taken}, status=409)
    act(admin, stay, "reserve", {"bed_id": "00000000-0000-7000-8000-000000000000"}, status=422)
    assert admin.post(f"{HOUSE}/beds/{taken}/close", json={"reason": "维修"}).status_code == 409
    assert admin.post(f"{HOUSE}/beds/{free}/close", json={"reason": "维修"}).status_code == 200
    act(admin, stay, "reserve", {"bed_id": free}, status=409)
    assert admin.post(f"{HOUSE}/beds/{free}/reopen").status_code == 200
    act(admin, stay, "reserve", {"bed_id": free})
    act(admin, stay, "cancel", {"reason": "改去别处"})
    assert [item["id"] for item in admin.get(f"{HOUSE}/beds?free=true").json()["items"]] == [free]


def test_of_two_who_ask_for_a_bed_at_once_one_gets_it(api: Api) -> None:
    """The constraint decides, not the order of the requests."""
    admin = api.as_user("admin")
    wanted, stays = bed(admin, "208-1"), []
    for resident in api.world.a.residents:
        stay = admin.post(STAYS, json={"resident_id": str(resident), "applied_by": "x"}).json()["id"]
        act(admin, stay, "assess", {"findings": "x", "suitable": True, "bed_type": "nursing"})
        stays.append(stay)
    answers: list[int] = []
    start = threading.Barrier(2)

    def ask(stay: str) -> None:
        start.wait()
        answers.append(admin.post(f"{STAYS}/{stay}/reserve", json={"bed_id": wanted}).status_code)

    threads = [threading.Thread(target=ask, args=(stay,)) for stay in stays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]


def test_who_leaves_is_no_longer_watched_over(
    api: Api, database_url: str, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    admin, resident = api.as_user("admin"), api.world.a.residents[0]
    stay = moved_in(admin, resident, bed(admin, "208-1"))
    alert = emergency(api, database_url)
    order = {"resident_id": str(resident), "care": "bath", "title": "助浴", "starts_at": "2026-03-02T01:00:00Z",
             "ends_at": "2026-03-02T02:00:00Z"}  # fmt: skip
    bath = admin.post("/api/v1/services/daily-living/orders", json=order).json()["id"]
    refused = admin.patch(f"/api/v1/residents/{resident}", json={"status": "discharged"})
    assert refused.status_code == 409, "the stay's own end comes first"
    done = act(admin, stay, "discharge", {"reason": "home", "to": "女儿家"})
    assert done["final"] is True
    assert admin.get(f"/api/v1/residents/{resident}").json()["status"] == "discharged"
    assert admin.get(f"/api/v1/devices/{api.world.a.devices[0].id}").json()["resident_id"] is None
    over = admin.get(f"/api/v1/alerts/{alert}").json()
    assert (over["state"], over["outcome"]) == ("resolved", "other")
    assert any("已退住" in entry["note"] for entry in over["timeline"])
    assert admin.get(f"{HOUSE}/beds?free=true").json()["items"], "the bed is free"
    told = admin.get(f"{STAYS}/{stay}/history").json()["items"][-1]["detail"]
    assert (told["devices_unbound"], told["alerts_ended"]) == ([api.world.a.devices[0].id], 1)
    assert platform.end_with_residents(make_pool_for("jobs"), api.clock) == 1
    assert platform.end_with_residents(make_pool_for("jobs"), api.clock) == 0
    assert admin.get(f"/api/v1/services/daily-living/orders/{bath}").json()["state"] == "cancelled"


@pytest.mark.parametrize(("wish", "scopes"), [("relatives", {"alerts", "health"}), ("nobody", set())])
def test_after_a_death_relatives_read_on_unless_the_person_wished_otherwise(
    api: Api, wish: str, scopes: set[str]
) -> None:
    admin, staff, family = (api.as_user(role) for role in ("admin", "caregiver", "family"))
    resident = api.world.a.residents[0]
    stay = moved_in(admin, resident, bed(admin, "208-1"), after_death=wish)
    act(staff, stay, "record-death", {"died_at": "2100-01-01T00:00:00Z", "told": "女儿"}, status=422)
    died = (api.clock.now() - timedelta(hours=1)).isoformat()
    act(staff, stay, "record-death", {"died_at": died, "place": "人民医院", "told": "女儿"})
    answer = family.get(f"/api/v1/residents/{resident}")
    assert (set(answer.json()["scopes"]) if answer.status_code == 200 else set()) == scopes
    assert admin.get(f"/api/v1/residents/{resident}").json()["status"] == "deceased"
    assert admin.post(STAYS, json={"resident_id": str(resident), "applied_by": "x"}).status_code == 409
    assert not any("身故" in one["text"]["zh"] for one in family.get("/api/v1/notices").json()["items"])


def test_a_record_without_a_stay_ends_the_watching_too(api: Api) -> None:
    staff, resident = api.as_user("caregiver"), api.world.a.residents[1]
    assert staff.patch(f"/api/v1/residents/{resident}", json={"status": "deceased"}).status_code == 200
    assert staff.get(f"/api/v1/devices/{api.world.a.devices[1].id}").json()["resident_id"] is None


def test_who_cannot_be_cared_for_gets_no_bed(api: Api) -> None:
    admin = api.as_user("admin")
    stay = admin.post(STAYS, json={"resident_id": str(api.world.a.residents[0]), "applied_by": "x"}).json()["id"]
    act(admin, stay, "assess", {"findings": "需呼吸机", "suitable": False, "bed_type": "nursing"})
    act(admin, stay, "reserve", {"bed_id": bed(admin, "208-1")}, status=409)
    act(admin, stay, "refuse", {"reason": "需医院照护"})


def test_a_bed_at_home_leaves_the_address_as_it_is(api: Api) -> None:
    admin, resident = api.as_user("admin"), api.world.a.residents[0]
    before = admin.get(f"/api/v1/residents/{resident}").json()["room"]
    moved_in(admin, resident, bed(admin, "家-1", "home"))
    assert admin.get(f"/api/v1/residents/{resident}").json()["room"] == before
    wrong = {"room_id": None, "label": "x", "type": "nursing"}
    assert admin.post(f"{HOUSE}/beds", json=wrong).status_code == 422


def test_what_was_read_before_somebody_else_changed_it_is_refused(api: Api) -> None:
    admin = api.as_user("admin")
    one = bed(admin, "208-1")
    tag = admin.get(f"{HOUSE}/beds/{one}").headers["ETag"]
    change = {"label": "208-A", "type": "ordinary"}
    assert admin.put(f"{HOUSE}/beds/{one}", json=change, headers={"If-Match": tag}).status_code == 200
    assert admin.put(f"{HOUSE}/beds/{one}", json=change, headers={"If-Match": tag}).status_code == 412
    again = admin.post(f"{HOUSE}/rooms", json={"building": "9", "name": "9"}, headers={"Idempotency-Key": "room-208"})
    assert again.status_code == 409, "the key was used for another room"


def test_pain_47_another_house_sees_no_bed_and_no_stay(api: Api) -> None:
    admin, other = api.as_user("admin"), api.as_user("admin", api.world.b)
    one = bed(admin, "208-1")
    stay = moved_in(admin, api.world.a.residents[0], one)
    for path in (f"{HOUSE}/beds/{one}", f"{HOUSE}/beds/{one}/uses", f"{STAYS}/{stay}"):
        assert other.get(path).status_code == 404, path
    assert other.get(f"{HOUSE}/beds").json()["items"] == []
    theirs = other.post(STAYS, json={"resident_id": str(api.world.b.residents[0]), "applied_by": "x"}).json()["id"]
    act(other, theirs, "assess", {"findings": "x", "suitable": True, "bed_type": "nursing"})
    act(other, theirs, "reserve", {"bed_id": one}, status=422)
