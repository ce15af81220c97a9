"""The evidence of an alert as a picture: numbers enter, a small SVG with value, limit and what is usual leaves."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from api.console.texts import Speech

WIDTH, HEIGHT = 520, 96
_LEFT, _RIGHT, _MIDDLE = 20, 500, 52
_SHOWN_MAX: Final = 12
Thing = dict[str, Any]


def picture(alert: Thing, speech: Speech) -> str:
    """A scale with the measured value, its limit and baseline, and the rule; words where nothing was measured."""
    evidence = alert["evidence"]
    value = _number(evidence.get("value"))
    rule = escape(str(evidence.get("rule") or ""))
    words = f"<p>{escape(speech('evidence.rule'))}: {rule}</p>" if rule else ""
    if value is None:
        return words or f"<p>{escape(speech('evidence.none'))}</p>"
    unit = str(evidence.get("unit") or "")
    marks = [(value, "value")]
    # The limit of a fall is one of its score, not of the acceleration shown.
    if alert["type"] != "fall" and (limit := _number(evidence.get("limit"))) is not None:
        marks.append((limit, "limit"))
    for name in ("baseline", "median", "usual"):
        if (usual := _number(evidence.get(name))) is not None:
            marks.append((usual, "baseline"))
            break
    return f"{scale(marks, unit, speech)}{words}"


def scale(marks: list[tuple[float, str]], unit: str, speech: Speech) -> str:
    """A line with marks; kinds are value, limit and baseline."""
    low, high = min(one for one, _ in marks), max(one for one, _ in marks)
    span = (high - low) or abs(high) or 1.0
    low, high = low - span * 0.35, high + span * 0.35
    parts = [f'<line class="axis" x1="{_LEFT}" y1="{_MIDDLE}" x2="{_RIGHT}" y2="{_MIDDLE}" stroke-width="3"/>']
    told = []
    for number, kind in marks:
        x = _LEFT + (_RIGHT - _LEFT) * (number - low) / (high - low)
        text = f"{speech(f'evidence.{kind}')} {number:g} {unit}".strip()
        told.append(text)
        anchor = "start" if x < WIDTH * 0.3 else "end" if x > WIDTH * 0.7 else "middle"
        if kind == "value":
            parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{_MIDDLE}" r="8"/>')
            parts.append(_text(x, 20, anchor, "", text))
        else:
            name = {"limit": "limit", "baseline": "base"}[kind]
            parts.append(f'<line class="{name}" x1="{x:.1f}" y1="{_MIDDLE - 18}" x2="{x:.1f}" y2="{_MIDDLE + 18}"/>')
            parts.append(_text(x, _MIDDLE + (34 if kind == "limit" else 48 - 82), anchor, f"{name}-name", text))
    title = escape("; ".join(told))
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{"".join(parts)}</svg>'


def _text(x: float, y: float, anchor: str, name: str, text: str) -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
