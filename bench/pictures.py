"""`python -m bench.pictures`: a running demo enters, the pictures of the README leave.

The demo should have run for a quarter of an hour, so that there are trends to see. A fall is played on one of the two
residents that are nobody's; it stands on the desk as it would for a person on duty.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from playwright.sync_api import Page, sync_playwright

from core.errors import Misconfigured

TARGET: Final = Path(__file__).parents[1] / "docs" / "pictures"
BYTES_MAX: Final = 300 * 1024
WIDTH, HEIGHT = 1360, 860
FALL_SECONDS: Final = 90
ALERT_MS_MAX: Final = 120_000


def main(data_dir: Annotated[Path, typer.Option(help="Of the running `anhu up --demo`.")] = Path("anhu-data")) -> None:
    """Make docs/pictures/board.png and desk.png."""
    credentials = data_dir / "demo.json"
    path = shutil.which("chromium")
    if path is None or not credentials.exists():
        raise Misconfigured("needs chromium, and a running demo: make demo, wait a quarter of an hour, make pictures")
    demo = json.loads(credentials.read_text(encoding="utf-8"))
    TARGET.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=arguments)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        _sign_in(page, demo)
        command = [
            sys.executable, "-m", "cli", "simulate", "--scenario", "fall", "--first", "8", "--residents", "2",
            "--credentials", str(credentials), "--duration", str(FALL_SECONDS),
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as fall:
            page.goto(f"{demo['api']}/desk")
            page.wait_for_selector("anhu-queue li.critical.open", timeout=ALERT_MS_MAX)
            page.locator("anhu-queue li.critical.open .what").click()
            page.wait_for_selector(".detail .plot")
            page.wait_for_timeout(1500)
            _keep(page, "desk")
            page.goto(f"{demo['api']}/")
            page.wait_for_selector("anhu-board .card.critical")
            page.wait_for_timeout(1500)
            _keep(page, "board")
            fall.terminate()
        browser.close()


def _sign_in(page: Page, demo: dict[str, Any]) -> None:
    account = demo["users"]["caregiver"]
    page.goto(f"{demo['api']}/signin")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    page.wait_for_selector("anhu-board .card")


def _keep(page: Page, name: str) -> None:
    path = TARGET / f"{name}.png"
    page.screenshot(path=path)
    if path.stat().st_size > BYTES_MAX:
        raise Misconfigured(f"{path} is larger than {BYTES_MAX} bytes")
    typer.echo(str(path))


if __name__ == "__main__":
    typer.run(main)
