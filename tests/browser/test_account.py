"""The own account in a real browser: a password to change, a second factor from its QR code to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.ids import new_id
from tests.browser.conftest import CLOCK, House, keep
from tests.browser.manners import contrast_faults, keyboard_faults, label_faults

Enter = Callable[..., Page]
FIRST = "the first one that was handed out"
OWN = "a long sentence of my own choice"


@dataclass(slots=True)
class Newcomer:
    """An account that nobody has used yet."""

    username: str
    enter: Callable[..., Page]


@pytest.fixture
def newcomer(browser: Browser, house: House) -> Iterator[Newcomer]:
    """A caregiver who must set a password of their own, and a way in."""
    username = f"new-{new_id(CLOCK)}"
    with house.client("admin") as api:
        body = {
            "username": username,
            "password": FIRST,
            "role": "caregiver",
            "name": "新来的",
            "must_change_password": True,
        }
        api.post("/users", json=body).raise_for_status()
    contexts: list[BrowserContext] = []

    def enter(password: str, **context: object) -> Page:
        contexts.append(browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | context)))
        page = contexts[-1].new_page()
        page.goto(f"{house.console_url}/signin")
        sign_in(page, username, password)
        return page

    yield Newcomer(username, enter)
    for one in contexts:
        one.close()


def sign_in(page: Page, username: str, password: str, code: str = "") -> None:
    page.fill("#username", username)
    page.fill("#password", password)
    if code:
        page.fill("#otp", code)
    page.click("button[type=submit]")


def change(page: Page, current: str, new: str, repeat: str) -> None:
    page.get_by_label("现在的密码").first.fill(current)
    page.get_by_label("新密码", exact=False).first.fill(new)
    page.get_by_label("再输一次新密码").fill(repeat)
    page.get_by_role("button", name="修改密码").click()


def test_whoever_owes_a_password_gets_no_further_and_is_let_in_with_it(newcomer: Newcomer, house: House) -> None:
    page = newcomer.enter(FIRST, viewport={"width": 390, "height": 844})
    page.wait_for_url("**/account")
    expect(page.get_by_role("alert").filter(has_text="请先设置您自己的密码")).to_be_visible()
    assert page.locator("header nav a").count() == 0
    page.goto(f"{house.console_url}/desk")
    page.wait_for_url("**/account")
    keep(page, "account-owes-phone")
    assert (label_faults(page), contrast_faults(page), keyboard_faults(page)) == ([], [], [])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    change(page, FIRST, OWN, OWN + "!")
    expect(page.get_by_role("alert").filter(has_text="不一样")).to_be_visible()
    change(page, FIRST, "password1234", "password1234")
    expect(page.get_by_role("alert").filter(has_text="one that many people use")).to_be_visible()
    assert page.get_by_label("现在的密码").first.input_value() == FIRST
    change(page, FIRST, OWN, OWN)
    page.wait_for_url("**/signin?changed=1")
    expect(page.get_by_role("status")).to_contain_text("密码已修改")
    sign_in(page, newcomer.username, OWN)
    page.wait_for_url(f"{house.console_url}/")


def test_a_second_factor_from_its_picture_to_its_end(newcomer: Newcomer, house: House) -> None:
    page = newcomer.enter(FIRST)
    page.wait_for_url("**/account")
    change(page, FIRST, OWN, OWN)
    page.wait_for_url("**/signin?changed=1")
    sign_in(page, newcomer.username, OWN)
    page.locator("a.who").click()
    page.locator("summary", has_text="动态验证码").click()
    form = page.locator("details[open] form")
    form.get_by_label("现在的密码").fill("not it")
    form.get_by_role("button", name="开始设置").click()
    expect(form.get_by_role("alert")).to_contain_text("present password is not right")
    form.get_by_label("现在的密码").fill(OWN)
    form.get_by_role("button", name="开始设置").click()
    expect(page.get_by_role("img", name="验证器的二维码")).to_be_visible()
    assert page.get_by_role("img", name="验证器的二维码").evaluate("(one) => one.complete && one.naturalWidth > 100")
    keep(page, "account-otp")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    factor = pyotp.TOTP(page.locator(".secret code").inner_text())
    form.get_by_label("6 位数字").fill("000000" if factor.now() != "000000" else "111111")
    form.get_by_role("button", name="启用").click()
    expect(form.get_by_role("alert")).to_contain_text("the code is not right")
    form.get_by_label("6 位数字").fill(factor.now())
    form.get_by_role("button", name="启用").click()
    expect(page.locator(".codes code")).to_have_count(10)
    codes = page.locator(".codes code").all_inner_texts()
    keep(page, "account-codes")
    page.get_by_role("link", name="我已保存").click()

    page.get_by_role("button", name="退出").click()
    sign_in(page, newcomer.username, OWN)
    expect(page.locator("#otp")).to_be_visible()
    sign_in(page, newcomer.username, OWN, codes[0])
    page.wait_for_url(f"{house.console_url}/")
    page.goto(f"{house.console_url}/account")
    page.locator("summary", has_text="动态验证码").first.click()
    expect(page.locator("details[open]")).to_contain_text("剩余备用码 9 个")
    page.locator("summary", has_text="停用动态验证码").click()
    remove = page.locator("details[open] details[open] form")
    remove.get_by_label("现在的密码").fill(OWN)
    remove.get_by_label("6 位数字或备用码").fill(codes[1])
    remove.get_by_role("button", name="停用动态验证码").click()
    expect(page.locator("details[open]").first).to_contain_text("未启用")


def test_who_must_have_a_second_factor_is_led_to_it(newcomer: Newcomer, house: House) -> None:
    page = newcomer.enter(FIRST)
    page.wait_for_url("**/account")
    change(page, FIRST, OWN, OWN)
    page.wait_for_url("**/signin?changed=1")
    sign_in(page, newcomer.username, OWN)
    page.wait_for_url(f"{house.console_url}/")
    with house.client("admin") as api:
        api.put("/security-settings", json={"otp_roles": ["caregiver"]}).raise_for_status()
        try:
            # Demanded while somebody works: the next page leads to it.
            page.goto(f"{house.console_url}/rota")
            page.wait_for_url("**/account")
            expect(page.get_by_role("alert").filter(has_text="机构要求此账号使用动态验证码")).to_be_visible()
            page.get_by_label("现在的密码").last.fill(OWN)
            page.get_by_role("button", name="开始设置").click()
            page.get_by_label("6 位数字").fill(pyotp.TOTP(page.locator(".secret code").inner_text()).now())
            page.get_by_role("button", name="启用").click()
            expect(page.locator(".codes code")).to_have_count(10)
            page.goto(f"{house.console_url}/rota")
            expect(page.locator("#main h1")).to_contain_text("排班")
        finally:
            api.put("/security-settings", json={"otp_roles": []}).raise_for_status()
