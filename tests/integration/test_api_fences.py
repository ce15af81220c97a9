"""Safe areas of one person: drawn, listed, taken away, taken up by the detectors, kept from others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.detectors.place import Fence
from alerts.directory import load, safe_areas
from db.pool import DbRole, Pool
from db.tenant import service_transaction
from tests.integration.conftest import Api

CIRCLE = {"name": "小区", "corners": [[29.563, 106.551]], "radius_m": 300}
GARDEN = {
    "name": "花园",
    "corners": [[29.5, 106.5], [29.5, 106.6], [29.6, 106.6]],
    "from_time": "20:00",
    "to_time": "06:30",
}


def url(api: Api, foreign: bool = False) -> str:
    one = api.world.b if foreign else api.world.a
    return f"/api/v1/residents/{one.residents[0]}/fences"


def test_areas_are_drawn_listed_and_taken_away(api: Api) -> None:
    staff = api.as_user("caregiver")
    first = staff.post(url(api), json=CIRCLE)
    assert first.status_code == 201, first.text
    assert (first.json()["author"], first.json()["from_time"], first.json()["to_time"]) == (
        "caregiver a",
        "00:00",
        "00:00",
    )
    api.clock.advance(1)
    assert staff.post(url(api), json=GARDEN).status_code == 201
    items = staff.get(url(api)).json()["items"]
    assert [(one["name"], one["to_time"]) for one in items] == [("花园", "06:30"), ("小区", "00:00")]
    assert staff.delete(f"{url(api)}/{first.json()['id']}").status_code == 204
    assert staff.delete(f"{url(api)}/{first.json()['id']}").status_code == 404
    assert [one["name"] for one in staff.get(url(api)).json()["items"]] == ["花园"]


def test_the_detectors_get_what_is_in_force(api: Api, make_pool_for: Callable[[DbRole], Pool]) -> None:
    staff = api.as_user("caregiver")
    staff.post(url(api), json=GARDEN)

    def held() -> list[Fence]:
        with service_transaction(make_pool_for("alerts")) as tx:
            return [fence for fences in safe_areas(load(tx, api.clock).fences).values() for fence in fences]

    (fence,) = held()
    assert fence == Fence(((29.5, 106.5), (29.5, 106.6), (29.6, 106.6)), 0.0, 20 * 60, 6 * 60 + 30)
    staff.delete(f"{url(api)}/{staff.get(url(api)).json()['items'][0]['id']}")
    assert held() == []


@pytest.mark.parametrize(
    "change",
    [
        {"radius_m": 0},
        {"radius_m": 5},
        {"corners": []},
        {"corners": [[29.5, 106.5], [29.6, 106.6]]},
        {"corners": [[29.5, 106.5]] * 3, "radius_m": 0},
        {"corners": [[99, 106.5]]},
        {"from_time": "24:00"},
        {"name": " "},
    ],
)
def test_areas_that_make_no_sense_are_refused(api: Api, change: dict[str, object]) -> None:
    assert api.as_user("caregiver").post(url(api), json=CIRCLE | change).status_code == 422


def test_there_is_a_bound(api: Api) -> None:
    staff = api.as_user("caregiver")
    answers = [staff.post(url(api), json=CIRCLE).status_code for _ in range(21)]
    assert answers == [201] * 20 + [422]


def test_pain_47_another_institutions_resident_is_not_there(api: Api) -> None:
    assert api.as_user("caregiver").post(url(api, foreign=True), json=CIRCLE).status_code == 404
    assert api.as_user("caregiver").get(url(api, foreign=True)).status_code == 404
    assert api.as_user("family").get(url(api)).status_code == 403
