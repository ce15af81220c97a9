"""Services in a real browser: an order is made, refused with what was typed kept, and goes on; the week shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import CLOCK, House, keep
from tests.browser.manners import contrast_faults, label_faults

Staff = Callable[..., Page]


@pytest.fixture(autouse=True)
def described(house: House) -> None:
    """The API has described itself, and the console has read it: forms are drawn from that."""
    with httpx.Client(base_url=house.api_url, timeout=120, trust_env=False) as client:
        client.get("/openapi.json").raise_for_status()


def test_an_order_from_its_form_to_its_price_and_into_the_week(staff: Staff, house: House) -> None:
    page = staff("admin", "/services/daily-living/orders/new")
    local = (CLOCK.now() + timedelta(minutes=30)).astimezone(ZoneInfo("Asia/Shanghai"))
    page.get_by_label("老人").select_option(str(house.world.a.residents[0]))
    page.get_by_label("服务项目").select_option("bath")
    page.get_by_label("标题").fill("助浴")
    page.get_by_label("开始时间").fill(f"{local:%Y-%m-%dT%H:%M}")
    page.get_by_label("结束时间").fill(f"{local - timedelta(hours=1):%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="登记").click()
    expect(page.get_by_role("alert")).to_contain_text("ends_at lies before starts_at")
    assert page.get_by_label("标题").input_value() == "助浴"
    page.get_by_label("结束时间").fill(f"{local + timedelta(hours=1):%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="登记").click()
    expect(page.locator("h1")).to_contain_text("已申请")
    keep(page, "service-record")
    assert (label_faults(page), contrast_faults(page)) == ([], [])

    other = staff("caregiver", page.url.removeprefix(house.console_url))
    page.locator("summary", has_text="评估").click()
    form = page.locator("details[open] form")
    form.get_by_label("价格").fill("30")
    form.get_by_label("补贴").fill("10.50")
    form.get_by_role("button", name="评估").click()
    expect(page.locator("h1")).to_contain_text("已评估")
    expect(page.locator("dl.facts")).to_contain_text("19.50")

    # Somebody who still looks at the older state is told, and loses nothing of what was typed.
    other.locator("summary", has_text="取消").click()
    stale = other.locator("details[open] form")
    stale.get_by_label("原因说明").fill("老人住院")
    stale.get_by_role("button", name="取消").click()
    expect(stale.get_by_role("alert")).not_to_be_empty()
    assert stale.get_by_label("原因说明").input_value() == "老人住院"

    page.goto(f"{house.console_url}/calendar?from={local:%Y-%m-%d}")
    expect(page.locator(".week section").first).to_contain_text(f"{local:%H:%M}")
    keep(page, "calendar")
    page.goto(f"{house.console_url}/services")
    assert page.locator(".tile").count() == 11
    keep(page, "services")
    assert (label_faults(page), contrast_faults(page)) == ([], [])


def test_an_assessment_is_scored_item_by_item_with_its_running_sum(staff: Staff, house: House) -> None:
    me, colleague = (str(house.world.a.users[role].id) for role in ("admin", "caregiver"))
    base = "/services/assessment/assessments"
    now = CLOCK.now()
    with house.client("admin") as api:
        body = {"resident_id": str(house.world.a.residents[0]), "form": "gbt42195", "cause": "first"}
        one = f"{base}/{api.post(base, json=body).raise_for_status().json()['id']}"
        api.post(f"{one}/receive", json={}).raise_for_status()
        span = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=2)).isoformat()}
        api.post(f"{one}/assign", json={"assessors": [me, colleague], **span}).raise_for_status()
    page = staff("admin", one)
    expect(page.locator("dl.facts")).to_contain_text("caregiver a")  # a colleague by name, not by number
    page.locator("summary", has_text="评分").click()
    form = page.locator("details[open] form")
    items = form.get_by_role("radiogroup")
    assert items.count() == 26
    for number in range(26):
        items.nth(number).locator("input").first.check()
    expect(form.locator(".sum")).to_contain_text("90 / 90")
    expect(form.locator(".sum")).to_contain_text("已全部评分")
    form.get_by_label("信息提供者").fill("王芳")
    form.get_by_label("与老人关系").fill("女儿")
    form.get_by_label("签名方式").select_option("handwritten")
    keep(page, "assessment")
    form.get_by_role("button", name="评分").click()
    expect(page.locator("dl.facts")).to_contain_text("能力完好")
