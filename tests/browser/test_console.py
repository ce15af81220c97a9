"""The console in a real browser, on real processes: an emergency from the wristband to the outcome."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import CLOCK, House, keep
from tests.browser.manners import contrast_faults, keyboard_faults, label_faults

ROW = "anhu-queue li"


def ready(page: Page, element: str) -> None:
    page.wait_for_selector(f"{element}[data-ready]", state="attached")


def test_who_is_not_signed_in_sees_the_form_and_nothing_else(browser: Browser, house: House) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{house.console_url}/desk?alert=x")
    assert page.url == f"{house.console_url}/signin?next=/desk%3Falert%3Dx"
    page.fill("#username", "caregiver-a")
    page.fill("#password", "wrong")
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_contain_text("用户名、密码或验证码不正确")
    assert page.input_value("#username") == "caregiver-a"
    assert page.input_value("#password") == ""
    keep(page, "signin")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    context.close()


def test_the_cookie_is_out_of_reach_of_scripts_and_sign_out_ends_it(staff, house: House) -> None:
    page = staff()
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "anhu_console"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert "anhu_console" not in page.evaluate("document.cookie")
    page.get_by_role("button", name=re.compile("退出")).click()
    page.wait_for_url(f"{house.console_url}/signin")
    page.goto(f"{house.console_url}/desk")
    assert "/signin" in page.url


def test_a_fall_comes_to_the_desk_and_is_answered_ended_and_told(staff, house: House) -> None:
    desk, other, board = staff("caregiver", "/desk"), staff("admin", "/desk"), staff("caregiver", "/")
    for page, element in ((desk, "anhu-queue"), (other, "anhu-queue"), (board, "anhu-board")):
        ready(page, element)
    began = CLOCK.monotonic()
    house.press("fall", "fall-1")
    desk.wait_for_selector(f"{ROW}.critical.open", timeout=10_000)
    took = CLOCK.monotonic() - began
    assert took < 2.0, f"the fall took {took:.2f} s to the desk"
    board.wait_for_selector(".card.critical", timeout=8_000)
    desk.wait_for_function("document.title.includes('紧急报警')")
    keep(desk, "desk-emergency")
    keep(board, "board-emergency")

    # Two tap at once: one has it, the other is told who, and nothing is done twice.
    other.locator(ROW).first.wait_for()
    desk.locator(f"{ROW} [data-act=acknowledge]").first.click()
    desk.wait_for_selector(f"{ROW}.acknowledged")
    _tap_late(other)
    expect(other.get_by_role("alert").filter(has_text="已于")).to_contain_text("caregiver a")
    other.wait_for_selector(f"{ROW}.acknowledged")
    keep(other, "desk-raced")

    desk.locator(f"{ROW} [data-act=arrive]").first.click()
    desk.wait_for_selector(f"{ROW}.on_site")
    _resolve(desk)
    desk.wait_for_selector(ROW, state="detached")
    expect(desk.locator("anhu-queue .notice")).to_be_visible()
    with house.client("caregiver") as api:
        (alert,) = api.get("/alerts").json()["items"]
        one = api.get(f"/alerts/{alert['id']}").json()
    assert (one["state"], one["outcome"], one["acknowledged_by"]["name"]) == ("resolved", "assisted", "caregiver a")
    assert [entry["kind"] for entry in one["timeline"]].count("acknowledged") == 1
    assert "扶起，无外伤" in one["timeline"][-1]["note"]


def _tap_late(page: Page) -> None:
    """A tap on a button that the screen still showed a moment ago: what the second of two sends."""
    page.evaluate(
        """() => {
            const queue = document.querySelector("anhu-queue"), id = queue.querySelector("li").dataset.id;
            queue.dispatchEvent(new CustomEvent("act", { detail: { id, action: "acknowledge", version: 1 } }));
        }"""
    )


def _resolve(page: Page) -> None:
    """Without an outcome it is refused, and what was typed stays."""
    page.locator(f"{ROW} [data-act=resolve]").first.click()
    form = page.locator("form.resolve")
    form.locator("textarea").fill("扶起，无外伤")
    form.locator("button[type=submit]").click()
    expect(page.get_by_role("alert").filter(has_text="请先选择处置结果")).to_be_visible()
    assert form.locator("textarea").input_value() == "扶起，无外伤"
    form.locator("input[value=assisted]").check()
    keep(page, "desk-resolve")
    form.locator("button[type=submit]").click()


def test_the_line_down_is_said_loudly_and_everything_comes_back(staff, house: House) -> None:
    page = staff("caregiver", "/desk")
    ready(page, "anhu-queue")
    house.roles["api"].kill()
    page.wait_for_selector("anhu-line.down", timeout=15_000)
    expect(page.locator("anhu-line")).to_contain_text("平台连接中断")
    keep(page, "line-down")
    house.roles["api"].start()
    page.wait_for_selector("anhu-line.down", state="detached", timeout=30_000)
    page.wait_for_function("!document.querySelector('anhu-line').classList.contains('down')")
    house.press("sos", "sos-after-restart", device=1)
    page.wait_for_selector(f"{ROW}.critical.open", timeout=10_000)

    # The console itself dies: the page says so, comes back by itself, and nobody signs in again.
    house.roles["console"].kill()
    page.wait_for_selector("anhu-line.down", timeout=15_000)
    expect(page.locator("anhu-line")).to_contain_text("与控制台的连接已断开")
    house.roles["console"].start()
    page.wait_for_function("!document.querySelector('anhu-line')?.classList.contains('down')", timeout=60_000)
    page.wait_for_selector(f"{ROW}.critical.open", timeout=20_000)
    assert page.url == f"{house.console_url}/desk"


def test_the_board_is_searched_by_pinyin_and_sifted(staff, house: House) -> None:
    page = staff()
    page.wait_for_selector("anhu-board[data-ready='2']", state="attached")
    page.fill("anhu-board input[type=search]", "zla1")
    assert page.locator(".card:visible").count() == 1
    page.fill("anhu-board input[type=search]", "202")
    expect(page.locator(".card:visible b").first).to_have_text("张老a2")
    page.fill("anhu-board input[type=search]", "nobody")
    expect(page.locator("anhu-board .notice")).to_be_visible()
    page.fill("anhu-board input[type=search]", "")
    page.locator("anhu-board [data-filter=notmonitored]").click()
    assert page.locator(".card.none:visible").count() == page.locator(".card:visible").count()


def test_manners_labels_contrast_and_keyboard_by_day_and_night(staff) -> None:
    for path, element in (("/", "anhu-board[data-ready]"), ("/desk", "anhu-queue[data-ready]"), ("/devices", ".sheet")):
        page = staff("caregiver", path)
        page.wait_for_selector(element, state="attached")
        name = path.strip("/") or "board"
        for dark in (False, True):
            if dark:
                page.locator("[data-dark]").click()
                page.wait_for_selector("body.body--dark", state="attached")
            assert (label_faults(page), contrast_faults(page)) == ([], []), f"{path} {'dark' if dark else 'light'}"
            keep(page, f"{name}-{'dark' if dark else 'light'}")
        assert keyboard_faults(page) == [], path


def test_a_device_tells_of_its_sensors_and_a_drill_is_announced(staff, house: House) -> None:
    page = staff("caregiver", "/devices")
    page.locator("[data-device=band-a1]").click()
    expect(page.locator(".detail h2")).to_have_text("band-a1")
    page.get_by_role("button", name=re.compile("开始演练")).click()
    expect(page.get_by_role("status").filter(has_text="演练至")).to_be_visible()
    keep(page, "device")
    house.press("sos", "drill-1")
    page.goto(f"{house.console_url}/desk")
    expect(page.locator("anhu-queue li").filter(has_text="演练").first).to_be_visible(timeout=10_000)


def test_english_alone_is_english(staff) -> None:
    page = staff("caregiver", "/desk")
    page.select_option("select[data-pref=anhu_lang]", "en")
    page.wait_for_function("document.querySelector('header')?.innerText.includes('Alert desk')")
    assert not re.search(r"[\u4e00-\u9fff]", page.locator("header nav").inner_text())
    assert page.evaluate("document.documentElement.lang") == "en-US"


def test_no_page_is_wider_than_a_phone(staff) -> None:
    for path, element in (("/", "anhu-board"), ("/desk", "anhu-queue")):
        page = staff("caregiver", path, viewport={"width": 360, "height": 740})
        ready(page, element)
        keep(page, f"{element}-phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_families_and_inspectors_are_led_to_their_own_pages(browser: Browser, house: House) -> None:
    for role, home in (("family", "/family"), ("regulator", "/inspector")):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{house.console_url}/signin")
        page.fill("#username", house.world.a.users[role].username)
        page.fill("#password", house.world.a.users[role].password)
        page.click("button[type=submit]")
        page.wait_for_url(f"{house.console_url}{home}")
        page.goto(f"{house.console_url}/desk")
        expect(page.locator("#main")).to_contain_text("您的账号不能查看此页面")
        context.close()
