"""What sensors report only while something befalls: a kind of device, episodes and an hour enter, entries leave.

The kitchen's alarm also measures carbon monoxide and water, the smoke detector warmth, the wristband its position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from simulators.sensors.base_entry import Entry
from simulators.world import Episode, EpisodeKind

HOME = (29.563, 106.551)
"""Where everybody lives, degrees."""
METRES_PER_DEGREE = 111_195.0
_Readings = Callable[[float], dict[str, float]]


def _co(seconds: float) -> dict[str, float]:
    return {"co_ppm": round(min(150.0, seconds / 4.0), 1)}


def _water(_: float) -> dict[str, float]:
    return {"water_flow": 8.0}


def _cold(seconds: float) -> dict[str, float]:
    return {"room_temp": round(12.5 + 6.0 * float(np.exp(-seconds / 600.0)), 1)}


def _walks_away(seconds: float) -> dict[str, float]:
    north = min(2000.0, 0.9 * seconds) / METRES_PER_DEGREE
    return {"lat": round(HOME[0] + north, 6), "lon": HOME[1], "loc_acc": 15.0}


_REPORTS: dict[EpisodeKind, tuple[str, float, _Readings]] = {
    EpisodeKind.CO_BUILD_UP: ("gas", 60.0, _co),
    EpisodeKind.WATER_RUNNING: ("gas", 300.0, _water),
    EpisodeKind.ROOM_COLD: ("smoke", 300.0, _cold),
    EpisodeKind.WALKS_AWAY: ("wristband", 60.0, _walks_away),
}
"""Kind of episode -> (kind of device, seconds between reports, what it reports so long after the beginning)."""


def reports(device_kind: str, episodes: Sequence[Episode], start: float, end: float) -> list[Entry]:
    """Telemetry of this kind of device in [start, end) because of these episodes."""
    entries = []
    for episode in episodes:
        kind, period, readings = _REPORTS.get(episode.kind, ("", 0.0, _water))
        if kind == device_kind:
            times = np.arange(episode.start, episode.end, period)
            due = times[(times >= start) & (times < end)].tolist()
            entries += [Entry(time, "telemetry", readings(time - episode.start)) for time in due]
    return entries
