"""The evidence of an alert as a picture: numbers and signals enter, small SVGs with limit and baseline leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise
from typing import Any, Final

from api.console.client import ConsoleError
from api.console.frame import View
from api.console.texts import Speech

WIDTH, HEIGHT = 520, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 508, 16, 142
GAP_FACTOR: Final = 3.0
"""A step this many times the usual one is a gap: nothing is drawn through it."""
BEFORE, AFTER = timedelta(minutes=50), timedelta(minutes=10)
Thing = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signal:
    """A measured line. x: seconds from what the alert tells of."""

    points: Sequence[tuple[float, float]]
    unit: str
    limit: float | None = None
    baseline: float | None = None
    baseline_name: str = "baseline"
    minutes: bool = False
    """Whether the axis counts minutes instead of seconds."""


async def evidence(view: View, alert: Thing) -> str:
    """The picture of what raised an alert, its rule beneath; words where nothing was measured."""
    told = alert["evidence"]
    parts = []
    signal = await _signal(view, alert)
    if signal is not None and len(signal.points) > 1:
        parts.append(plot(signal, view.speech))
    parts.append(_facts(told, alert, view.speech))
    return "".join(parts)


async def _signal(view: View, alert: Thing) -> Signal | None:
    told, resident = alert["evidence"], alert["resident"]
    try:
        if alert["type"] == "fall":
            motion = await view.get(f"/alerts/{alert['id']}/motion")
            return Signal([(one["t"], one["g"]) for one in motion["points"]], "g", baseline=1.0, baseline_name="rest")
        metric = told.get("metric")
        if resident is None or not isinstance(metric, str):
            return None
        at = datetime.fromisoformat(alert["occurred_at"])
        read = await view.get(
            f"/residents/{resident['id']}/readings",
            metric=metric,
            bucket="raw",
            **{"from": (at - BEFORE).isoformat(), "to": (at + AFTER).isoformat()},
        )
    except ConsoleError:
        return None  # the numbers beneath say what there is to say
    points = [((datetime.fromisoformat(one["t"]) - at).total_seconds(), one["avg"]) for one in read["points"]]
    return Signal(points, read["unit"], limit=_number(told.get("limit")), baseline=_baseline(told), minutes=True)


def plot(signal: Signal, speech: Speech) -> str:
    """A line over time with the moment of the alert, the limit and what is usual."""
    xs, ys = [x for x, _ in signal.points], [y for _, y in signal.points]
    marks = [one for one in (signal.limit, signal.baseline) if one is not None]
    low, high = min([*ys, *marks]), max([*ys, *marks])
    span = (high - low) or abs(high) or 1.0
    low, high = low - span * 0.08, high + span * 0.12
    left, right = min([*xs, 0.0]), max([*xs, 0.0])
    width = (right - left) or 1.0

    def px(x: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (x - left) / width

    def py(y: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (y - low) / (high - low)

    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}" fill="none"/>']
    ends = (low + span * 0.08, high - span * 0.12)
    parts += [_text(_LEFT - 5, py(value) + 4, "end", "", f"{value:.3g}") for value in ends]
    for x in (left, right):
        text = f"{x / 60:+.0f} min" if signal.minutes else f"{x:+.0f} s"
        parts.append(_text(px(x), _BOTTOM + 16, "start" if x == left else "end", "", text))
    moment = px(0.0)
    parts.append(f'<path class="mark" d="M{moment:.1f} {_TOP}V{_BOTTOM}"/>')
    parts.append(_text(moment, _BOTTOM + 16, "middle", "mark-name", speech("evidence.moment")))
    for value, name, key in ((signal.limit, "limit", "limit"), (signal.baseline, "base", signal.baseline_name)):
        if value is not None:
            parts.append(f'<path class="{name}" d="M{_LEFT} {py(value):.1f}H{_RIGHT}"/>')
            text = f"{speech(f'evidence.{key}')} {value:g} {signal.unit}"
            parts.append(_text(_RIGHT, py(value) - 4, "end", f"{name}-name", text))
    parts.append(f'<path class="signal" d="{_line(signal.points, px, py)}"/>')
    title = escape(f"{speech('evidence.value')}: {min(ys):g}–{max(ys):g} {signal.unit}")
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{"".join(parts)}</svg>'


def _line(points: Sequence[tuple[float, float]], px: Any, py: Any) -> str:
    """The path of a line that stops at gaps."""
    steps = sorted(b[0] - a[0] for a, b in pairwise(points))
    usual = steps[len(steps) // 2] if steps else 0.0
    path, before = [], None
    for x, y in points:
        joined = before is not None and x - before <= max(usual * GAP_FACTOR, 1e-9)
        path.append(f"{'L' if joined else 'M'}{px(x):.1f} {py(y):.1f}")
        before = x
    return "".join(path)


def _facts(told: Thing, alert: Thing, speech: Speech) -> str:
    unit = str(told.get("unit") or "")
    facts: list[tuple[str, str]] = []
    if (value := _number(told.get("value"))) is not None:
        facts.append((speech("evidence.value"), f"{value:g} {unit}"))
    # The limit of a fall is one of its score, not of the acceleration.
    if alert["type"] == "fall" and alert["score"] is not None:
        facts.append((speech("evidence.score"), f"{alert['score']:.2f} ≥ {told.get('limit', '')}"))
    elif (limit := _number(told.get("limit"))) is not None:
        facts.append((speech("evidence.limit"), f"{limit:g} {unit}"))
    if (usual := _baseline(told)) is not None:
        facts.append((speech("evidence.baseline"), f"{usual:g} {unit}"))
    if told.get("rule") and alert["type"] != "fall":
        facts.append((speech("evidence.rule"), str(told["rule"])))
    if not facts:
        return f"<p>{escape(speech('evidence.none'))}</p>"
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(text)}</dd>' for name, text in facts)}</dl>"


def _baseline(told: Thing) -> float | None:
    known = (_number(told.get(name)) for name in ("baseline", "median", "usual", "expected"))
    return next((one for one in known if one is not None), None)


def _text(x: float, y: float, anchor: str, name: str, text: str) -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
