"""Devices: every device of the house enters with its checks; a list, the silent first, and one device in full leave."""

from __future__ import annotations

import asyncio
from datetime import datetime
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from nicegui import ui

from api.console.client import ConsoleError
from api.console.frame import SCREENS, View, html, message, screen
from api.console.house import Thing
from api.console.texts import Speech

DEVICES_MAX: Final = 5_000
DRILL_MINUTES: Final = 15
_PICK: Final = "(event) => { const one = event.target.closest('[data-device]'); if (one) emit(one.dataset.device); }"


@screen("/devices", "menu.devices", icon="device", order=3)
async def devices(view: View) -> None:
    """What is silent, what has to be tried, and how each sensor fares."""
    found, due = await asyncio.gather(
        view.pages("/devices", most=DEVICES_MAX, limit=500), view.pages("/devices/checks", most=DEVICES_MAX, limit=500)
    )
    checks = {one["device"]: one for one in due}
    kept = sorted((one for one in found if not one["retired_at"]), key=lambda one: _order(one, checks))
    html(f"<h1>{escape(view.speech('menu.devices'))} <small>{len(kept)}</small></h1>{tabs(view, '/devices')}", "div")
    if not kept:
        message(view.speech("devices.none"))
        return
    with ui.element("div").classes("desk"):
        table = html(_table(kept, checks, view), "section")
        card = DeviceCard(view, checks)
    table.on("click", card.pick, js_handler=_PICK)


def tabs(view: View, here: str) -> str:
    """The pages about devices that this account may see."""
    pages = (
        ("/devices", "devices.title"),
        ("/devices/bind", "bind.title"),
        ("/devices/discovered", "found.title"),
        ("/devices/rejected", "rejected.title"),
        ("/devices/labels", "labels.title"),
    )
    links = "".join(
        f"<a href='{path}'{' aria-current=page' if path == here else ''}>{escape(view.speech(title))}</a>"
        for path, title in pages
        if view.session.role in SCREENS[path].roles
    )
    return f"<nav class='tabs' aria-label='{escape(view.speech('menu.devices'))}'>{links}</nav>"


def _order(one: Thing, checks: dict[str, Thing]) -> tuple[bool, bool, bool, str]:
    """Silent before overdue before the rest; what serves nobody last."""
    serves = bool(one["resident_id"] or one["room"])
    return not serves, not one["silent"], not checks.get(one["id"], {}).get("overdue", False), one["id"]


def _table(rows: list[Thing], checks: dict[str, Thing], view: View) -> str:
    speech, zone = view.speech, ZoneInfo(view.console.settings.timezone)
    head = "".join(
        f"<th scope='col'>{escape(speech(f'devices.{name}'))}</th>" for name in ("device", "state", "heard", "check")
    )
    body = []
    for one in rows:
        name = one["name"] or one["room"] or one["id"]
        body.append(
            f"<tr><td><button type='button' data-device='{escape(one['id'])}'><b>{escape(name)}</b></button><br>"
            f"<small>{escape(speech.name(one['kind_name']))} · {escape(one['id'])}</small></td>"
            f"<td>{_state(one, speech)}</td><td>{escape(when(one['last_seen'], zone))}</td>"
            f"<td>{_check(checks.get(one['id']), zone, speech)}</td></tr>"
        )
    return f"<table class='sheet'><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _state(one: Thing, speech: Speech) -> str:
    if not (one["resident_id"] or one["room"]):
        return pill("", "○", speech("devices.unbound"))
    if one["silent"]:
        return pill("bad", "⊘", speech("devices.silent"))
    return pill("ok", "✓", speech("devices.ok")) if one["last_seen"] else pill("warn", "…", speech("devices.never"))


def _check(check: Thing | None, zone: ZoneInfo, speech: Speech) -> str:
    if check is None:
        return "—"
    told = pill("bad", "!", speech("devices.overdue")) if check["overdue"] else ""
    return f"{told} {escape(when(check['due_at'], zone, day=True))}"


def pill(kind: str, sign: str, text: str) -> str:
    """A word with its sign; the colour only repeats it."""
    return f"<span class='pill {kind}'><span aria-hidden='true'>{sign}</span> {escape(text)}</span>"


def when(moment: str | None, zone: ZoneInfo, *, day: bool = False) -> str:
    """A moment in local time; a dash where there is none."""
    if moment is None:
        return "—"
    return datetime.fromisoformat(moment).astimezone(zone).strftime("%Y-%m-%d" if day else "%m-%d %H:%M:%S")


class DeviceCard:
    """One device: its sensors, its battery, the checks that were made, and a drill to announce."""

    def __init__(self, view: View, checks: dict[str, Thing]) -> None:
        self._view = view
        self._checks = checks
        self._zone = ZoneInfo(view.console.settings.timezone)
        with ui.element("aside").classes("detail").props(f'aria-label="{escape(view.speech("devices.card"))}"'):
            self._told = ui.element("div").props("role=status")
            self._body = ui.element("div")
        with self._body:
            message(view.speech("devices.pick"))

    async def pick(self, event: Any) -> None:
        """Show the device whose name was pressed."""
        await self._show(str(event.args))

    async def _show(self, device: str) -> None:
        view = self._view
        self._told.clear()
        try:
            health, made = await asyncio.gather(
                view.get(f"/devices/{device}/health"), view.pages(f"/devices/{device}/checks", most=10, limit=10)
            )
        except ConsoleError as error:
            self._tell(view.explain(error), "bad")
            return
        self._body.clear()
        with self._body:
            html(self._sheet(device, health, made), "div")
            if device in self._checks:
                with ui.element("button").props("type=button").classes("primary") as button:
                    html(escape(view.speech("devices.drill", n=DRILL_MINUTES)))
                button.on("click", lambda: self._drill(device))

    async def _drill(self, device: str) -> None:
        try:
            drill = await self._view.send("POST", f"/devices/{device}/drill", {"minutes": DRILL_MINUTES})
        except ConsoleError as error:
            self._tell(self._view.explain(error), "bad")
            return
        self._tell(self._view.speech("devices.drilling", time=when(drill["closes_at"], self._zone)), "calm")

    def _tell(self, text: str, kind: str) -> None:
        self._told.clear()
        with self._told, ui.element("p").classes(f"notice {kind}"):
            html(escape(text))

    def _sheet(self, device: str, health: Thing, made: list[Thing]) -> str:
        speech = self._view.speech
        battery = f"{health['battery']:.0f} %" if health["battery"] is not None else "—"
        facts = (
            (speech("devices.heard"), when(health["last_seen"], self._zone)),
            (speech("devices.sampled"), when(health["last_sample"], self._zone)),
            (speech("devices.battery"), battery),
        )
        sensors = "".join(
            f"<tr><td>{escape(one['metric'])}</td><td>{escape(when(one['last_sample'], self._zone))}</td>"
            f"<td>{self._sensor(one['state'])}</td></tr>"
            for one in health["metrics"]
        )
        history = "".join(
            f"<li><time>{escape(when(one['done_at'], self._zone, day=True))}</time><span>"
            f"{escape(speech('devices.' + one['result']))} · {escape(one['note'] or one['how'])}</span></li>"
            for one in made
        )
        return (
            f"<h2>{escape(device)}</h2>"
            f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(text)}</dd>' for name, text in facts)}</dl>"
            f"<h3>{escape(speech('devices.sensors'))}</h3><table class='sheet'><tbody>{sensors}</tbody></table>"
            f"<h3>{escape(speech('devices.checks'))}</h3><ol class='steps'>{history or '<li>—</li>'}</ol>"
        )

    def _sensor(self, state: str) -> str:
        kind, sign = {"ok": ("ok", "✓"), "silent": ("bad", "⊘"), "never": ("warn", "…")}.get(state, ("", "○"))
        return pill(kind, sign, self._view.speech(f"devices.sensor.{state}"))
