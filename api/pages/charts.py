"""Pictures made here: points as the API gives them enter, SVG leaves; no script, no style inside, gaps stay gaps.

Classes are those of `pages.css`. Whoever cannot see a picture is told the same in words (title and description).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from api.pages.render import moment

WIDTH: Final = 640.0
HEIGHT: Final = 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 8.0, 12.0, 32.0
GAP_BUCKETS: Final = 2.5
"""Farther apart than so many buckets, two points are not joined: nothing was measured between them."""
_STEPS: Final = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is shown: a span of time and of values, and how wide a point is in time."""

    start: datetime
    end: datetime
    low: float
    high: float
    bucket: timedelta
    zone: ZoneInfo

    def x(self, at: datetime) -> float:
        share = (at - self.start) / (self.end - self.start)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


@dataclass(frozen=True, slots=True)
class Usual:
    """The usual range of a span of time; without `high` all above `low` is usual."""

    start: datetime
    end: datetime
    low: float
    high: float | None


def line_chart(
    points: Sequence[dict[str, Any]],
    *,
    start: datetime,
    end: datetime,
    bucket: timedelta,
    zone: ZoneInfo,
    title: str,
    limits: Sequence[float] = (),
    usual: Sequence[Usual] = (),
) -> Markup:
    """The mean as a line, from lowest to highest as a band, limits as dashes, what is usual as a ground behind.

    points: `t`, `avg`, `min`, `max`, in order of time. Empty Markup where there are none.
    """
    if not points:
        return Markup()
    values = [one[name] for one in points for name in ("min", "max")]
    shown = [*values, *limits, *(bound for one in usual for bound in (one.low, one.high) if bound is not None)]
    low, high, step = scale(min(shown), max(shown))
    frame = Frame(start, end, low, high, bucket, zone)
    body = [*_usual(frame, usual), *_grid(frame, step), *(_limit(frame, one) for one in limits)]
    for run in runs(points, bucket):
        body += _run(frame, run)
    first, last = points[0], points[-1]
    words = f"{title}：{_number(first['avg'])} → {_number(last['avg'])}，{_number(min(values))}–{_number(max(values))}"
    return _svg(title, words, body, WIDTH, HEIGHT)


def month_bars(months: Sequence[dict[str, Any]], *, title: str, percent: bool, target: float | None = None) -> Markup:
    """Shares or counts of the months as bars, the target as dashes; a month without a denominator has no bar.

    months: `month` (first day, ISO), `numerator`, `denominator`, oldest first.
    """
    shown = [(one["month"][:7], _share(one, percent=percent)) for one in months[-24:]]
    known = [value for _, value in shown if value is not None]
    if not known:
        return Markup()
    _, high, step = scale(0.0, max([*known, target or 0.0, 1.0]))
    if percent:
        high, step = max(high, 100.0), 25.0
    anchor = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
    frame = Frame(anchor, anchor + timedelta(days=1), 0.0, high, timedelta(0), ZoneInfo("UTC"))
    body = _values(frame, step)
    width = (WIDTH - _LEFT - _RIGHT) / len(shown)
    every = 1 + len(shown) // 13
    for number, (month, value) in enumerate(shown):
        left = _LEFT + number * width
        if value is not None:
            top = frame.y(value)
            body.append(
                f'<rect class="bar" x="{left + width * 0.15:.1f}" y="{top:.1f}" width="{min(width * 0.7, 60):.1f}" '
                f'height="{max(frame.y(0.0) - top, 0.5):.1f}"><title>{month}: {_number(value)}</title></rect>'
            )
        if number % every == 0:
            body.append(f'<text x="{left + 2:.1f}" y="{HEIGHT - 8}">{month[2:]}</text>')
    if target is not None:
        body.append(_dashes(frame, target, "target"))
    words = "，".join(f"{month} {_number(value)}" for month, value in shown if value is not None)
    return _svg(title, words, body, WIDTH, HEIGHT)


def hour_map(
    points: Sequence[dict[str, Any]], *, end: datetime, days: int, zone: ZoneInfo, title: str
) -> Markup:  # fmt: skip
    """Days below each other, hours beside each other: the darker, the more; an hour without readings stays blank.

    points: `t`, `avg`, `count` of whole hours. Empty Markup where there are none.
    """
    totals: dict[tuple[Any, int], float] = {}
    for one in points:
        local = moment(one["t"]).astimezone(zone)
        key = (local.date(), local.hour)
        totals[key] = totals.get(key, 0.0) + one["avg"] * one["count"]
    if not totals:
        return Markup()
    most = max(totals.values()) or 1.0
    today = end.astimezone(zone).date()
    width, row = (WIDTH - _LEFT - _RIGHT) / 24, 15.0
    body = []
    for line in range(days):
        day = today - timedelta(days=days - 1 - line)
        y = _TOP + line * row
        body.append(f'<text x="{_LEFT - 6}" y="{y + 11:.1f}" text-anchor="end">{day.month}/{day.day}</text>')
        for hour in range(24):
            value = totals.get((day, hour))
            if value is None:
                continue
            shade = 0.06 + 0.94 * (value / most) ** 0.5
            told = f"{day.month}/{day.day} {hour}:00 {value:.0f}"
            body.append(
                f'<rect class="heat" x="{_LEFT + hour * width:.1f}" y="{y:.1f}" width="{width - 1:.1f}" '
                f'height="{row - 1}" fill-opacity="{shade:.2f}"><title>{told}</title></rect>'
            )
    bottom = _TOP + days * row
    body += [f'<text x="{_LEFT + n * width:.1f}" y="{bottom + 15:.1f}">{n}:00</text>' for n in range(0, 24, 3)]
    words = f"{len(totals)} h, {_number(sum(totals.values()))}"
    return _svg(title, words, body, WIDTH, bottom + 22)


def runs(points: Sequence[dict[str, Any]], bucket: timedelta) -> list[list[dict[str, Any]]]:
    """Points that belong together: none of them farther from the one before than GAP_BUCKETS."""
    found: list[list[dict[str, Any]]] = []
    before: datetime | None = None
    for point in points:
        at = moment(point["t"])
        if before is None or at - before > GAP_BUCKETS * bucket:
            found.append([])
        found[-1].append(point)
        before = at
    return found


def scale(low: float, high: float) -> tuple[float, float, float]:
    """Round bounds around values, and a step between them that gives three to six lines."""
    span = max(high - low, 1.0)
    magnitude = 10.0 ** (len(str(int(span))) - 1) / 2
    step = next((one * magnitude for one in _STEPS if span / (one * magnitude) <= 5), 10 * magnitude)
    bottom = step * int(low // step)
    top = bottom
    while top < high:
        top += step
    return bottom, top if top > bottom else bottom + step, step


def _run(frame: Frame, run: list[dict[str, Any]]) -> list[str]:
    half = frame.bucket / 2
    middles = [(frame.x(moment(one["t"]) + half), one) for one in run]
    if len(run) == 1:
        ((x, one),) = middles
        band = f'<rect class="band" x="{x - 2:.1f}" y="{frame.y(one["max"]):.1f}" width="4" height="{frame.y(one["min"]) - frame.y(one["max"]):.1f}"/>'  # noqa: E501 -- one tag
        return [band, f'<circle class="dot" cx="{x:.1f}" cy="{frame.y(one["avg"]):.1f}" r="3.5"/>']
    over = [f"{x:.1f},{frame.y(one['max']):.1f}" for x, one in middles]
    under = [f"{x:.1f},{frame.y(one['min']):.1f}" for x, one in reversed(middles)]
    mean = [f"{x:.1f},{frame.y(one['avg']):.1f}" for x, one in middles]
    return [
        f'<polygon class="band" points="{" ".join(over + under)}"/>',
        f'<polyline class="line" points="{" ".join(mean)}"/>',
    ]


def _usual(frame: Frame, usual: Sequence[Usual]) -> list[str]:
    """One path of all steps within the frame."""
    steps = []
    for one in usual:
        left, right = frame.x(max(one.start, frame.start)), frame.x(min(one.end, frame.end))
        if right > left:
            top = frame.y(frame.high if one.high is None else one.high)
            steps.append(f"M{left:.1f} {top:.1f}H{right:.1f}V{frame.y(one.low):.1f}H{left:.1f}z")
    return [f'<path class="usual" d="{"".join(steps)}"/>'] if steps else []


def _grid(frame: Frame, step: float) -> list[str]:
    return [*_values(frame, step), *_times(frame)]


def _values(frame: Frame, step: float) -> list[str]:
    found, value = [], frame.low
    while value <= frame.high + step / 1000:
        y = frame.y(value)
        found.append(f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        found.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
        value += step
    return found


def _times(frame: Frame) -> list[str]:
    """Local hours of a day, days of more than one; at most eight of them."""
    span = frame.end - frame.start
    hours = 6 if span <= timedelta(days=1.5) else 24 * max(1, round(span / timedelta(days=7)))
    local = frame.start.astimezone(frame.zone).replace(minute=0, second=0, microsecond=0)
    local = local.replace(hour=local.hour - local.hour % min(hours, 24))
    found = []
    while (local := local + timedelta(hours=hours)) < frame.end:
        x = frame.x(local)
        label = f"{local:%H:%M}" if hours < 24 else f"{local.month}/{local.day}"
        found.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        found.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{label}</text>')
    return found


def _limit(frame: Frame, value: float) -> str:
    return _dashes(frame, value, "limit")


def _dashes(frame: Frame, value: float, kind: str) -> str:
    y = frame.y(value)
    return f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _share(month: dict[str, Any], *, percent: bool) -> float | None:
    if not percent:
        return float(month["numerator"])
    return 100.0 * month["numerator"] / month["denominator"] if month["denominator"] else None


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _svg(title: str, words: str, body: Sequence[str], width: float, height: float) -> Markup:
    inside = Markup("").join(Markup(one) for one in body)  # noqa: S704 -- numbers and our own tags
    head = '<svg class="chart" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">'
    return Markup(head + "<title>{}</title><desc>{}</desc>{}</svg>").format(  # noqa: S704 -- our own tags
        width, height, title, title, words, inside
    )
