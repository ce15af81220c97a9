"""Homes and lives: a person and a time enter; what they are doing, and what a body then shows, leaves.

A day is drawn once per (seed, site, resident, local date) and looked up by time, so any start gives the same life.
Times are Unix seconds; arrays of times have shape (n,), and so have the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from simulators.provisioning import SimulatedResident, plan
from simulators.rng import keyed

Times = NDArray[np.float64]
Values = NDArray[np.float64]

# Asia/Shanghai has been UTC+8 without summer time since 1991; a fixed offset keeps lookups cheap.
LOCAL_OFFSET_SECONDS = 8 * 3600
DAY_SECONDS = 86_400
SLOT_SECONDS = 30
_SLOTS = DAY_SECONDS // SLOT_SECONDS
_MINUTE, _HOUR = 60.0, 3600.0


class Activity(IntEnum):
    """What a person is doing; indexes the tables below."""

    SLEEP = 0
    NAP = 1
    TOILET = 2
    SIT = 3
    MEAL = 4
    CHORES = 5
    EXERCISE = 6
    WALK_OUT = 7
    OUT = 8
    FALLEN = 9


# Per activity: heart rate above rest (/min), steps per minute, PIR detections per minute in the room.
_HEART_RATE_RISE = np.array([-7.0, -4.0, 7.0, 1.0, 5.0, 11.0, 20.0, 22.0, 9.0, 20.0])
_STEPS_PER_MINUTE = np.array([0.0, 0.0, 12.0, 0.8, 0.6, 14.0, 55.0, 88.0, 25.0, 0.0])
_PIR_PER_MINUTE = np.array([0.03, 0.04, 1.2, 0.5, 0.9, 2.0, 2.4, 0.0, 0.0, 0.0])
_IN_BED = np.array([activity in {Activity.SLEEP, Activity.NAP} for activity in Activity])
IN_BED = frozenset({Activity.SLEEP, Activity.NAP})
AWAY = frozenset({Activity.WALK_OUT, Activity.OUT})


class EpisodeKind(StrEnum):
    """What can befall a resident or a device."""

    FALL = "fall"
    SOS = "sos"
    TACHYCARDIA = "tachycardia"
    GAS_LEAK = "gas_leak"
    SILENT = "silent"
    NIGHT_WANDERING = "night_wandering"
    COLLAPSE = "collapse"
    WALKS_AWAY = "walks_away"
    CO_BUILD_UP = "co_build_up"
    WATER_RUNNING = "water_running"
    ROOM_COLD = "room_cold"


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that befalls one resident from `start` for `seconds`."""

    kind: EpisodeKind
    resident: int
    start: float
    seconds: float

    @property
    def end(self) -> float:
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Physiology:
    """What is a person's own: resting values, rhythm and habits. Hours are local."""

    heart_rate_rest: float
    spo2: float
    body_temp: float
    resp_rate: float
    wake_hour: float
    bed_hour: float
    stride: float
    night_toilet_mean: float
    walks_share: float
    outings_share: float
    naps_share: float
    phases: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Who lives, under which seed, and what befalls them: everything a stream needs."""

    seed: int
    site: str
    residents: tuple[SimulatedResident, ...]
    episodes: tuple[Episode, ...] = ()

    def life(self, resident: SimulatedResident) -> Life:
        """This person's life, with what befalls them."""
        return Life(resident, self.seed, [e for e in self.episodes if e.resident == resident.index])


def make_world(residents: int, seed: int, site: str, *, first: int = 0, episodes: Sequence[Episode] = ()) -> World:
    """A world of the people that `provisioning.plan` gives for the same arguments."""
    return World(seed, site, tuple(plan(residents, seed, site, first=first)), tuple(episodes))


@dataclass(frozen=True, slots=True)
class _Day:
    """One local date: activity per slot, uint8 (2880,), and steps taken by each slot's start, float64 (2881,)."""

    midnight: float
    slots: NDArray[np.uint8]
    steps: Values


class Life:
    """One resident's days. Nothing is stored but the last two dates looked up."""

    def __init__(self, resident: SimulatedResident, seed: int, episodes: Sequence[Episode] = ()) -> None:
        self.resident = resident
        self.seed = seed
        self.episodes = tuple(episodes)
        self.physiology = _physiology(keyed(seed, resident.site, resident.index, "physiology"))
        self._days: dict[int, _Day] = {}

    def activity(self, times: Times) -> NDArray[np.uint8]:
        """Activity codes at times that lie in one local date (all of a UTC hour does)."""
        day = self._day_of(float(times[0])) if len(times) else None
        if day is None:
            return np.empty(0, dtype=np.uint8)
        index = ((times - day.midnight) / SLOT_SECONDS).astype(np.int64)
        return day.slots[np.clip(index, 0, _SLOTS - 1)]

    def transitions(self, start: float, end: float) -> list[tuple[float, Activity, Activity]]:
        """Changes of activity at slot borders in [start, end) of one local date: (time, before, after)."""
        day = self._day_of(start)
        first = int((start - day.midnight) // SLOT_SECONDS)
        last = min(_SLOTS, int((end - day.midnight) // SLOT_SECONDS))
        before = day.slots[first - 1] if first > 0 else self._day_of(start - 1.0).slots[-1]
        codes = np.concatenate([[before], day.slots[first:last]])
        return [
            (day.midnight + (first + int(i)) * SLOT_SECONDS, Activity(codes[i]), Activity(codes[i + 1]))
            for i in np.flatnonzero(np.diff(codes.astype(np.int16)))
        ]

    def in_bed(self, times: Times) -> NDArray[np.bool_]:
        return _IN_BED[self.activity(times)]

    def pir_per_minute(self, times: Times) -> Values:
        return _PIR_PER_MINUTE[self.activity(times)]

    def steps(self, times: Times) -> NDArray[np.int64]:
        """Steps since local midnight, as wristbands count them."""
        if not len(times):
            return np.empty(0, dtype=np.int64)
        day = self._day_of(float(times[0]))
        position = np.clip((times - day.midnight) / SLOT_SECONDS, 0, _SLOTS)
        return np.interp(position, np.arange(_SLOTS + 1), day.steps).astype(np.int64)

    def heart_rate(self, times: Times, rng: np.random.Generator) -> Values:
        """/min: rest, time of day, activity with a lag of two minutes, slow waves, noise, and what befalls."""
        if not len(times):
            return np.empty(0)
        body, phase = self.physiology, self.physiology.phases
        day = self._day_of(float(times[0]))
        now = _HEART_RATE_RISE[self.activity(times)]
        lagged = np.maximum(times - 120.0, day.midnight)
        before = _HEART_RATE_RISE[day.slots[((lagged - day.midnight) / SLOT_SECONDS).astype(np.int64)]]
        daily = 2.0 * np.sin(2 * np.pi * ((times + LOCAL_OFFSET_SECONDS) / DAY_SECONDS - 0.375))
        waves = 1.5 * np.sin(times / 411.0 + phase[0]) + 1.2 * np.sin(times / 97.0 + phase[1])
        value = body.heart_rate_rest + 0.6 * now + 0.4 * before + daily + waves + rng.normal(0.0, 1.2, len(times))
        for episode in self.episodes:
            value = _befallen(episode, times, value, rng)
        return np.clip(value, 48.0, 180.0)

    def spo2(self, times: Times, rng: np.random.Generator) -> Values:
        """%: own level, about a point less in sleep, noise; never below 94 without a cause."""
        value = self.physiology.spo2 - 0.8 * self.in_bed(times) + rng.normal(0.0, 0.5, len(times))
        return np.clip(value, 94.0, 100.0)

    def body_temp(self, times: Times, rng: np.random.Generator) -> Values:
        """°C: own level, lowest before dawn and highest in the early evening, noise."""
        hours = ((times + LOCAL_OFFSET_SECONDS) % DAY_SECONDS) / 3600.0
        value = self.physiology.body_temp + 0.22 * np.cos(2 * np.pi * (hours - 17.5) / 24.0)
        return np.clip(value + rng.normal(0.0, 0.04, len(times)), 36.1, 37.3)

    def resp_rate(self, times: Times, rng: np.random.Generator) -> Values:
        """/min, in bed."""
        waves = 0.7 * np.sin(times / 733.0 + self.physiology.phases[2])
        return np.clip(self.physiology.resp_rate + waves + rng.normal(0.0, 0.6, len(times)), 12.0, 20.0)

    def _day_of(self, time: float) -> _Day:
        number = int((time + LOCAL_OFFSET_SECONDS) // DAY_SECONDS)
        day = self._days.get(number)
        if day is None:
            if len(self._days) > 1:
                del self._days[min(self._days)]
            day = self._days[number] = self._draw_day(number)
        return day

    def _draw_day(self, number: int) -> _Day:
        resident, body = self.resident, self.physiology
        rng = keyed(self.seed, resident.site, resident.index, "day", number)
        slots = np.full(_SLOTS, Activity.SIT, dtype=np.uint8)
        wake = (body.wake_hour + rng.normal(0.0, 0.2)) * _HOUR
        bed = min((body.bed_hour + rng.normal(0.0, 0.2)) * _HOUR, 23.4 * _HOUR)
        _waking_hours(rng, body, slots, wake, bed)
        _paint(slots, 0.0, wake, Activity.SLEEP)
        _paint(slots, bed, DAY_SECONDS, Activity.SLEEP)
        for _ in range(min(3, int(rng.poisson(body.night_toilet_mean)))):
            at = rng.uniform(0.3 * _HOUR, wake - 0.7 * _HOUR)
            _paint(slots, at, at + rng.uniform(3.0, 8.0) * _MINUTE, Activity.TOILET)
        midnight = number * float(DAY_SECONDS) - LOCAL_OFFSET_SECONDS
        for episode in self.episodes:
            _paint_episode(slots, episode, midnight)
        pace = _STEPS_PER_MINUTE[slots] * body.stride * (SLOT_SECONDS / 60.0)
        return _Day(midnight, slots, np.concatenate([[0.0], np.cumsum(pace)]))


def _waking_hours(
    rng: np.random.Generator, body: Physiology, slots: NDArray[np.uint8], wake: float, bed: float
) -> None:
    """Fill the time between getting up and going to bed; later strokes paint over earlier ones."""

    def around(hour: float, spread_hours: float = 0.25) -> float:
        return float((hour + rng.normal(0.0, spread_hours)) * _HOUR)

    def stroke(start: float, minutes_low: float, minutes_high: float, activity: Activity) -> None:
        minutes = rng.uniform(minutes_low, minutes_high)
        _paint(slots, start, min(start + minutes * _MINUTE, bed - 600.0), activity)

    stroke(around(8.6), 20, 60, Activity.CHORES)
    stroke(around(10.8), 20, 40, Activity.CHORES)
    stroke(around(16.6), 15, 50, Activity.CHORES)
    if rng.random() < body.walks_share:
        stroke(around(9.6), 25, 55, Activity.WALK_OUT)
    if rng.random() < body.outings_share:
        stroke(around(14.9), 50, 110, Activity.OUT)
    if rng.random() < body.walks_share * 0.6:
        stroke(around(18.8, 0.15), 15, 35, Activity.WALK_OUT)
    stroke(around(11.8), 20, 35, Activity.MEAL)
    if rng.random() < body.naps_share:
        stroke(around(12.8, 0.15), 35, 85, Activity.NAP)
    stroke(around(17.8), 20, 40, Activity.MEAL)
    stroke(wake, 6, 12, Activity.TOILET)
    stroke(wake + 900.0, 8, 18, Activity.EXERCISE)
    stroke(wake + 2400.0, 15, 30, Activity.MEAL)
    for hour in (10.3, 14.4, 16.2, 19.8):
        at = around(hour, 0.2)
        if slots[int(at // SLOT_SECONDS)] == Activity.SIT:
            stroke(at, 3, 7, Activity.TOILET)
    stroke(bed - 1500.0, 8, 14, Activity.TOILET)


def _paint(slots: NDArray[np.uint8], start: float, end: float, activity: Activity) -> None:
    first, last = round(start / SLOT_SECONDS), round(end / SLOT_SECONDS)
    slots[max(0, first) : max(0, min(_SLOTS, last))] = activity


def _paint_episode(slots: NDArray[np.uint8], episode: Episode, midnight: float) -> None:
    """What befalls a person also changes what they do, before and after, at whatever hour it strikes."""
    start, end = episode.start - midnight, episode.end - midnight
    start_slot = (start // SLOT_SECONDS) * SLOT_SECONDS
    if episode.kind is EpisodeKind.FALL:
        _paint(slots, start_slot - 90.0, start_slot, Activity.CHORES)
        _paint(slots, start_slot, end, Activity.FALLEN)
        _paint(slots, end, end + 1800.0, Activity.SIT)
    elif episode.kind is EpisodeKind.SOS:
        _paint(slots, start - 120.0, end, Activity.SIT)
    elif episode.kind is EpisodeKind.TACHYCARDIA:
        _paint(slots, start - 900.0, end + 600.0, Activity.SIT)
    elif episode.kind is EpisodeKind.NIGHT_WANDERING:
        _paint(slots, start, end, Activity.CHORES)
    elif episode.kind is EpisodeKind.COLLAPSE:
        _paint(slots, start, end, Activity.FALLEN)
    elif episode.kind is EpisodeKind.WALKS_AWAY:
        _paint(slots, start, end, Activity.WALK_OUT)


def _befallen(episode: Episode, times: Times, value: Values, rng: np.random.Generator) -> Values:
    """Heart rate under an episode; ramps take half a minute up and five minutes down."""
    if episode.kind is EpisodeKind.TACHYCARDIA:
        rise = np.clip((times - episode.start) / 30.0, 0.0, 1.0)
        fall = np.clip((times - episode.end) / 300.0, 0.0, 1.0)
        share = rise * (1.0 - fall)
        return value + share * (135.0 + rng.normal(0.0, 2.0, len(times)) - value)
    if episode.kind is EpisodeKind.SOS:
        inside = (times >= episode.start) & (times < episode.end)
        return value + 14.0 * inside
    return value


def _physiology(rng: np.random.Generator) -> Physiology:
    """Draw a person. Ranges are those of older adults living without acute illness."""
    return Physiology(
        heart_rate_rest=float(np.clip(rng.normal(70.0, 5.0), 62.0, 80.0)),
        spo2=float(np.clip(rng.normal(97.0, 0.6), 95.8, 98.4)),
        body_temp=float(np.clip(rng.normal(36.6, 0.12), 36.4, 36.85)),
        resp_rate=float(np.clip(rng.normal(15.5, 1.0), 13.5, 17.5)),
        wake_hour=float(np.clip(rng.normal(6.0, 0.5), 5.0, 7.2)),
        bed_hour=float(np.clip(rng.normal(21.6, 0.5), 20.6, 22.8)),
        stride=float(np.clip(rng.normal(1.0, 0.15), 0.6, 1.3)),
        night_toilet_mean=float(rng.uniform(0.4, 1.9)),
        walks_share=float(rng.uniform(0.3, 0.95)),
        outings_share=float(rng.uniform(0.1, 0.5)),
        naps_share=float(rng.uniform(0.6, 0.98)),
        phases=tuple(rng.uniform(0.0, 2 * np.pi, 4).tolist()),
    )
