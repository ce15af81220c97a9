"""What the rules of axe-core find on a page: a page enters, its serious and critical findings leave as lines.

The rules come from the wheel `axe-playwright-python` (axe-core, MPL 2.0); where it is not installed, tests skip.
"""

from __future__ import annotations

from importlib import resources
from importlib.util import find_spec
from typing import Any, Final

import pytest
from playwright.sync_api import Page

PACKAGE: Final = "axe_playwright_python"
IMPACTS: Final = ("serious", "critical")
_RUN: Final = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"],
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return found.violations.map((one) => ({ id: one.id, impact: one.impact, help: one.help,
        nodes: one.nodes.map((node) => [node.target.join(" "), node.html.slice(0, 160), node.any[0]?.message || ""]
            .join(" ")) }));
}"""


def rules() -> str:
    """The script of axe-core. Skips the test where its wheel is not installed."""
    if find_spec(PACKAGE) is None:
        pytest.skip("axe-core is not installed: pip install axe-playwright-python")
    return resources.files(PACKAGE).joinpath("axe.min.js").read_text(encoding="utf-8")


def serious_faults(page: Page, script: str) -> list[str]:
    """Serious and critical findings, one a line with the first places where they are."""
    # Evaluated by the debugger, which the page's content policy does not bind.
    page.evaluate(script)
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {'; '.join(one['nodes'][:3])}"
        for one in found
        if one["impact"] in IMPACTS
    ]
