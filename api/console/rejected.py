"""Refused messages: the API's list enters; reasons in plain words leave, with a second try once they are mended."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any, Final
from urllib.parse import quote

from fastapi import Query
from nicegui import ui

from api.console.client import ConsoleError
from api.console.devices import pill, tabs, when
from api.console.entry import refuse
from api.console.frame import View, html, screen
from api.console.services import zone_of

Thing = dict[str, Any]
SHOWN: Final = 100
EXCERPT_CHARS: Final = 160
SETTLE_SECONDS: Final = 2.0
"""After so long ingest has looked at what was sent through it once more."""
HINTS: Final = ("unknown_device", "unmapped_device", "other_device", "wrong_site", "unknown_metric", "not_json")
_PICK: Final = "(event) => { const one = event.target.closest('[data-again]'); if (one) emit(one.dataset.again); }"


@screen("/devices/rejected", "rejected.title", roles=("admin",))
async def rejected(view: View, reason: str = Query("", max_length=64), device: str = Query("", max_length=64)) -> None:
    """What was refused, by reason, and a second try."""
    speech = view.speech
    html(f"<h1>{escape(speech('menu.devices'))}</h1>{tabs(view, '/devices/rejected')}", "div")
    told = ui.element("div").props("role=status")
    body = ui.element("div")
    page = Rejected(view, told, body, {"reason": reason, "device": device})
    await page.draw()


class Rejected:
    """The list of one reason and device, or of all."""

    def __init__(self, view: View, told: ui.element, body: ui.element, only: dict[str, str]) -> None:
        self._view = view
        self._told = told
        self._body = body
        self._only = {name: value for name, value in only.items() if value}
        self._newest = 0
        self._events = False

    async def draw(self) -> None:
        """Read the list anew."""
        view = self._view
        rows = await view.pages("/rejections", most=SHOWN, limit=SHOWN, **self._only)
        seen = rows if not self._only else await view.pages("/rejections", most=SHOWN, limit=SHOWN)
        self._newest = max((one["id"] for one in (*rows, *seen)), default=0)
        self._body.clear()
        with self._body:
            reasons = sorted(
                {one["reason"] for one in seen} | ({self._only["reason"]} if "reason" in self._only else set())
            )
            html(_filters(reasons, self._only, view), "nav").classes("tabs small")
            if self._only:
                self._all()
            if not rows:
                html(f"<p class='notice calm'>✓ {escape(view.speech('rejected.none'))}</p>", "div")
                return
            table = html(_table(rows, view), "div").classes("wide")
            table.on("click", self._one, js_handler=_PICK)

    def _all(self) -> None:
        """Everything that fits the filter, once more."""
        speech = self._view.speech
        hint = f"rejected.hint.{self._only.get('reason')}"
        if self._only.get("reason") in HINTS:
            html(f"<p class='notice'>ⓘ {escape(speech(hint))}</p>", "div")
        with ui.element("div").classes("row"):
            with ui.element("button").props("type=button").classes("primary") as button:
                html(escape(f"⟳ {speech('rejected.all')}"))
            button.on("click", lambda: self._replay(dict(self._only), events=self._events))
            with ui.element("label").classes("check"):
                box = ui.element("input").props("type=checkbox")
                html(escape(speech("rejected.events")))
            box.on("change", self._tick, js_handler="(event) => emit(event.target.checked)")

    def _tick(self, event: Any) -> None:
        self._events = bool(event.args)

    async def _one(self, event: Any) -> None:
        # A message that somebody chose by itself is meant, also where it is an event.
        await self._replay({"ids": [int(event.args)]}, events=True)

    async def _replay(self, which: Thing, *, events: bool) -> None:
        view, speech = self._view, self._view.speech
        newest = self._newest
        try:
            done = (await view.send("POST", "/rejections/replay", which | {"events": events}))["replayed"]
            if not done:
                refuse(self._told, speech("rejected.nothing"), "")
                return
            refuse(self._told, speech("rejected.under_way", n=done), "")
            await asyncio.sleep(SETTLE_SECONDS)
            later = await view.pages("/rejections", most=SHOWN, limit=SHOWN, **self._only)
            again = sum(one["id"] > newest for one in later)
            told = speech("rejected.again", n=done, again=again) if again else speech("rejected.done", n=done)
            refuse(self._told, ("⚠ " if again else "✓ ") + told, "bad" if again else "calm")
            await self.draw()
        except ConsoleError as error:
            refuse(self._told, view.explain(error))


def _filters(reasons: list[str], only: dict[str, str], view: View) -> str:
    here = only.get("reason", "")
    links = [("", view.speech("services.show.all")), *((one, view.speech.value(one)) for one in reasons)]
    device = f"<span class='pill'>{escape(only['device'])}</span>" if "device" in only else ""
    return device + "".join(
        f"<a href='?reason={quote(value)}'{' aria-current=true' if value == here else ''}>{escape(words)}</a>"
        for value, words in links
    )


def _table(rows: list[Thing], view: View) -> str:
    speech = view.speech
    names = ("rejected.when", "devices.device", "rejected.reason", "rejected.payload", "rejected.try")
    heads = "".join(f"<th scope='col'>{escape(speech(name))}</th>" for name in names)
    body = "".join(_row(one, view) for one in rows)
    return f"<table class='sheet'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _row(one: Thing, view: View) -> str:
    speech, zone = view.speech, zone_of(view)
    text = (
        one["payload"]
        if one["payload_encoding"] == "text"
        else speech("rejected.binary", n=len(one["payload"]) * 3 // 4)
    )
    excerpt = escape(text[:EXCERPT_CHARS]) + ("…" if len(text) > EXCERPT_CHARS else "")
    channel = one["topic"].rsplit("/", 1)[-1]
    device = one["device"] or one["site"] or "—"
    if one["replayed_at"]:
        way = pill("", "✓", speech("rejected.tried", time=when(one["replayed_at"], zone)))
    elif one["clipped"]:
        way = pill("", "✂", speech("rejected.clipped"))
    else:
        way = f"<button type='button' data-again='{one['id']}'>⟳ {escape(speech('rejected.retry'))}</button>"
    return (
        f"<tr><td>{escape(when(one['received'], zone))}</td>"
        f"<td><b>{escape(device)}</b><br><small>{escape(channel)}</small></td>"
        f"<td>{pill('bad', '⊘', speech.value(one['reason']))}<br><small>{escape(one['detail'])}</small></td>"
        f"<td><code title='{escape(one['topic'])}'>{excerpt}</code></td><td>{way}</td></tr>"
    )
