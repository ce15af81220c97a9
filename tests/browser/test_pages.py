"""The pages of families and inspectors in a real browser: a narrow telephone, no scripts, large type, print."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, PICTURES, House, keep
from tests.browser.manners import contrast_faults, keyboard_faults, label_faults

Enter = Callable[..., Page]


def is_narrow(page: Page) -> bool:
    """Whether nothing stands out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_daughter_far_away_answers_an_alert_on_her_telephone(enter: Enter, house: House) -> None:
    page = enter("family", "/family")
    house.press("sos", "pages-1")
    page.wait_for_timeout(2000)
    page.reload()
    expect(page.locator("h1").first).to_contain_text("紧急呼叫")
    keep(page, "family-alarm")
    assert is_narrow(page)
    assert (label_faults(page), contrast_faults(page), keyboard_faults(page)) == ([], [], [])
    page.get_by_role("link", name=re.compile("查看与响应")).click()
    page.fill("#note", "我十分钟到")
    page.get_by_role("button", name=re.compile("我来处理")).click()
    expect(page.locator("main")).to_contain_text("正在处理")
    expect(page.locator("main")).to_contain_text("我十分钟到")
    keep(page, "family-alert")
    assert (is_narrow(page), label_faults(page), contrast_faults(page)) == (True, [], [])
    with house.client("caregiver") as staff:
        for alert in staff.get("/alerts", params={"state": ["open", "acknowledged", "on_site"]}).json()["items"]:
            staff.post(f"/alerts/{alert['id']}/resolve", json={"outcome": "assisted"})


def test_every_page_fits_a_telephone_also_with_large_type_and_without_scripts(enter: Enter, house: House) -> None:
    page = enter("family", "/family", java_script_enabled=False)
    base = f"{house.api_url}/family/residents/{house.world.a.residents[0]}"
    for name in ("vitals", "services", "away", "consents"):
        page.goto(f"{base}/{name}")
        expect(page.locator("h1")).to_be_visible()
        assert page.locator("main").bounding_box()["width"] <= PHONE["width"], name
        keep(page, f"family-{name}")
    scripted = enter("family", "/family", viewport={"width": 320, "height": 640})
    for name in ("vitals", "services", "away", "consents"):
        scripted.goto(f"{base}/{name}")
        # Half of a 640 pixel window: what 200 % zoom leaves.
        assert is_narrow(scripted), name
        assert (label_faults(scripted), contrast_faults(scripted)) == ([], []), name


def test_nothing_is_loaded_from_elsewhere_and_the_first_load_is_light(enter: Enter, house: House) -> None:
    page = enter("family", "/family")
    asked: list[str] = []
    size = 0

    def count(response: Any) -> None:
        nonlocal size
        asked.append(response.url)
        size += len(response.body())

    page.on("response", count)
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.reload()
    page.wait_for_load_state("networkidle")
    assert len(asked) >= 2
    assert all(url.startswith(house.api_url) for url in asked)
    assert size <= 100 * 1024
    assert troubles == [], "the content policy was in the way of something"


def test_an_inspector_reads_and_prints(enter: Enter, house: House) -> None:
    page = enter("regulator", "/inspector", viewport={"width": 1280, "height": 900})
    expect(page.locator("h1")).to_contain_text("监管指标")
    keep(page, "inspector")
    assert (label_faults(page), contrast_faults(page), keyboard_faults(page)) == ([], [], [])
    PICTURES.mkdir(parents=True, exist_ok=True)
    assert page.pdf(path=PICTURES / "inspector.pdf", prefer_css_page_size=True)[:4] == b"%PDF"
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("XLSX")).click()
    assert download.value.suggested_filename.endswith(".xlsx")
    page.get_by_role("link", name=re.compile("护理型床位")).first.click()
    expect(page.locator("h1")).to_contain_text("护理型床位")


def test_a_resident_and_the_figures_in_the_console(staff: Enter, house: House) -> None:
    resident = house.world.a.residents[0]
    with house.client("caregiver") as api:
        area = {"name": "后院", "corners": [[29.563, 106.551]], "radius_m": 300}
        assert api.post(f"/residents/{resident}/fences", json=area).status_code == 201
    page = staff("caregiver", f"/residents/{resident}")
    expect(page.locator("#main h1")).to_have_text("张老a1")
    expect(page.locator("#main")).to_contain_text("生命体征")
    expect(page.locator("#main")).not_to_contain_text("Not found")
    expect(page.locator("svg.map .fence-name")).to_have_text("后院")
    expect(page.locator("#main")).to_contain_text("没有家属获准查看位置")
    expect(page.locator("#main")).to_contain_text("床垫传感器近 14 晚没有数据")
    keep(page, "resident")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    page.goto(f"{house.console_url}/kpi")
    expect(page.locator("#main h1")).to_contain_text("报警响应指标")
    keep(page, "kpi")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    report = page.request.get(f"{house.console_url}{page.get_by_text('导出 CSV').get_attribute('href')}")
    assert report.status == 200
    assert "attachment" in report.headers["content-disposition"]
    page.goto(f"{house.console_url}/residents/{house.world.b.residents[0]}")
    expect(page.locator("#main")).to_contain_text("未找到")
