"""The rota in a real browser: a shift is added, refused, changed, swapped and removed; holes are shouted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import CLOCK, House, keep
from tests.browser.manners import contrast_faults, keyboard_faults, label_faults

Staff = Callable[..., Page]
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def described(house: House) -> None:
    """The API has described itself, and the console has read it: forms are drawn from that."""
    with httpx.Client(base_url=house.api_url, timeout=120, trust_env=False) as client:
        client.get("/openapi.json").raise_for_status()


def fold(page: Page, words: str) -> Page:
    """Open a group of fields."""
    page.locator("summary", has_text=words).first.click()
    return page


def test_a_week_of_shifts_is_made_changed_swapped_and_its_holes_are_shouted(staff: Staff, house: House) -> None:
    monday = CLOCK.now().astimezone(ZONE).date() + timedelta(days=7 - CLOCK.now().astimezone(ZONE).weekday())
    path = f"/rota?from={monday}"
    page = staff("admin", path)
    fold(page, "新增班次")
    form = page.locator("details[open] form")
    form.get_by_label("账号").select_option(str(house.world.a.users["caregiver"].id))
    form.get_by_label("标题").fill("白班")
    form.get_by_label("开始日期").fill(f"{monday}")
    form.get_by_label("上班时间").fill("08:00")
    form.get_by_label("下班时间").fill("20:00")
    form.get_by_label("最后日期").fill(f"{monday - timedelta(days=3)}")
    form.get_by_role("button", name="新增班次").click()
    # Refused: it would never take place. What was typed is still there.
    expect(form.get_by_role("alert")).to_contain_text("does not take place")
    assert form.get_by_label("标题").input_value() == "白班"
    form.get_by_label("最后日期").fill("")
    for day in ("周一", "周二", "周三"):
        form.get_by_label(day).check()
    form.get_by_role("button", name="新增班次").click()
    week = page.locator(".week")
    expect(week.locator("button")).to_have_count(3)
    assert "08:00–20:00" in week.locator("section").first.inner_text()
    # Nights and the days after Wednesday have nobody.
    assert week.locator("section").first.locator(".hole").count() == 2
    expect(week.locator("section").nth(5).locator(".hole")).to_contain_text("00:00–24:00")
    keep(page, "rota")
    assert (label_faults(page), contrast_faults(page), keyboard_faults(page)) == ([], [], [])

    week.locator("button").first.click()
    fold(page, "换班")
    swap = page.locator("details[open] form")
    swap.get_by_label("账号").select_option(str(house.world.a.users["admin"].id))
    swap.get_by_role("button", name="换班").click()
    expect(week.locator("section").first).to_contain_text("admin a")
    expect(week.locator("section").first.locator(".pill")).to_contain_text("换班")

    week.locator("button").nth(1).click()
    fold(page, "修改班次")
    change = page.locator("details[open] form")
    assert change.get_by_label("标题").input_value() == "白班"
    assert change.get_by_label("上班时间").input_value() == "08:00"
    assert change.get_by_label("周三").is_checked()
    change.get_by_label("下班时间").fill("21:30")
    change.get_by_role("button", name="保存").click()
    expect(week.locator("section").nth(1)).to_contain_text("08:00–21:30")

    week.locator("button").nth(1).click()
    page.locator(".picked summary", has_text="删除").click()
    page.get_by_role("button", name=f"仅 {monday + timedelta(days=1)} 不排").click()
    expect(week.locator("button")).to_have_count(2)
    week.locator("button").last.click()
    page.locator(".picked summary", has_text="删除").click()
    page.get_by_role("button", name="从现在起删除整个班次").click()
    expect(week.locator("button")).to_have_count(0)


def test_a_caregiver_reads_hands_over_and_notes_the_own_absence(staff: Staff, house: House) -> None:
    page = staff("caregiver", "/rota", viewport={"width": 390, "height": 844})
    expect(page.locator(".duty")).to_contain_text("caregiver a")
    assert page.locator("summary", has_text="新增班次").count() == 0
    fold(page, "交接班")
    form = page.locator("details[open] form")
    form.get_by_label("备注").fill("203 张老血压偏高，22:00 复测")
    form.get_by_role("button", name="交接班").click()
    expect(page.locator(".steps")).to_contain_text("22:00 复测")
    fold(page, "登记缺勤")
    absence = page.locator("details[open] form")
    assert absence.get_by_label("账号").locator("option").all_inner_texts() == ["caregiver a"]
    later = CLOCK.now().astimezone(ZONE) + timedelta(days=40)
    absence.get_by_label("开始时间").fill(f"{later:%Y-%m-%dT%H:%M}")
    absence.get_by_label("结束时间").fill(f"{later + timedelta(days=1):%Y-%m-%dT%H:%M}")
    absence.get_by_role("button", name="登记缺勤").click()
    expect(page.locator("details[open]")).to_have_count(0)
    fold(page, "登记缺勤")
    expect(page.locator("details[open]")).to_contain_text("caregiver a")
    keep(page, "rota-phone")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.locator("details[open]").get_by_role("button", name="取消").click()
    expect(page.locator("details[open]")).to_have_count(0)
    file = page.request.get(f"{house.console_url}/rota/calendar.ics")
    assert (file.status, file.text()[:15]) == (200, "BEGIN:VCALENDAR")


def test_a_plan_is_edited_with_a_preview_of_whom_it_pages_and_when(staff: Staff, house: House) -> None:
    page = staff("admin", "/rota/plans?alert_type=fall")
    line = page.locator(".timeline")
    expect(line).to_contain_text("caregiver a")
    assert "立即" in line.locator("li").first.inner_text()
    expect(page.locator(".two")).to_contain_text("尚未保存")
    steps = page.locator(".plan-step")
    before = steps.count()
    # Begins late and has a hole at its end: refused, and kept as it was typed.
    steps.first.get_by_label("报警后").fill("30")
    page.get_by_role("button", name="保存").click()
    alert = page.locator("form.bare [role=alert]")
    expect(alert).to_contain_text("the first step must run at once")
    assert steps.first.get_by_label("报警后").input_value() == "30"
    steps.first.get_by_label("报警后").fill("0")
    steps.last.get_by_label("通知谁").select_option("desk")
    steps.last.get_by_role("button", name="再次通知").click()
    expect(steps).to_have_count(before + 1)
    page.get_by_label("预览哪个").select_option("edited")
    page.get_by_label("老人").select_option(str(house.world.a.residents[0]))
    page.get_by_role("button", name="预览").click()
    expect(line.locator("h3").last).to_contain_text("值班台")
    expect(line.locator("time").last).to_contain_text("13 分钟后")
    page.get_by_role("button", name="保存").click()
    expect(page.locator("form.bare .notice")).to_contain_text("第 1 版")
    keep(page, "plans")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    with house.client("admin") as api:
        saved = {one["alert_type"]: one for one in api.get("/escalation-plans").json()["items"]}
        assert saved["fall"]["steps"][-1] == {"after_seconds": 780, "whom": "desk"}

    reader = staff("caregiver", "/rota/plans?alert_type=fall", viewport={"width": 390, "height": 844})
    expect(reader.locator(".timeline")).to_contain_text("值班台")
    assert reader.locator(".plan-step").count() == 0
    keep(reader, "plans-phone")
    assert reader.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.reload()
    page.get_by_role("button", name="删除此预案").click()
    page.wait_for_url("**/rota/plans")


def test_a_hole_is_shouted_in_the_preview_and_on_the_rota(staff: Staff, house: House) -> None:
    with house.client("caregiver") as api:
        duty = "/me/duty"
        api.put(duty, json={"on_duty": False}).raise_for_status()
        try:
            page = staff("admin", "/rota/plans")
            expect(page.locator(".shout")).to_contain_text("找不到该通知的人")
            expect(page.locator(".timeline li.hole").first).to_contain_text("无人在岗")
            page.get_by_role("button", name="夜间模式").click()
            expect(page.locator("body.body--dark")).to_have_count(1)
            keep(page, "plans-hole-dark")
            assert contrast_faults(page) == []
            page.goto(f"{house.console_url}/rota")
            expect(page.locator(".shout")).to_contain_text("现在无人在岗")
            assert contrast_faults(page) == []
            keep(page, "rota-nobody-dark")
        finally:
            api.put(duty, json={"on_duty": True}).raise_for_status()
