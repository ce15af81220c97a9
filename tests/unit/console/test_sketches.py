"""Pictures of nights and places: what stands where, and that nothing from outside becomes markup."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from api.console.resident import usual_steps
from api.console.sketches import nights, places
from api.console.texts import Speech

ZONE = ZoneInfo("Asia/Shanghai")
HOME = (29.563, 106.551)


def night(evening: str, *spans: tuple[str, str, str]) -> dict[str, object]:
    made = [{"begins_at": one, "ends_at": other, "state": state} for one, other, state in spans]
    lain = [one for one in made if one["state"] == "in"]
    return {
        "evening": evening, "spans": made, "times_up": max(len(lain) - 1, 0),
        "in_bed_at": lain[0]["begins_at"] if lain else None, "up_at": lain[-1]["ends_at"] if lain else None,
    }  # fmt: skip


def test_nights_stand_at_their_hours_and_a_silent_one_is_blank() -> None:
    drawn = nights(
        [
            night("2026-01-30"),
            night("2026-01-31", ("2026-01-31T13:00:00Z", "2026-01-31T22:00:00Z", "in")),
        ],
        ZONE,
        Speech("zh"),
    )
    root = ElementTree.fromstring(drawn)  # noqa: S314 -- our own markup
    (bar,) = root.iter("rect")
    # 21:00 to 06:00 of a sheet from 18:00 to noon: from a sixth to two thirds.
    left, width = float(bar.attrib["x"]), float(bar.attrib["width"])
    assert (left - 60) / 426 == pytest.approx(1 / 6, abs=0.001)
    assert width / 426 == pytest.approx(1 / 2, abs=0.001)
    assert ["无数据" in drawn, "21:00–06:00" in drawn] == [True, True]
    assert nights([night("2026-01-30")], ZONE, Speech()) == ""


def fix(north_m: float, east_m: float, accuracy: float | None = 10.0) -> dict[str, object]:
    latitude, longitude = HOME[0] + north_m / 111_195, HOME[1] + east_m / (111_195 * 0.8698)
    return {"t": "2026-01-31T02:00:00Z", "latitude": latitude, "longitude": longitude, "accuracy_m": accuracy}


def fence(name: str, corners: list[tuple[float, float]], radius: float = 0.0) -> dict[str, object]:
    return {"name": name, "corners": corners, "radius_m": radius, "from_time": "00:00", "to_time": "00:00"}


def test_a_map_is_true_to_scale_with_north_up() -> None:
    drawn = places([fix(200, 100, 40.0), fix(0, 0)], [fence("院 <b>&", [HOME], 300.0)], ZONE, Speech("zh"))
    root = ElementTree.fromstring(drawn)  # noqa: S314 -- our own markup
    circles = {one.attrib["class"]: one.attrib for one in root.iter("circle")}
    area, around, newest = circles["fence"], circles["around"], circles["dot"]
    per_metre = float(area["r"]) / 300
    assert float(around["r"]) / per_metre == pytest.approx(40, rel=0.01)
    assert (float(newest["cx"]) - float(area["cx"])) / per_metre == pytest.approx(100, rel=0.01)
    assert (float(area["cy"]) - float(newest["cy"])) / per_metre == pytest.approx(200, rel=0.01)
    (bar,) = [one.attrib["d"] for one in root.iter("path") if one.attrib["class"] == "scale"]
    metres = int(re.search(r">(\d+) m</text>", drawn)[1])  # type: ignore[index]
    assert float(re.search(r"h([\d.]+)", bar)[1]) / per_metre == pytest.approx(metres, rel=0.01)  # type: ignore[index]
    assert "院 &lt;b&gt;&amp;" in drawn
    assert "±40 m" in drawn
    for circle in root.iter("circle"):
        x, y, radius = (float(circle.attrib[name]) for name in ("cx", "cy", "r"))
        assert 0 <= x - radius < x + radius <= 640
        assert 0 <= y - radius < y + radius <= 400


def test_a_map_with_nothing_is_none_and_one_fix_is_enough() -> None:
    assert places([], [], ZONE, Speech()) == ""
    alone = places([fix(0, 0, None)], [], ZONE, Speech("zh"))
    assert 'class="around"' not in alone
    assert 'class="home"' not in alone


def test_the_usual_stands_at_its_local_hour_and_only_where_it_is_known() -> None:
    hours = [
        {"hour": 7, "low": 60.0, "high": 80.0, "known": True},
        {"hour": 8, "low": 61.0, "high": 81.0, "known": False},
    ]
    start = datetime(2026, 1, 31, 12, 30, tzinfo=ZONE)
    steps = usual_steps(hours, start, start + timedelta(days=1), timedelta(minutes=15), ZONE)
    assert [(one.start, one.low, one.high) for one in steps] == [(datetime(2026, 2, 1, 7, tzinfo=ZONE), 60.0, 80.0)]
    (day,) = usual_steps(hours, start, start + timedelta(days=30), timedelta(days=1), ZONE)
    assert (day.low, day.high) == (60.0, 80.0)
    assert usual_steps(hours[1:], start, start + timedelta(days=1), timedelta(hours=1), ZONE) == []
