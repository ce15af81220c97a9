"""The house itself in a real browser: beds and complaints for who may change them, lists for who may not."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House, keep
from tests.browser.manners import contrast_faults, label_faults

Staff = Callable[..., Page]


@pytest.fixture(autouse=True)
def described(house: House) -> None:
    """The API has described itself, and the console has read it: forms are drawn from that."""
    with httpx.Client(base_url=house.api_url, timeout=120, trust_env=False) as client:
        client.get("/openapi.json").raise_for_status()


def test_a_bed_is_added_by_an_administrator_and_a_complaint_is_taken_up(staff: Staff, house: House) -> None:
    with house.client("admin") as api:
        room = api.post("/institution/rooms", json={"building": "1", "floor": "2", "name": "208"})
        assert room.status_code == 201, room.text
        made = api.post("/institution/beds", json={"room_id": room.json()["id"], "label": "208-1", "type": "nursing"})
        assert made.status_code == 201, made.text
        body = {"title": "午餐凉了", "text": "送到时已凉", "topic": "food", "caller": "王女士"}
        complaint = api.post("/institution/complaints", json=body)
        assert complaint.status_code == 201, complaint.text
    page = staff("admin", "/institution")
    expect(page.locator("#main")).to_contain_text("208-1")
    expect(page.locator("details.action summary")).to_have_count(2)
    page.locator("details.action summary").first.click()
    keep(page, "institution-beds")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    page.goto(f"{house.console_url}/institution?tab=complaints")
    page.locator("table.sheet a").first.click()
    expect(page.locator("h1 .pill")).to_be_visible()
    page.locator("details.action summary").filter(has_text="受理").first.click()
    keep(page, "institution-complaint")
    assert (label_faults(page), contrast_faults(page)) == ([], [])
    page.locator("details.action[open] button[type=submit]").click()
    expect(page.locator("h1 .pill")).to_contain_text("已受理")
    helper = staff("caregiver", "/institution")
    expect(helper.locator("#main")).to_contain_text("208-1")
    expect(helper.locator("details.action")).to_have_count(0)
    for tab in ("stays", "staff", "licences", "incidents", "items", "bills"):
        helper.goto(f"{house.console_url}/institution?tab={tab}")
        expect(helper.locator(".tabs [aria-current=page]")).to_be_visible()
        expect(helper.locator("#main")).not_to_contain_text("Not found")
