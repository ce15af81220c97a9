"""The inspector's pages without a browser: indicators of the region and its parts, nobody by name, exports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import psycopg
import pytest
from starlette.testclient import TestClient

from api.supervision.months import keep_month
from core.ids import new_id
from db.pool import DbRole, Pool
from tests.integration.conftest import Api
from tests.integration.pages_kit import Browser, check
from tests.integration.test_supervision import facility


@pytest.fixture
def browser(api: Api, database_url: str) -> Iterator[Browser]:
    """A browser, and an account `region` of no institution."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO users (id, username, password_hash, role, name, created_at)"
            " SELECT %s, 'region', password_hash, 'regulator', '区民政', created_at FROM users"
            " WHERE role = 'regulator' LIMIT 1",
            (new_id(api.clock),),
        )
    with TestClient(api.app, base_url="http://home.example", raise_server_exceptions=False) as client:
        yield Browser(client, "/inspector")


def test_the_region_goes_down_to_one_institution(
    api: Api, browser: Browser, make_pool_for: Callable[[DbRole], Pool]
) -> None:
    facility(api.as_user("admin"), title="甲院 <甲>")
    facility(api.as_user("admin", api.world.b), title="乙院", street="走马镇", community="二社区", nursing_beds=30)
    keep_month(make_pool_for("jobs"), api.clock)
    assert browser.sign_in("region").status_code == 200
    html = check(browser.get())
    assert "50%" in html
    assert "≥ 60%" in html
    assert "专栏1-7" in html
    street = re.search(r'href="/inspector(\?street=[^"&]+)">走马镇', html)
    assert street
    html = check(browser.get(street[1]))
    assert "30%" in html
    community = re.search(r'href="/inspector(\?street=[^"]+)">二社区', html)
    assert community
    html = check(browser.get(community[1].replace("&amp;", "&")))
    one = re.search(r'href="/inspector(\?street=[^"]+institution=[^"]+)">乙院', html)
    assert one
    assert "乙院" in check(browser.get(one[1].replace("&amp;", "&")))
    html = check(browser.get("/indicators/nursing_beds"))
    assert "<svg" in html
    assert html.count('class="bar"') == 1
    assert "走马镇" in html
    assert "未达标" in html
    assert browser.get("/indicators/nothing").status_code == 404


def test_nobody_is_named(api: Api, browser: Browser) -> None:
    facility(api.as_user("admin"))
    browser.sign_in("region")
    html = browser.get().text + browser.get("/indicators/family_doctor").text
    assert "张老" not in html
    assert "caregiver" not in html


def test_exports_are_those_of_the_api(api: Api, browser: Browser) -> None:
    facility(api.as_user("admin"))
    browser.sign_in("region")
    csv = browser.get("/export?format=csv")
    assert csv.text.startswith("\ufeff编号 code")
    book = browser.get("/export?format=xlsx&street=%E8%B5%B0%E9%A9%AC%E9%95%87")
    assert book.content[:2] == b"PK"
    assert "attachment" in book.headers["content-disposition"]
    assert browser.get("/export?format=pdf").status_code == 422
    report = browser.get("/response?from=2025-11-01&to=2025-11-30&format=html")
    assert "报警响应指标报告" in report.text
    assert "script" not in report.headers["content-security-policy"]
    assert browser.get("/response?from=x&to=y").status_code == 422


@pytest.mark.parametrize(("role", "status"), [("regulator", 200), ("platform", 200), ("admin", 403), ("family", 403)])
def test_only_inspectors_get_in(api: Api, browser: Browser, role: str, status: int) -> None:
    answer = browser.sign_in(f"{role}-a")
    assert answer.status_code == status
    check(answer)
    assert (browser.get().url.path == "/inspector") is (status == 200)


def test_a_families_session_opens_no_inspectors_page(api: Api, browser: Browser) -> None:
    family = Browser(browser.client, "/family")
    family.sign_in("family-a")
    assert browser.get().url.path == "/inspector/sign-in"
    copied = browser.client.cookies["anhu_family"]
    browser.client.cookies.set("anhu_inspector", copied, domain="home.example", path="/inspector")
    answer = browser.get()
    assert answer.status_code == 403, "its token is still a family's"
    check(answer)
