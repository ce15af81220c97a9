"""One resident in full: what the API tells of them enters; charts, routine, timeline, devices and papers leave.

Each part is asked for by itself and at once; a part that is refused says so in its place and hides no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.console.client import Away, ConsoleError, SignedOut
from api.console.frame import View, html, screen
from api.console.texts import Speech, add
from api.pages.charts import hour_map, line_chart
from core.metrics import METRICS

add(
    {
        "resident.title": ("老人", "Resident"),
        "resident.span.day": ("一天", "Day"),
        "resident.span.week": ("一周", "Week"),
        "resident.span.month": ("一月", "Month"),
        "resident.vitals": ("生命体征", "Vital signs"),
        "resident.routine": ("作息（每小时活动）", "Routine: motion by hour"),
        "resident.routine_note": ("颜色越深活动越多；留空为无数据", "the darker the more motion; blank: no data"),
        "resident.timeline": ("时间线", "Timeline"),
        "resident.devices": ("设备", "Devices"),
        "resident.contacts": ("联系人", "Contacts"),
        "resident.consents": ("知情同意", "Consents"),
        "resident.limits": ("个人阈值", "Own limits"),
        "resident.orders": ("服务与订单", "Services and orders"),
        "resident.alerts": ("未解除报警", "Open alerts"),
        "resident.none": ("没有记录", "Nothing noted"),
        "resident.heard": ("有数据", "heard"),
        "resident.silent": ("失联", "silent"),
        "resident.place": ("位置", "Place"),
        "resident.birth": ("出生", "Born"),
        "resident.level": ("护理等级", "Care level"),
        "resident.conditions": ("病史", "Conditions"),
        "resident.medication": ("用药", "Medication"),
        "resident.access": ("进入方式", "How to get in"),
        "resident.phone": ("电话", "Telephone"),
        "resident.monitoring": ("守护", "Monitoring"),
        "resident.no_values": ("这段时间没有测量数据", "Nothing was measured in this time"),
        "resident.withdrawn": ("已撤回", "withdrawn"),
        "resident.given": ("有效", "standing"),
    }
)
SPANS: Final = {
    "day": (timedelta(days=1), "15m", timedelta(minutes=15)),
    "week": (timedelta(days=7), "1h", timedelta(hours=1)),
    "month": (timedelta(days=30), "1d", timedelta(days=1)),
}
VITALS: Final = tuple(one for one in METRICS if one.kind == "vital")
ROUTINE_DAYS: Final = 14
ORDERS: Final = ("daily-living/orders", "companionship/visits", "goods/orders", "rehabilitation/sessions")
Thing = dict[str, Any]


@screen("/residents/{resident_id}", "resident.title")
async def resident(view: View, resident_id: str, span: str = "day") -> None:
    """Everything that staff may know of one resident."""
    length, bucket, width = SPANS.get(span, SPANS["day"])
    end, zone = view.console.gateway.clock.now(), ZoneInfo(view.console.settings.timezone)
    base = f"/residents/{resident_id}"
    person = await view.get(base)
    query = {"from": (end - length).isoformat(), "to": end.isoformat(), "bucket": bucket}
    routine = {"from": (end - timedelta(days=ROUTINE_DAYS)).isoformat(), "to": end.isoformat(), "bucket": "1h"}
    asked = {
        "monitoring": view.get(f"{base}/monitoring"),
        "limits": view.get(f"{base}/limits"),
        "motion": view.get(f"{base}/readings", metric="motion", **routine),
        "timeline": view.get(f"{base}/timeline", limit=40),
        "devices": view.get("/devices", resident=resident_id, limit=100),
        "contacts": view.get(f"{base}/contacts"),
        "consents": view.get(f"{base}/consents"),
        "alerts": view.get("/alerts", resident=resident_id, state=["open", "acknowledged", "on_site"]),
        **{path: view.get(f"/services/{path}", resident=resident_id, limit=10) for path in ORDERS},
        **{one.code: view.get(f"{base}/readings", metric=one.code, **query) for one in VITALS},
    }
    found = dict(zip(asked, await asyncio.gather(*asked.values(), return_exceptions=True), strict=True))
    for one in found.values():
        if isinstance(one, SignedOut | Away):
            raise one
    page = _Page(view, found, zone, end)
    parts = [
        page.head(person),
        page.tabs(resident_id, span),
        page.part("resident.vitals", *[one.code for one in VITALS], draw=lambda: page.charts(end - length, width)),
        page.part("resident.routine", "motion", draw=page.routine),
        '<div class="two">',
        page.part("resident.timeline", "timeline", draw=page.timeline),
        "<div>",
        page.part("resident.alerts", "alerts", draw=page.alerts),
        page.part("resident.devices", "devices", draw=page.devices),
        page.part("resident.contacts", "contacts", draw=page.contacts),
        page.part("resident.limits", "limits", draw=page.limits),
        page.part("resident.consents", "consents", draw=page.consents),
        page.part("resident.orders", *ORDERS, draw=page.orders),
        "</div></div>",
    ]
    html("".join(parts), "div").classes("resident")


class _Page:
    """The parts of the page as markup; every word from outside is escaped here."""

    def __init__(self, view: View, found: dict[str, Any], zone: ZoneInfo, now: datetime) -> None:
        self._view = view
        self._say: Speech = view.speech
        self._found = found
        self._zone = zone
        self._now = now

    def part(self, title: str, *names: str, draw: Callable[[], str]) -> str:
        """A part with its heading; in its place the reason where it was refused."""
        refused = [self._found[name] for name in names if isinstance(self._found[name], ConsoleError)]
        for name in names:
            if isinstance(self._found[name], BaseException) and self._found[name] not in refused:
                raise self._found[name]
        body = f'<p class="notice">{escape(self._view.explain(refused[0]))}</p>' if refused else draw()
        return f'<section class="part"><h2>{escape(self._say(title))}</h2>{body}</section>'

    def head(self, person: Thing) -> str:
        """Who it is, where, and whether somebody watches."""
        say = self._say
        where = (("building", "楼栋 "), ("floor", "楼层 "), ("room", "房间 "))
        place = say.pair(
            " · ".join(f"{word}{person[name]}" for name, word in where if person[name]),
            ", ".join(f"{name} {person[name]}" for name, _ in where if person[name]),
        )
        facts = [
            ("resident.place", place),
            ("resident.birth", person["birth_date"]),
            ("resident.phone", person["phone"]),
        ]
        if person["care_level"] is not None:
            facts.append(("resident.level", person["care_level"]))
        for key, name in (("conditions", "conditions"), ("medication", "medication"), ("access", "access_notes")):
            facts.append((f"resident.{key}", person[name]))
        rows = "".join(
            f"<dt>{escape(say(key))}</dt><dd>{escape(str(value))}</dd>"
            for key, value in facts
            if value not in ("", None)
        )
        watched = self._found["monitoring"]
        if not isinstance(watched, BaseException):
            kind = {"full": "ok", "partly": "warn", "none": "bad"}[watched["level"]]
            why = "；".join(say.name(one) for one in watched["reasons"])
            rows += (
                f"<dt>{escape(say('resident.monitoring'))}</dt>"
                f'<dd><span class="pill {kind}">{escape(say.name(watched["name"]))}</span> {escape(why)}</dd>'
            )
        return f'<h1>{escape(person["name"])}</h1><dl class="facts notice">{rows}</dl>'

    def tabs(self, resident_id: str, span: str) -> str:
        """Which time the charts show."""
        links = "".join(
            f'<a class="button{" primary" if one == span else ""}" href="/residents/{escape(resident_id)}?span={one}"'
            f"{' aria-current=true' if one == span else ''}>{escape(self._say(f'resident.span.{one}'))}</a>"
            for one in SPANS
        )
        return f'<div class="row">{links}</div>'

    def charts(self, start: datetime, width: timedelta) -> str:
        """A picture for each vital sign that was measured, with the limits of this person."""
        limits: dict[str, list[float]] = {}
        if not isinstance(self._found["limits"], BaseException):
            for one in self._found["limits"]["items"]:
                ended = one["valid_to"] is not None and datetime.fromisoformat(one["valid_to"]) <= self._now
                if not ended and one["metric"] not in limits:
                    limits[one["metric"]] = [one[name] for name in ("low", "high") if one[name] is not None]
        made = []
        for metric in VITALS:
            title = f"{self._say.pair(metric.zh, metric.en)} {metric.unit}"
            picture = line_chart(
                self._found[metric.code]["points"], start=start, end=self._now, bucket=width, zone=self._zone,
                title=title, limits=limits.get(metric.code, ()),
            )  # fmt: skip
            if picture:
                made.append(f'<figure class="notice"><figcaption>{escape(title)}</figcaption>{picture}</figure>')
        return f'<div class="charts">{"".join(made)}</div>' if made else self._nothing("resident.no_values")

    def routine(self) -> str:
        """Motion by day and hour."""
        points = self._found["motion"]["points"]
        picture = hour_map(
            points, end=self._now, days=ROUTINE_DAYS, zone=self._zone, title=self._say("resident.routine")
        )
        if not picture:
            return self._nothing("resident.no_values")
        note = escape(self._say("resident.routine_note"))
        return f'<figure class="notice">{picture}<figcaption>{note}</figcaption></figure>'

    def timeline(self) -> str:
        """What happened, newest first."""
        rows = []
        for one in self._found["timeline"]["items"]:
            what = escape(self._say.name(one["title"]))
            if one["kind"] == "alert":
                what = (
                    f'<a href="/desk?alert={escape(one["id"])}">{what}</a> {self._pill(one["severity"], one["state"])}'
                )
            who = " · ".join(escape(part) for part in (self._done(one), one["actor"], one["note"]) if part)
            rows.append(f"<li><time>{self._when(one['t'])}</time><span>{what}{' ' + who if who else ''}</span></li>")
        return f'<ol class="steps">{"".join(rows)}</ol>' if rows else self._nothing()

    def _done(self, one: Thing) -> str:
        return self._say.entry(one["action"]) if one["kind"] == "alert_action" else ""

    def _pill(self, severity: str, state: str) -> str:
        kind = "ok" if state == "resolved" else "bad" if severity in ("critical", "high") else "warn"
        return f'<span class="pill {kind}">{escape(self._say(f"state.{state}"))}</span>'

    def alerts(self) -> str:
        """What is not over."""
        rows = [
            f'<li><time>{self._when(one["opened_at"])}</time><span><a href="/desk?alert={escape(one["id"])}">'
            f"{escape(self._say.name(one['type_name']))}</a> {self._pill(one['severity'], one['state'])}</span></li>"
            for one in self._found["alerts"]["items"]
        ]
        return f'<ol class="steps">{"".join(rows)}</ol>' if rows else self._nothing()

    def devices(self) -> str:
        """What watches."""
        rows = []
        for one in self._found["devices"]["items"]:
            kind, word = ("bad", "resident.silent") if one["silent"] else ("ok", "resident.heard")
            last = self._when(one["last_seen"]) if one["last_seen"] else "—"
            name = f"{self._say.name(one['kind_name'])} {one['name']}"
            rows.append([escape(name), f'<span class="pill {kind}">{escape(self._say(word))}</span>', last])
        return self._table(rows)

    def contacts(self) -> str:
        """Whom to call, in order."""
        items = self._found["contacts"]["items"]
        return self._table(
            [[str(one["position"]), *map(escape, (one["name"], one["relation"], one["phone"]))] for one in items]
        )

    def limits(self) -> str:
        """Limits that were set for this person."""
        rows = []
        for one in self._found["limits"]["items"]:
            bounds = " – ".join("" if one[name] is None else f"{one[name]:g}" for name in ("low", "high"))
            words = (one["metric"], f"{bounds} {one['unit']}", one["reason"], one["author"])
            rows.append([*map(escape, words), self._when(one["valid_from"])])
        return self._table(rows)

    def consents(self) -> str:
        """Who may see what."""
        rows = []
        for one in self._found["consents"]["items"]:
            kind, word = ("warn", "resident.withdrawn") if one["withdrawn_at"] else ("ok", "resident.given")
            pill = f'<span class="pill {kind}">{escape(self._say(word))}</span>'
            rows.append([escape(one["name"]), escape(self._say.name(one["scope_name"])), pill])
        return self._table(rows)

    def orders(self) -> str:
        """Services that are asked for or done, newest first."""
        items = [one for path in ORDERS for one in self._found[path]["items"]]
        items.sort(key=lambda one: str(one["starts_at"] or one["created_at"]), reverse=True)
        return self._table(
            [
                [self._when(one["starts_at"] or one["created_at"]), escape(one["title"] or one["service"]),
                 escape(self._say.name(one["state_name"]))]
                for one in items[:20]
            ]
        )  # fmt: skip

    def _table(self, rows: list[list[str]]) -> str:
        if not rows:
            return self._nothing()
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        return f'<table class="sheet"><tbody>{body}</tbody></table>'

    def _nothing(self, key: str = "resident.none") -> str:
        return f'<p class="notice">{escape(self._say(key))}</p>'

    def _when(self, text: str) -> str:
        local = datetime.fromisoformat(text).astimezone(self._zone)
        same = local.date() == self._now.astimezone(self._zone).date()
        return f"{local:%H:%M}" if same else f"{local:%m-%d %H:%M}"
