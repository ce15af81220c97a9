"""One resident in full: what the API tells of them enters; charts, routine, timeline, devices and papers leave.

Each part is asked for by itself and at once; a part that is refused says so in its place and hides no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.console.client import Away, ConsoleError, SignedOut
from api.console.frame import View, html, screen
from api.console.sketches import nights, places
from api.console.texts import Speech, add
from api.pages.charts import Usual, hour_map, line_chart
from core.metrics import BY_CODE, METRICS

add(
    {
        "resident.title": ("老人", "Resident"),
        "resident.span.day": ("一天", "Day"),
        "resident.span.week": ("一周", "Week"),
        "resident.span.month": ("一月", "Month"),
        "resident.vitals": ("生命体征", "Vital signs"),
        "resident.routine": ("作息（每小时活动）", "Routine: motion by hour"),
        "resident.routine_note": ("颜色越深活动越多；留空为无数据", "the darker the more motion; blank: no data"),
        "resident.chart_note": (
            "线为均值，色带为最低到最高；灰底为本人常态范围（前 28 天同一时段）；虚线为报警阈值；断开处无数据",
            "line: mean; band: lowest to highest; grey: usual here at this hour; dashes: alert limits; breaks: no data",
        ),
        "resident.nights": ("夜间在床（近 14 晚）", "Nights in bed (last 14)"),
        "resident.nights_note": (
            "粗条为在床，细条为离床，空白为传感器无数据；↑ 为夜间离床次数",
            "thick: in bed; thin: out of bed; blank: no word of the sensor; ↑ times up in between",
        ),
        "resident.no_nights": ("床垫传感器近 14 晚没有数据", "No word of a bed sensor in 14 nights"),
        "nights.in": ("在床", "in bed"),
        "nights.out": ("离床", "out of bed"),
        "nights.none": ("未在床", "not in bed"),
        "nights.unheard": ("无数据", "no data"),
        "resident.places": ("位置与电子围栏", "Places and safe areas"),
        "resident.places_note": (
            "近 7 天的定位，最新一点带误差圈；家取全天有效的最小圆形围栏的中心",
            "fixes of seven days, the newest with its accuracy; home: middle of the smallest circle that always holds",
        ),
        "resident.places_family": ("经本人同意可查看位置的家属：{names}", "May see places, by consent: {names}"),
        "resident.places_nobody": ("没有家属获准查看位置", "No relative has a consent to see places"),
        "resident.no_places": ("近 7 天没有定位，也没有电子围栏", "No fix in seven days, and no safe area"),
        "places.home": ("家", "home"),
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
NIGHTS: Final = 14
PLACES_SPAN: Final = timedelta(days=7)
PLACES_SHOWN: Final = 60
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
        "baselines": view.get(f"{base}/baselines"),
        "nights": view.get(f"{base}/nights", nights=NIGHTS),
        "fences": view.get(f"{base}/fences"),
        "positions": view.get(f"{base}/positions", **{"from": (end - PLACES_SPAN).isoformat(), "limit": PLACES_SHOWN}),
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
        '<div class="two even">',
        page.part("resident.nights", "nights", draw=page.nights),
        page.part("resident.routine", "motion", draw=page.routine),
        "</div>",
        page.part("resident.places", "positions", "fences", draw=page.places),
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


def usual_steps(
    hours: Sequence[Thing], start: datetime, end: datetime, width: timedelta, zone: ZoneInfo
) -> list[Usual]:
    """The usual range of every hour shown, as far as it is known; of every day where a point is a day."""
    known = {one["hour"]: one for one in hours if one["known"]}
    if not known:
        return []
    lows, highs = [one["low"] for one in known.values()], [one["high"] for one in known.values()]
    high = None if None in highs else max(highs)
    if width >= timedelta(days=1) or None in known:
        return [Usual(start, end, min(lows), high)]
    found, hour = [], start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        if one := known.get(hour.astimezone(zone).hour):
            found.append(Usual(hour, hour + timedelta(hours=1), one["low"], one["high"]))
        hour += timedelta(hours=1)
    return found


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
        """A picture for each vital sign that was measured, with what is usual and where alerts begin."""
        limits = {
            one["metric"]: [one[name] for name in ("low", "high") if one[name] is not None]
            for one in self._known("limits", "in_force")
        }
        usual = {one["metric"]: one["hours"] for one in self._known("baselines", "items")}
        made = []
        for metric in VITALS:
            title = f"{self._say.pair(metric.zh, metric.en)} {metric.unit}"
            picture = line_chart(
                self._found[metric.code]["points"], start=start, end=self._now, bucket=width, zone=self._zone,
                title=title, limits=limits.get(metric.code, ()),
                usual=usual_steps(usual.get(metric.code, ()), start, self._now, width, self._zone),
            )  # fmt: skip
            if picture:
                made.append(f'<figure class="notice"><figcaption>{escape(title)}</figcaption>{picture}</figure>')
        if not made:
            return self._nothing("resident.no_values")
        return (
            f'<div class="charts">{"".join(made)}</div><p class="legend">{escape(self._say("resident.chart_note"))}</p>'
        )

    def _known(self, name: str, items: str) -> list[Thing]:
        """What beside the values was told; a chart without it is better than none."""
        found = self._found[name]
        return [] if isinstance(found, BaseException) else list(found[items])

    def routine(self) -> str:
        """Motion by day and hour."""
        points = self._found["motion"]["points"]
        picture = hour_map(
            points, end=self._now, days=ROUTINE_DAYS, zone=self._zone, title=self._say("resident.routine")
        )
        return self._figure(picture, "resident.routine_note", "resident.no_values")

    def nights(self) -> str:
        """In bed and up, night by night."""
        picture = nights(self._found["nights"]["items"], self._zone, self._say)
        return self._figure(picture, "resident.nights_note", "resident.no_nights")

    def places(self) -> str:
        """Where the person was and should be, and who of the family may see it."""
        picture = places(self._found["positions"]["items"], self._found["fences"]["items"], self._zone, self._say)
        open_to = [
            one["name"]
            for one in self._known("consents", "items")
            if one["scope"] == "location" and not one["withdrawn_at"]
        ]
        names = "、".join(open_to)
        who = self._say("resident.places_family", names=names) if names else self._say("resident.places_nobody")
        figure = self._figure(picture, "resident.places_note", "resident.no_places")
        return f'{figure}<p class="legend">{escape(who)}</p>'

    def _figure(self, picture: str, note: str, nothing: str) -> str:
        if not picture:
            return self._nothing(nothing)
        return f'<figure class="notice">{picture}<figcaption>{escape(self._say(note))}</figcaption></figure>'

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
            metric = BY_CODE[one["metric"]]
            words = (self._say.pair(metric.zh, metric.en), f"{bounds} {one['unit']}", one["reason"], one["author"])
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
