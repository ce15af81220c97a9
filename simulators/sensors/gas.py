"""Gas detector in the kitchen: the concentration, and an alarm with its end when a leak comes."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators.sensors.base import Entry, Sensor
from simulators.world import Episode, EpisodeKind, Times, Values

ALARM_LEL = 10.0
_RISE_SECONDS = 40.0
_PEAK_LEL = 24.0
_ALARM_REPORT_SECONDS = 10.0
# Household detectors sound between 15 and 60 s of gas, so that a puff from lighting the stove does not set them off.
ALARM_DELAY_SECONDS = 20.0
_AIRING_SECONDS = 120.0


class Gas(Sensor):
    kind = "gas"
    battery_days = 900.0

    def telemetry(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:
        urgent = [
            np.arange(max(start, episode.start), min(end, episode.end), _ALARM_REPORT_SECONDS)
            for episode in self._leaks(start, end)
        ]
        every = np.unique(np.concatenate([self.grid(start, end, self.report_seconds, 1.0), *urgent]))
        level = np.round(self._concentration(every) + np.abs(rng.normal(0.0, 0.3, len(every))), 1)
        return [
            Entry(time, "telemetry", {"gas_lel": value})
            for time, value in zip(every.tolist(), level.tolist(), strict=True)
        ]

    def first(self, time: float) -> dict[str, Any]:
        return {"gas_lel": round(float(self._concentration(np.array([time]))[0]), 1)}

    def happenings(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:  # noqa: ARG002 -- the signature is that of every sensor
        entries = []
        for episode in self.life.episodes:
            if episode.kind is not EpisodeKind.GAS_LEAK:
                continue
            alarm = episode.start + ALARM_DELAY_SECONDS
            level = round(float(self._concentration(np.array([alarm]))[0]), 1)
            if start <= alarm < end:
                entries.append(Entry(alarm, "event", ("gas", {"gas_lel": level, "alarm_at": ALARM_LEL})))
            if start <= episode.end < end:
                entries.append(Entry(episode.end, "event", ("restore", {"of": "gas"})))
        return entries

    def _leaks(self, start: float, end: float) -> list[Episode]:
        return [e for e in self.life.episodes if e.kind is EpisodeKind.GAS_LEAK and e.start < end and e.end > start]

    def _concentration(self, times: Times) -> Values:
        """%LEL: rises within a minute, stays, and is aired out before the episode ends."""
        level = np.zeros(len(times))
        for episode in self.life.episodes:
            if episode.kind is EpisodeKind.GAS_LEAK:
                rise = np.clip((times - episode.start) / _RISE_SECONDS, 0.0, 1.0)
                airing = np.clip((episode.end - times) / _AIRING_SECONDS, 0.0, 1.0)
                level += _PEAK_LEL * rise * airing
        return level
