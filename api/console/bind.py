"""Binding at the bedside: a scanned or typed code enters, whom the device serves leaves; and labels to print.

A label's QR code is this console's own address with the device in it, so that a telephone's camera opens the right
page by itself. The scanner of the page takes that, and a code that is a device's bare id.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import segno
from fastapi import Query
from nicegui import ui

from api.console.choices import choices_for
from api.console.client import Refused
from api.console.devices import DEVICES_MAX, pill, tabs, when
from api.console.entry import act, box, entry, field, refuse, select
from api.console.frame import View, asset, html, message, screen
from api.console.services import zone_of
from core.ids import DEVICE_PATTERN

Thing = dict[str, Any]
PAGE: Final = "/devices/bind"
LABELS_MAX: Final = 500


def device_of(code: str) -> tuple[str, str] | None:
    """(site, device) of a scanned code; the site is empty where the code is a bare id. None for a foreign code."""
    text = code.strip()
    try:
        given = parse_qs(urlsplit(text).query)
    except ValueError:
        return None
    if "device" in given:
        site, text = given.get("site", [""])[0], given["device"][0]
    else:
        site = ""
    return (site, text) if re.fullmatch(DEVICE_PATTERN, text) else None


@screen(PAGE, "bind.title")
async def bind(view: View, device: str = Query("", max_length=64), site: str = Query("", max_length=64)) -> None:
    """First which device, then whom it serves."""
    speech = view.speech
    ui.add_head_html(f'<script defer src="{asset("scan.js")}"></script>')
    html(f"<h1>{escape(speech('menu.devices'))}</h1>{tabs(view, PAGE)}", "div")
    with ui.element("div").classes("narrow"):
        told = ui.element("div").props("role=alert")
        _finder(view, told)
        mine = str((view.session.me.get("institution") or {}).get("site", ""))
        if site and site != mine:
            refuse(told, speech("bind.other_house", site=site))
        elif device:
            await _device(view, device, told)


def _finder(view: View, told: ui.element) -> None:
    speech = view.speech
    scan = ui.element("anhu-scan")
    scan.props["texts"] = speech.many("scan.")

    def go(code: str) -> None:
        found = device_of(code)
        if found is None:
            refuse(told, speech("bind.foreign", code=code[:64]))
            return
        ui.navigate.to(
            f"{PAGE}?{urlencode({'site': found[0], 'device': found[1]} if found[0] else {'device': found[1]})}"
        )

    scan.on("code", lambda event: go(str(event.args)), js_handler="(event) => emit(event.detail)")
    typed = {"id": ""}

    def draw() -> Callable[[], Thing]:
        with field(speech("bind.typed")):
            box("type=text maxlength=200 required autocomplete=off", "", lambda value: typed.__setitem__("id", value))
        return lambda: typed

    async def look(values: Thing) -> None:
        go(values["id"])

    entry(view, draw, speech("bind.look"), look)


async def _device(view: View, device: str, told: ui.element) -> None:
    speech = view.speech
    try:
        one = await view.get(f"/devices/{quote(device, safe='')}")
    except Refused as error:
        refuse(told, speech("bind.unknown", id=device) if error.status == 404 else view.explain(error))
        return
    choices = await choices_for(view, ("resident_id",))
    names = dict(choices.get("resident_id", ()))
    serves = names.get(str(one["resident_id"]), "") if one["resident_id"] else one["room"]
    state = (
        pill("ok", "✓", speech("bind.serves", whom=serves)) if serves else pill("warn", "○", speech("devices.unbound"))
    )
    with ui.element("section").classes("detail still"):
        heard = f"{speech('devices.heard')} {when(one['last_seen'], zone_of(view))}"
        facts = " · ".join((speech.name(one["kind_name"]), one["id"], heard))
        html(f"<h2>{escape(one['name'] or one['id'])}</h2><p>{escape(facts)}</p><p>{state}</p>", "div")
        put = {"resident_id": "", "room": ""}

        def draw() -> Callable[[], Thing]:
            with field(speech("field.resident_id")):
                options = [("", speech("bind.nobody")), *choices.get("resident_id", ())]
                select(options, "", lambda value: put.__setitem__("resident_id", value))
            with field(speech("bind.room")):
                box("type=text maxlength=100", "", lambda value: put.__setitem__("room", value.strip()))
            return lambda: {name: value for name, value in put.items() if value}

        async def save(body: Thing) -> None:
            await view.send("POST", f"/devices/{device}/bind", body)
            ui.navigate.to(f"{PAGE}?{urlencode({'device': device})}")

        async def release() -> None:
            await view.send("POST", f"/devices/{device}/unbind")
            ui.navigate.to(f"{PAGE}?{urlencode({'device': device})}")

        entry(view, draw, speech("bind.change" if serves else "bind.bind"), save)
        if serves:
            problem = ui.element("div").props("role=alert")
            act(view, speech("bind.release"), problem, release)


@screen("/devices/labels", "labels.title")
async def labels(view: View, device: str = Query("", max_length=64)) -> None:
    """A sheet of labels to print, of all devices or of one."""
    speech = view.speech
    found = await view.pages("/devices", most=DEVICES_MAX, limit=500)
    kept = [one for one in found if not one["retired_at"] and device in ("", one["id"])][:LABELS_MAX]
    if not kept:
        message(speech("devices.none"))
        return
    site = str((view.session.me.get("institution") or {}).get("site", ""))
    base = str(view.request.base_url).rstrip("/")
    html(
        f"<div class='board-bar'><h1>{escape(speech('labels.title'))}</h1>{tabs(view, '/devices/labels')}"
        f"<p class='soft'>{escape(speech('labels.hint', address=base))}</p></div>"
        f"<div class='labels'>{''.join(_label(one, base, site, view) for one in kept)}</div>",
        "div",
    )


def _label(one: Thing, base: str, site: str, view: View) -> str:
    address = f"{base}{PAGE}?{urlencode({'site': site, 'device': one['id']})}"
    picture = segno.make(address, error="m").svg_inline(border=2, light="#fff", omitsize=True)
    kind = view.speech.name(one["kind_name"])
    name = f"<b>{escape(one['name'])}</b>" if one["name"] else ""
    return (
        f"<figure><span role='img' aria-label='{escape(view.speech('labels.code', id=one['id']))}'>{picture}</span>"
        f"<figcaption>{name}<span>{escape(kind)}</span><code>{escape(one['id'])}</code></figcaption></figure>"
    )
