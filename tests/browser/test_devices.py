"""Devices in a real browser: refused messages tried again, discovered ones claimed, a label scanned at the bedside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House, keep
from tests.browser.manners import contrast_faults, keyboard_faults, label_faults
from tests.fixtures.processes import until

Staff = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}}

READER = """
    window.BarcodeDetector = class { async detect() { return window.code ? [{ rawValue: window.code }] : []; } };
    navigator.mediaDevices.getUserMedia = async () => {
        const canvas = document.createElement("canvas"); canvas.getContext("2d").fillRect(0, 0, 9, 9);
        return canvas.captureStream(5);
    };
"""
"""What a telephone's browser has and a Linux Chromium has not: a camera, and a reader of codes in its pictures."""


@pytest.fixture(autouse=True)
def described(house: House) -> None:
    """The API has described itself, and the console has read it."""
    httpx.get(f"{house.api_url}/openapi.json", timeout=120, trust_env=False).raise_for_status()


def listed(house: House, path: str, **params: Any) -> list[dict[str, Any]]:
    with house.client("admin") as api:
        items: list[dict[str, Any]] = api.get(path, params=params).raise_for_status().json()["items"]
        return items


def test_what_was_refused_is_tried_again_once_its_cause_is_mended(staff: Staff, house: House) -> None:
    house.publish("late-1/telemetry", {"m": {"heart_rate": 72}})
    house.publish("late-1/telemetry", {"m": {"heart_rate": 73}})
    house.publish("band-a1/telemetry", "<b>not json")
    until(lambda: len(listed(house, "/rejections", limit=50)) >= 3, "all three refused", 20)
    page = staff("admin", "/devices/rejected")
    expect(page.locator("tbody")).to_contain_text("<b>not json")  # as text, never as markup
    expect(page.locator("tbody")).to_contain_text("不是 JSON")
    keep(page, "rejected")
    assert (label_faults(page), contrast_faults(page), keyboard_faults(page)) == ([], [], [])

    # Not mended: it is refused again, and that is said.
    page.locator("tr", has_text="not json").get_by_role("button").first.click()
    expect(page.get_by_role("status").first).to_contain_text("其后又拒收 1 条", timeout=10_000)

    with house.client("admin") as api:
        api.post("/devices", json={"id": "late-1", "kind": "wristband"}).raise_for_status()
    page.get_by_role("link", name="未登记的设备").click()
    expect(page.locator("#main")).to_contain_text("先登记该设备")
    page.get_by_role("button", name="全部重试").click()
    expect(page.get_by_role("status").first).to_contain_text("已重试 2 条，没有新的拒收", timeout=10_000)
    expect(page.locator("tbody .pill", has_text="重试")).to_have_count(2)
    page.get_by_role("button", name="全部重试").click()
    expect(page.get_by_role("status").first).to_contain_text("没有可重试的消息")
    keep(page, "rejected-again")

    reader = staff("caregiver", "/devices")
    assert reader.get_by_role("link", name="拒收的消息").count() == 0
    reader.goto(f"{house.console_url}/devices/rejected")
    expect(reader.locator("#main")).to_contain_text("您的账号不能查看此页面")


def test_a_discovered_device_is_claimed_with_what_it_seems_to_be(staff: Staff, house: House) -> None:
    with house.client("admin") as api:
        api.post("/devices", json={"id": "gw-browser", "kind": "gateway"}).raise_for_status()
    heard = [{"ieee_address": "0x9", "friendly_name": "room 202/smoke", "type": "EndDevice"}]

    def found() -> list[dict[str, Any]]:
        house.publish("gw-browser/x/zigbee2mqtt/bridge/devices", heard)
        return listed(house, "/devices/discovered")

    until(found, "the gateway's device", 20)
    page = staff("admin", "/devices/discovered")
    page.locator("summary", has_text="认领并绑定").click()
    form = page.locator("details[open] form")
    assert form.get_by_label("或房间").input_value() == "202"
    form.get_by_label("新设备编号").fill("不行")
    form.get_by_label("新设备类型").select_option("smoke")
    form.get_by_role("button", name="认领并绑定").click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    assert form.get_by_label("新设备编号").input_value() == "不行"
    form.get_by_label("新设备编号").fill("smoke-202")
    keep(page, "discovered")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    form.get_by_role("button", name="认领并绑定").click()
    expect(page.locator(".found .pill.ok")).to_contain_text("smoke-202")
    with house.client("admin") as api:
        device = api.get("/devices/smoke-202").json()
        assert (device["kind"], device["room"]) == ("smoke", "202")
    page.locator("summary", has_text="更改认领").click()
    page.get_by_role("button", name="取消认领").click()
    expect(page.locator(".found .pill.warn")).to_be_visible()


def test_a_label_is_scanned_at_the_bedside_and_binds(staff: Staff, house: House) -> None:
    sheet = staff("admin", "/devices/labels?device=spare-a")
    expect(sheet.locator(".labels figure")).to_have_count(1)
    keep(sheet, "labels")
    assert (label_faults(sheet), contrast_faults(sheet)) == ([], [])

    page = staff("caregiver", "/devices/bind", **PHONE)
    expect(page.locator("anhu-scan")).to_contain_text("此浏览器不能识别二维码")
    keep(page, "bind-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_label("或输入设备编号").fill("nothing-1")
    page.get_by_role("button", name="查找").click()
    expect(page.get_by_role("alert").filter(has_text="没有登记设备")).to_be_visible()

    page.context.add_init_script(READER)
    page.goto(f"{house.console_url}/devices/bind")
    page.get_by_role("button", name="扫码").click()
    page.locator("anhu-scan video").wait_for()
    page.evaluate("window.code = 'https://elsewhere.example/?id=4'")
    expect(page.get_by_role("alert").filter(has_text="这不是设备标签")).to_be_visible()
    page.get_by_role("button", name="扫码").click()
    page.evaluate(f"window.code = '{house.console_url}/devices/bind?site=site-a&device=spare-a'")
    page.wait_for_url("**device=spare-a")
    expect(page.locator("#main")).to_contain_text("未绑定")
    form = page.locator(".detail form")
    form.get_by_role("button", name="绑定").click()
    expect(form.get_by_role("alert")).to_contain_text("resident_id or a room")
    form.get_by_label("老人").select_option(str(house.world.a.residents[1]))
    form.get_by_role("button", name="绑定").click()
    expect(page.locator("#main")).to_contain_text("现在服务：张老a2")
    keep(page, "bound-phone")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    page.get_by_role("button", name="解除绑定").click()
    expect(page.locator("#main")).to_contain_text("未绑定")
    page.goto(f"{house.console_url}/devices/bind?site=site-b&device=spare-b")
    expect(page.locator("#main")).to_contain_text("此标签属于另一机构")
    page.goto(f"{house.console_url}/devices/bind?device=spare-b")
    expect(page.locator("#main")).to_contain_text("没有登记设备")
