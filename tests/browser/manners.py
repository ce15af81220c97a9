"""Manners of a page that a program can see: names for what is pressed, contrast of text, what the keyboard reaches.

Rules of WCAG 2.2: 4.1.2 and 1.3.1 (names), 1.4.3 (contrast), 2.1.1 and 2.4.7 (keyboard and its focus).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
STOPS_MAX = 60


def _ask(page: Page, question: str) -> Any:
    # Evaluated by the debugger, which the page's content policy does not bind.
    return page.evaluate(f"() => {{ {_SCRIPT} return manners.{question}(); }}")


def label_faults(page: Page) -> list[str]:
    """What can be pressed or filled in and has no name, pictures without a text, a page without language or main."""
    return list(_ask(page, "labels"))


def contrast_faults(page: Page) -> list[str]:
    """Texts whose contrast with what lies beneath is under 4.5, or 3 where they are large."""
    return list(_ask(page, "contrast"))


def keyboard_faults(page: Page) -> list[str]:
    """Whether the tabulator reaches as much as the mouse does, and shows where it is."""
    wanted = min(int(_ask(page, "reachable")), STOPS_MAX)
    # Begin at the first, wherever somebody clicked before.
    page.evaluate("document.querySelector('a[href], button').focus()")
    faults, stops = [], 1
    for _ in range(wanted - 1):
        page.keyboard.press("Tab")
        nowhere, visible, what = _ask(page, "focus")
        if nowhere:
            break
        stops += 1
        if not visible:
            faults.append(f"the focus cannot be seen on {what}")
    if stops < wanted:
        faults.append(f"the keyboard reaches {stops} of {wanted}")
    return faults
