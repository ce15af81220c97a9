"""Pictures of one person's nights and places: what the API tells of them enters, SVG that needs no server leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from math import cos, radians
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.console.texts import Speech

Thing = dict[str, Any]
WIDTH: Final = 640.0
_LEFT, _TOP, _ROW = 60.0, 8.0, 20.0
_WORDS_LEFT: Final = 486.0
NIGHT_FROM_HOUR, NIGHT_HOURS = 18, 18
MAP_HEIGHT: Final = 400.0
METRES_PER_DEGREE: Final = 111_195.0
MAP_METRES_MIN: Final = 120.0
_BAR_METRES: Final = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)


def nights(items: Sequence[Thing], zone: ZoneInfo, speech: Speech) -> str:
    """Nights below each other: dark is in bed, light is up, nothing drawn is nothing heard. Empty without any word."""
    if not any(one["spans"] for one in items):
        return ""
    body = []
    for line, one in enumerate(items):
        y = _TOP + line * _ROW
        day = datetime.fromisoformat(one["evening"])
        body.append(f'<text x="{_LEFT - 6}" y="{y + 14:.1f}" text-anchor="end">{day.month}/{day.day}</text>')
        begins = day.replace(hour=NIGHT_FROM_HOUR, tzinfo=zone)
        body += [_span(span, begins, y, zone, speech) for span in one["spans"]]
        body.append(f'<text x="{_WORDS_LEFT + 8}" y="{y + 14:.1f}">{escape(_night_words(one, zone, speech))}</text>')
    bottom = _TOP + len(items) * _ROW
    for hours in range(0, NIGHT_HOURS + 1, 3):
        x = _night_x(hours)
        body.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>')
        name = f"{(NIGHT_FROM_HOUR + hours) % 24}:00"
        body.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{name}</text>')
    return _svg(speech("resident.nights"), body, bottom + 22)


def _span(span: Thing, begins: datetime, y: float, zone: ZoneInfo, speech: Speech) -> str:
    first, last = (datetime.fromisoformat(span[name]).astimezone(zone) for name in ("begins_at", "ends_at"))
    left, right = (_night_x((one - begins) / timedelta(hours=1)) for one in (first, last))
    told = f"{speech('nights.' + span['state'])} {first:%H:%M}–{last:%H:%M}"
    tall = 14.0 if span["state"] == "in" else 4.0
    return (
        f'<rect class="{"heat" if span["state"] == "in" else "up"}" x="{left:.1f}" y="{y + 9 - tall / 2:.1f}" '
        f'width="{max(right - left, 1.0):.1f}" height="{tall}"><title>{escape(told)}</title></rect>'
    )


def _night_x(hours: float) -> float:
    return _LEFT + (_WORDS_LEFT - _LEFT) * hours / NIGHT_HOURS


def _night_words(one: Thing, zone: ZoneInfo, speech: Speech) -> str:
    if one["in_bed_at"] is None:
        return speech("nights.none" if one["spans"] else "nights.unheard")
    first, last = (datetime.fromisoformat(one[name]).astimezone(zone) for name in ("in_bed_at", "up_at"))
    return f"{first:%H:%M}–{last:%H:%M}  ↑{one['times_up']}"


@dataclass(frozen=True, slots=True)
class _Ground:
    """Where a place lies on the sheet: degrees enter, pixels leave; north is up."""

    latitude: float
    longitude: float
    pixels_per_metre: float

    def at(self, latitude: float, longitude: float) -> tuple[float, float]:
        east = (longitude - self.longitude) * METRES_PER_DEGREE * cos(radians(self.latitude))
        north = (latitude - self.latitude) * METRES_PER_DEGREE
        return WIDTH / 2 + east * self.pixels_per_metre, MAP_HEIGHT / 2 - north * self.pixels_per_metre


def places(positions: Sequence[Thing], fences: Sequence[Thing], zone: ZoneInfo, speech: Speech) -> str:
    """Fixes with their accuracy, newest first, and safe areas with their names. Empty where there is neither.

    Home is the middle of the smallest circle that is in force at all hours: the file knows an address, not a place.
    """
    if not positions and not fences:
        return ""
    ground = _ground(positions, fences)
    body = [_fence(one, ground) for one in fences]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (ground.at(one["latitude"], one["longitude"]) for one in positions))
    if len(positions) > 1:
        body.append(f'<polyline class="walk" points="{path}"/>')
    body += [_fix(one, ground, zone, newest=number == 0) for number, one in reversed(list(enumerate(positions)))]
    circles = [one for one in fences if len(one["corners"]) == 1 and one["from_time"] == one["to_time"]]
    if circles:
        home = min(circles, key=lambda one: one["radius_m"])
        x, y = ground.at(*home["corners"][0])
        body.append(f'<path class="home" d="M{x - 9:.1f} {y:.1f}l9 -9 9 9v9h-18z"/>')
        body.append(f'<text x="{x:.1f}" y="{y + 24:.1f}" text-anchor="middle">{escape(speech("places.home"))}</text>')
    body += [_scale_bar(ground), _north()]
    return _svg(speech("resident.places"), body, MAP_HEIGHT, "chart map")


def _ground(positions: Sequence[Thing], fences: Sequence[Thing]) -> _Ground:
    marks = [(one["latitude"], one["longitude"], one["accuracy_m"] or 0.0) for one in positions]
    marks += [(corner[0], corner[1], one["radius_m"]) for one in fences for corner in one["corners"]]
    middle = [(min(one[n] for one in marks) + max(one[n] for one in marks)) / 2 for n in (0, 1)]
    east = METRES_PER_DEGREE * cos(radians(middle[0]))
    wide = max([abs(one[1] - middle[1]) * east + one[2] for one in marks] + [MAP_METRES_MIN / 2])
    tall = max([abs(one[0] - middle[0]) * METRES_PER_DEGREE + one[2] for one in marks] + [MAP_METRES_MIN / 2])
    return _Ground(middle[0], middle[1], min((WIDTH / 2 - 24) / wide, (MAP_HEIGHT / 2 - 36) / tall))


def _fence(one: Thing, ground: _Ground) -> str:
    spots = [ground.at(*corner) for corner in one["corners"]]
    hours = "" if one["from_time"] == one["to_time"] else f" {one['from_time']}–{one['to_time']}"
    if len(spots) == 1:
        ((x, y),), radius = spots, one["radius_m"] * ground.pixels_per_metre
        shape, y = f'<circle class="fence" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>', max(y - radius - 5, 14)
    else:
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        x, y = (sum(spot[n] for spot in spots) / len(spots) for n in (0, 1))
        shape = f'<polygon class="fence" points="{corners}"/>'
    words = escape(one["name"] + hours)
    return f'{shape}<text class="fence-name" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{words}</text>'


def _fix(one: Thing, ground: _Ground, zone: ZoneInfo, *, newest: bool) -> str:
    x, y = ground.at(one["latitude"], one["longitude"])
    local = datetime.fromisoformat(one["t"]).astimezone(zone)
    known = one["accuracy_m"]
    told = f"{local:%m-%d %H:%M}" + ("" if known is None else f" ±{known:g} m")
    around = known * ground.pixels_per_metre if known and newest else 0.0
    circle = f'<circle class="around" cx="{x:.1f}" cy="{y:.1f}" r="{around:.1f}"/>' if around else ""
    words = f'<text x="{x + 10:.1f}" y="{y - 8:.1f}">{escape(told)}</text>' if newest else ""
    dot = f'<circle class="{"dot" if newest else "dot old"}" cx="{x:.1f}" cy="{y:.1f}" r="{6 if newest else 3.5}">'
    return f"{circle}{dot}<title>{escape(told)}</title></circle>{words}"


def _scale_bar(ground: _Ground) -> str:
    metres = max((one for one in _BAR_METRES if one * ground.pixels_per_metre <= WIDTH / 4), default=_BAR_METRES[0])
    width, y = metres * ground.pixels_per_metre, MAP_HEIGHT - 12
    name = f"{metres} m" if metres < 1000 else f"{metres // 1000} km"
    return f'<path class="scale" d="M14 {y - 6}v6h{width:.1f}v-6"/><text x="18" y="{y - 9}">{name}</text>'


def _north() -> str:
    x = WIDTH - 22
    return f'<path class="north" d="M{x} 14l7 20l-7 -5l-7 5z"/><text x="{x}" y="52" text-anchor="middle">北 N</text>'


def _svg(title: str, body: Sequence[str], height: float, kind: str = "chart") -> str:
    name = escape(title)
    return (
        f'<svg class="{kind}" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{name}">'
        f"<title>{name}</title>{''.join(body)}</svg>"
    )
