"""Wristband: vitals, steps and battery every minute, SOS presses, and accelerometer windows around sharp movement."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators import motion
from simulators.provisioning import SimulatedDevice
from simulators.sensors.base import Entry, Sensor, SensorOptions, Window
from simulators.world import Activity, Episode, EpisodeKind, Life, Times

WINDOW_SECONDS = 5
# While the heart races the band measures more often, as real ones do.
URGENT_SECONDS = 15.0
_SLOW_EVERY = 10
_BRISK_SHARE = 0.15
_BRISK_WINDOWS = 4
_SEND_DELAY_SECONDS = 0.3


class Wristband(Sensor):
    kind = "wristband"
    battery_days = 5.0

    def __init__(self, device: SimulatedDevice, life: Life, options: SensorOptions) -> None:
        super().__init__(device, life, options)
        self._falls: dict[float, tuple[motion.Samples, motion.Samples]] = {}

    def telemetry(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:
        regular = self.grid(start, end, self.options.wristband_seconds, 1.5)
        slow = dict.fromkeys(regular[::_SLOW_EVERY].tolist())
        times = self._with_urgent(regular, start, end)
        heart, oxygen = self.life.heart_rate(times, rng), self.life.spo2(times, rng)
        steps, warmth = self.life.steps(times), self.life.body_temp(times, rng)
        entries = []
        for time, rate, spo2, count, temp in zip(
            times.tolist(),
            np.round(heart).astype(int).tolist(),
            np.round(oxygen).astype(int).tolist(),
            steps.tolist(),
            np.round(warmth, 1).tolist(),
            strict=True,
        ):
            metrics: dict[str, Any] = {"heart_rate": rate, "spo2": spo2, "steps": count}
            if time in slow:
                metrics["body_temp"] = temp
                metrics["battery"] = round(self.battery(time))
            entries.append(Entry(time, "telemetry", metrics))
        return entries

    def happenings(self, start: float, end: float, rng: np.random.Generator) -> list[Entry]:  # noqa: ARG002 -- the signature is that of every sensor
        entries = [
            Entry(episode.start, "event", ("sos", {"button": "wristband", "held_seconds": 3}))
            for episode in self.life.episodes
            if episode.kind is EpisodeKind.SOS and start <= episode.start < end
        ]
        if self.options.motion != "off":
            entries += self._windows(start, end)
        return entries

    def _with_urgent(self, regular: Times, start: float, end: float) -> Times:
        extra = [
            np.arange(max(start, episode.start), min(end, episode.end), URGENT_SECONDS)
            for episode in self.life.episodes
            if episode.kind is EpisodeKind.TACHYCARDIA and episode.start < end and episode.end > start
        ]
        return np.unique(np.concatenate([regular, *extra])) if extra else regular

    def _windows(self, start: float, end: float) -> list[Entry]:
        """Windows on a fixed grid, so that those of one burst follow each other without gap or overlap."""
        falls = [e for e in self.life.episodes if e.kind is EpisodeKind.FALL]
        late = WINDOW_SECONDS + _SEND_DELAY_SECONDS
        wanted: dict[float, float] = {}
        if self.options.motion == "continuous":
            first = np.ceil((start - late) / WINDOW_SECONDS) * WINDOW_SECONDS
            wanted = {t: t + WINDOW_SECONDS for t in np.arange(first, end - late, WINDOW_SECONDS).tolist()}
        else:
            for fall in falls:
                wanted.update(_covering(fall.start - motion.BEFORE_SECONDS, fall.start + motion.AFTER_SECONDS))
            wanted.update(self._brisk(start, end))
        return [
            Entry(t0 + late, "motion", Window(t0, anchor, float(motion.HZ), motion.SCALE, self._samples(t0, falls)))
            for t0, anchor in sorted(wanted.items())
            if start <= t0 + late < end
        ]

    def _brisk(self, start: float, end: float) -> dict[float, float]:
        """Now and then the band reports walking: most of what a fall detector sees is not a fall."""
        rng = self.rng("brisk", int(start))
        if rng.random() >= _BRISK_SHARE:
            return {}
        latest = end - (_BRISK_WINDOWS + 2) * WINDOW_SECONDS
        times = np.arange(start, latest, 60.0)
        walking = times[self.life.activity(times) == Activity.WALK_OUT]
        if not len(walking):
            return {}
        t0 = float(rng.choice(walking))
        return _covering(t0, t0 + _BRISK_WINDOWS * WINDOW_SECONDS)

    def _samples(self, t0: float, falls: list[Episode]) -> np.ndarray[Any, np.dtype[np.int16]]:
        n = WINDOW_SECONDS * motion.HZ
        rng = self.rng("motion", int(t0))
        activity = Activity(int(self.life.activity(np.array([t0]))[0]))
        fallen = next((f for f in falls if f.start <= t0 < f.end), None)
        posture = self._fall(fallen)[1] if fallen else None
        samples = motion.activity_samples(rng, activity, t0, n, posture)
        for fall in falls:
            signal = self._fall(fall)[0]
            offset = round((t0 - (fall.start - motion.BEFORE_SECONDS)) * motion.HZ)
            first, last = max(0, -offset), min(n, len(signal) - offset)
            if first < last:
                samples[first:last] = signal[offset + first : offset + last]
        return motion.to_counts(samples)

    def _fall(self, fall: Episode) -> tuple[motion.Samples, motion.Samples]:
        if fall.start not in self._falls:
            self._falls[fall.start] = motion.fall_samples(self.rng("fall", round(fall.start * 1000)))
        return self._falls[fall.start]


def _covering(start: float, end: float) -> dict[float, float]:
    """The grid windows that cover [start, end), each with the burst's end."""
    first = int(start // WINDOW_SECONDS) * WINDOW_SECONDS
    last = int(-(-end // WINDOW_SECONDS)) * WINDOW_SECONDS
    return {float(t0): float(last) for t0 in range(first, last, WINDOW_SECONDS)}
