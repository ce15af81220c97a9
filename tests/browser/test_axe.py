"""Every page of the console, the family and the inspector under the rules of axe-core: nothing serious or critical."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Browser, Page

from api.console.frame import DARK_COOKIE
from tests.browser.axe import rules, serious_faults
from tests.browser.conftest import PHONE, House

Enter = Callable[..., Page]
CONSOLE = (
    "/", "/desk", "/devices", "/devices/bind", "/devices/labels", "/devices/discovered", "/devices/rejected",
    "/services", "/services/daily-living", "/services/daily-living/orders/new", "/calendar", "/rota", "/rota/plans",
    "/kpi", "/account", "/institution", "/institution?tab=stays", "/institution?tab=staff", "/institution?tab=bills",
    "/residents/{resident}", "/residents/{resident}?span=month",
)  # fmt: skip
_PERSON = "/residents/{resident}"
FAMILY = ("", "/alerts", "/notices", *(f"{_PERSON}/{name}" for name in ("vitals", "services", "away", "consents")))
INSPECTOR = ("", "/response", "/indicators/nursing_beds")


@pytest.fixture(scope="module")
def script() -> str:
    return rules()


def faults_of(page: Page, script: str, base: str, paths: tuple[str, ...], house: House) -> list[str]:
    """What is found on any of these pages, with the path before it."""
    found = []
    for path in paths:
        filled = path.format(resident=house.world.a.residents[0])
        page.goto(f"{base}{filled}")
        page.wait_for_load_state("networkidle")
        found += [f"{path}: {fault}" for fault in serious_faults(page, script)]
    return found


@pytest.mark.parametrize("dark", ["0", "1"], ids=["light", "dark"])
def test_the_console_has_no_serious_finding(script: str, staff: Enter, house: House, dark: str) -> None:
    with httpx.Client(base_url=house.api_url, timeout=120, trust_env=False) as client:
        client.get("/openapi.json").raise_for_status()  # forms are drawn from it
    page = staff("admin")
    page.context.add_cookies([{"name": DARK_COOKIE, "value": dark, "url": house.console_url}])
    assert faults_of(page, script, house.console_url, CONSOLE, house) == []


def test_the_way_in_has_no_serious_finding(script: str, browser: Browser, house: House) -> None:
    context = browser.new_context()
    ways = (f"{house.console_url}/signin", f"{house.api_url}/family/sign-in", f"{house.api_url}/inspector/sign-in")
    faults = [fault for way in ways for fault in faults_of(context.new_page(), script, way, ("",), house)]
    context.close()
    assert faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("role", "prefix", "paths"), [("family", "/family", FAMILY), ("regulator", "/inspector", INSPECTOR)]
)
def test_the_pages_have_no_serious_finding(
    script: str, enter: Enter, house: House, role: str, prefix: str, paths: tuple[str, ...], scheme: str
) -> None:
    page = enter(role, prefix, viewport=PHONE, color_scheme=scheme)
    assert faults_of(page, script, f"{house.api_url}{prefix}", paths, house) == []


def test_the_rules_do_find_what_is_wrong(script: str, browser: Browser) -> None:
    page = browser.new_page()
    faulty = '<h1>x</h1><input><p style="color: #ccc">hardly to be read</p>'
    page.set_content(f'<html lang="zh-CN"><title>x</title><main>{faulty}</main></html>')
    found = {fault.split(" ")[0] for fault in serious_faults(page, script)}
    page.close()
    assert found == {"label", "color-contrast"}
