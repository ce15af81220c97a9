"""Supervision on a real database: counts without people, one institution or all, single cases only for a cause."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from starlette.testclient import TestClient

from api.supervision.months import keep_month
from core.ids import new_id
from db.pool import DbRole, Pool
from tests.fixtures.world import PASSWORD
from tests.integration.conftest import Api
from tests.integration.test_services_rescue import emergency

BASE = "/api/v1/supervision"


@pytest.fixture
def region(api: Api, database_url: str) -> Iterator[TestClient]:
    """A regulator of no institution: of the whole region."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO users (id, username, password_hash, role, name, created_at)"
            " SELECT %s, 'region', password_hash, 'regulator', '区民政', created_at FROM users"
            " WHERE role = 'regulator' LIMIT 1",
            (new_id(api.clock),),
        )
    with regional(api) as client:
        yield client


def regional(api: Api) -> TestClient:
    """Signed in anew: a token does not last a month."""
    token = api.anonymous.post("/api/v1/auth/token", data={"username": "region", "password": PASSWORD}).json()
    return TestClient(api.app, headers={"Authorization": f"Bearer {token['access_token']}"})


def facility(client: TestClient, **given: object) -> None:
    body = {
        "title": "综合养老服务中心", "facility_type": "institution", "run_by": "society", "street": "白市驿镇",
        "community": "一社区", "comprehensive": True, "beds": 100, "nursing_beds": 70,
    } | given  # fmt: skip
    made = client.post("/api/v1/services/information/facilities", json=body)
    assert made.status_code == 201, made.text
    for action in ("file", "open"):
        one = f"/api/v1/services/information/facilities/{made.json()['id']}/{action}"
        assert client.post(one, json={}).status_code == 200


def row(client: TestClient, code: str, **params: str) -> dict[str, object]:
    items = client.get(f"{BASE}/indicators", params=params).json()["items"]
    return next(item for item in items if item["code"] == code)


def test_the_region_sees_all_and_an_institution_itself(api: Api, region: TestClient) -> None:
    admin_a, admin_b = api.as_user("admin", api.world.a), api.as_user("admin", api.world.b)
    facility(admin_a)
    facility(admin_b, nursing_beds=30, street="走马镇")
    assert [row(one, "nursing_beds")["value"] for one in (region, admin_a, admin_b)] == [50.0, 70.0, 30.0]
    assert row(region, "nursing_beds", institution=str(api.world.b.institution_id))["value"] == 30.0
    assert row(region, "nursing_beds")["met"] is False
    body = {"numerator": 2, "source": "行政区划"}
    assert region.put(f"{BASE}/figures/streets/2025", json=body).status_code == 204
    assert row(region, "streets_comprehensive")["value"] == 100.0
    assert region.put(f"{BASE}/figures/nursing_beds/2025", json=body).status_code == 404, "it is counted"
    assert api.as_user("regulator").put(f"{BASE}/figures/streets/2025", json=body).status_code == 422
    assert [one["beds"] for one in region.get(f"{BASE}/roll-up").json()["items"] if one["level"] == "district"] == [200]


def test_contracts_certificates_and_answers_are_counted(api: Api, database_url: str, region: TestClient) -> None:
    admin, resident = api.as_user("admin"), str(api.world.a.residents[0])
    contract = {"resident_id": resident, "doctor": "周医生", "clinic": "镇卫生院"}
    contracts = "/api/v1/services/medical/contracts"
    one = admin.post(contracts, json=contract).json()["id"]
    admin.post(f"{contracts}/{one}/sign", json={"agreed_by": "王秀英", "valid_until": "2030-01-01"})
    for name in ("陈", "赵"):
        worker = admin.post("/api/v1/workers", json={"name": name}).json()["id"]
    admin.post(f"/api/v1/workers/{worker}/certificates", json={"kind": "养老护理员", "valid_from": "2020-01-01"})
    alert = emergency(api, database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alerts SET acknowledged_at = opened_at + interval '61 s' WHERE id = %s", (alert,))
    api.clock.advance(120)
    admin = api.as_user("admin")
    assert (row(admin, "family_doctor")["numerator"], row(admin, "certified")["value"]) == (1, 50.0)


def test_a_single_case_is_read_for_a_cause_only_and_leaves_a_trace(
    api: Api, database_url: str, region: TestClient
) -> None:
    alert = emergency(api, database_url)
    assert region.post(f"{BASE}/cases/{alert}", json={"cause": "x"}).status_code == 422
    case = region.post(f"{BASE}/cases/{alert}", json={"cause": "信访件核查"}).json()
    assert case["institution"] == api.world.a.site
    assert not {"name", "resident_id", "place"} & set(case)
    trail = api.as_user("admin").get("/api/v1/audit", params={"limit": 200}).json()["items"]
    assert [one["detail"]["cause"] for one in trail if one["action"] == "read_case"] == ["信访件核查"]
    other = api.as_user("regulator", api.world.b).post(f"{BASE}/cases/{alert}", json={"cause": "信访件核查"})
    assert other.status_code == 404


def test_months_are_kept_once_a_day_and_corrected_until_they_end(
    api: Api, make_pool_for: Callable[[DbRole], Pool], region: TestClient
) -> None:
    jobs = make_pool_for("jobs")
    assert keep_month(jobs, api.clock) == keep_month(jobs, api.clock) > 0
    month = api.clock.now().date().replace(day=1)
    admin = api.as_user("admin")
    admin.post("/api/v1/workers", json={"name": "陈"})
    keep_month(jobs, api.clock)
    later = month + timedelta(days=40)
    series = region.get(f"{BASE}/series/certified", params={"from": month.isoformat(), "to": later.isoformat()}).json()
    assert [(one["numerator"], one["denominator"]) for one in series["items"]] == [(0, 1)]


def test_open_data_needs_no_token_and_tells_of_nobody(api: Api) -> None:
    facility(api.as_user("admin"))
    answer = api.anonymous.get("/api/v1/open-data/indicators")
    items = {item["code"]: item for item in answer.json()["items"]}
    assert items["nursing_beds"]["value"] == 70.0
    assert items["agreements"]["value"] is None, "two institutions are too few to tell of"
    assert api.world.a.site not in answer.text


def test_an_export_is_a_table(api: Api) -> None:
    answer = api.as_user("regulator").get(f"{BASE}/indicators/export")
    assert answer.headers["content-type"].startswith("text/csv")
    assert len(answer.text.strip().splitlines()) >= 30


def test_a_street_a_community_and_an_institution_by_themselves(api: Api, region: TestClient) -> None:
    admin_a, admin_b = api.as_user("admin", api.world.a), api.as_user("admin", api.world.b)
    facility(admin_a, title="甲院")
    facility(admin_b, title="乙院", nursing_beds=30, street="走马镇", community="二社区")
    facility(
        admin_b, title="乙站", facility_type="station", street="白市驿镇", community="三社区", beds=0, nursing_beds=0
    )
    assert row(region, "nursing_beds", street="走马镇")["value"] == 30.0
    assert row(region, "nursing_beds", street="白市驿镇", community="一社区")["value"] == 70.0
    assert row(region, "nursing_beds", street="没有")["value"] is None
    assert row(region, "agreements", street="白市驿镇")["denominator"] == 2, "both houses have something there"
    region.put(f"{BASE}/figures/streets/2025", json={"numerator": 2, "source": "行政区划"})
    assert row(region, "streets_facility")["value"] == 100.0
    assert row(region, "streets_facility", street="走马镇")["basis"] == "none", "the region's figure is not a street's"
    names = [one["title"] for one in region.get(f"{BASE}/facilities").json()["items"]]
    assert sorted(names) == ["乙站", "乙院", "甲院"]
    paged, cursor = [], None
    while True:
        page = region.get(f"{BASE}/facilities", params={"limit": 1} | ({"cursor": cursor} if cursor else {})).json()
        paged += [one["title"] for one in page["items"]]
        if not (cursor := page["next"]):
            break
    assert paged == names
    there = region.get(f"{BASE}/facilities", params={"street": "走马镇"}).json()["items"]
    assert [(one["title"], one["institution_id"]) for one in there] == [("乙院", str(api.world.b.institution_id))]
    assert [one["title"] for one in admin_a.get(f"{BASE}/facilities").json()["items"]] == ["甲院"]


def test_the_workbook_holds_what_the_api_tells_and_no_formula(
    api: Api, region: TestClient, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    facility(api.as_user("admin"), title="=HYPERLINK(1)")
    keep_month(make_pool_for("jobs"), api.clock)
    answer = region.get(f"{BASE}/indicators/export", params={"format": "xlsx"})
    assert answer.headers["content-type"].endswith("spreadsheetml.sheet")
    assert answer.headers["content-disposition"].endswith('.xlsx"')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        sheets = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
        assert sheets == ["指标 Indicators", "汇总 Roll-up", "设施 Facilities", "月度 Months"]
        strings = book.read("xl/sharedStrings.xml").decode()
        sheets = [book.read(name).decode() for name in book.namelist() if name.startswith("xl/worksheets/")]
    assert "=HYPERLINK(1)" in strings
    assert not any("<f>" in one for one in sheets)
    assert "养老机构护理型床位占比" in strings
    assert sheets[3].count("<row ") > 10, "beds and counts of the present month"
    assert region.get(f"{BASE}/indicators/export", params={"format": "pdf"}).status_code == 422


def test_beds_and_quality_have_their_months_too(
    api: Api, region: TestClient, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    facility(api.as_user("admin"))
    keep_month(make_pool_for("jobs"), api.clock)
    keys = {one["code"]: one["series"] for one in region.get(f"{BASE}/indicators").json()["items"]}
    assert (keys["nursing_beds"], keys["agreements"], keys["lottery"]) == ("nursing_beds", "agreement", None)
    when = {"from": "2020-01-01", "to": "2029-01-01"}
    (month,) = region.get(f"{BASE}/series/nursing_beds", params=when).json()["items"]
    assert (month["numerator"], month["denominator"]) == (70, 100)
    elsewhere = region.get(f"{BASE}/series/nursing_beds", params=when | {"street": "走马镇"}).json()
    assert elsewhere["items"] == []


def test_every_row_that_is_counted_has_its_trend_also_those_of_places(
    api: Api, region: TestClient, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    """What a month held stays as it was then, by the indicator's own formula."""
    jobs, admin = make_pool_for("jobs"), api.as_user("admin")
    facility(admin)
    body = {"numerator": 4, "source": "行政区划"}
    assert region.put(f"{BASE}/figures/streets/{api.clock.now().year}", json=body).status_code == 204
    keep_month(jobs, api.clock)
    first = api.clock.now().date().replace(day=1)
    api.clock.advance(40 * 86_400)
    facility(api.as_user("admin", api.world.b), street="走马镇")
    keep_month(jobs, api.clock)
    region = regional(api)
    when = {"from": first.isoformat(), "to": (first + timedelta(days=80)).isoformat()}

    def trend(code: str, **place: str) -> list[tuple[int | None, int | None]]:
        answer = region.get(f"{BASE}/trends/{code}", params=when | place)
        assert answer.status_code == 200, answer.text
        return [(one["numerator"], one["denominator"]) for one in answer.json()["items"]]

    assert trend("streets_comprehensive") == [(1, 4), (2, 4)]
    assert trend("nursing_beds") == [(70, 100), (140, 200)]
    assert trend("nursing_beds", street="走马镇") == [(None, None), (70, 100)]
    assert trend("agreements")[-1] == (0, 2)
    for one in region.get(f"{BASE}/indicators").json()["items"]:
        now = (one["numerator"], one["denominator"])
        if one["basis"] == "computed":
            assert trend(one["code"])[-1] == now, f"{one['code']}: the present month is as the indicator says"
    assert region.get(f"{BASE}/trends/nothing", params=when).status_code == 404
    assert region.get(f"{BASE}/trends/filed", params={"from": when["to"], "to": when["from"]}).status_code == 422
    own = api.as_user("regulator").get(f"{BASE}/trends/nursing_beds", params=when).json()["items"]
    assert [one["denominator"] for one in own] == [100, 100], "an institution's inspector sees that institution"
