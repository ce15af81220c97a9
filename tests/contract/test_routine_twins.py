"""The detectors of homes and habits against slow twins: plain loops over lists of everything that was seen."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from alerts.detectors.base import make_batch
from alerts.detectors.home import HomeDetector
from alerts.detectors.inactivity import InactivityDetector
from alerts.detectors.night import NightDetector
from alerts.detectors.place import Fence, PlaceDetector
from alerts.detectors.routine_day import RoutineDay
from core.metrics import BY_CODE

DAY = 86_400.0
T0 = 20_000 * DAY  # a midnight in the zone used here, UTC


def one(code: str, time: float, value: float, subject: int = 0) -> tuple[int, int, float, float]:
    return (subject, BY_CODE[code].id, time, value)


def life(rng: np.random.Generator, days: int) -> list[tuple[str, float, float]]:
    """Whole-minute events of one home: (metric, time, value); little by night, nothing for half of some days."""
    events = []
    for day in range(days):
        if day == days - 2:
            break  # two days of nothing
        stop = 12 if rng.random() < 0.2 else 23
        for hour in range(24):
            busy = 6 if 7 <= hour < stop else rng.choice([0, 0, 1, 4])
            for minute in rng.choice(60, int(rng.poisson(busy)) % 60, replace=False):
                time = T0 + DAY * day + 3600.0 * hour + 60.0 * minute
                metric = str(rng.choice(["motion", "motion", "motion", "door"], p=[0.3, 0.3, 0.3, 0.1]))
                events.append((metric, time, float(metric != "door" or rng.random() < 0.6)))
    return sorted(events, key=lambda event: event[1])


def share_quantile(values: list[float], share: float) -> float:
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if len(values) >= 7 else math.nan


def slow_limit(alive: list[float], doors: list[float], now: float) -> float:
    """How long the home may be still at `now`, from the events before: a direct reading of the rule."""
    longest: dict[tuple[int, int], float] = {}
    for before, after in itertools.pairwise(alive):
        left = max((d for d in doors if d <= before), default=-1e18)
        if before - left <= 120:
            continue
        for hour in range(int(before // 3600), int(after // 3600) + 1):
            lasted = math.ceil(min(min((hour + 1) * 3600, after) - before, 12 * 3600) / 60) * 60
            longest[hour // 24, hour % 24] = max(longest.get((hour // 24, hour % 24), 0), lasted)
    today, hour = int(now // DAY), int(now // 3600 % 24)
    past = [longest[day, hour] for day in range(today - 27, today) if (day, hour) in longest]
    usual = share_quantile(past, 0.9)
    return 36_000.0 if math.isnan(usual) else min(36_000.0, 1.5 * usual + 7200)


@pytest.mark.parametrize("seed", range(4))
def test_inactivity_agrees_with_its_twin(seed: int) -> None:
    events = life(np.random.default_rng(seed), 20)
    detector = InactivityDetector(utc_offset_seconds=0)
    raised, expected, alive, doors = [], [], [], []
    told = False
    waiting = list(events)
    for now in np.arange(T0, T0 + 20 * DAY, 900.0):
        due = [event for event in waiting if event[1] <= now]
        waiting = waiting[len(due) :]
        detector.consume(make_batch([one(*event) for event in due]))
        signs = sorted({time for _, time, value in due if value > 0})
        if signs:
            told = False
        alive += signs
        doors += [time for metric, time, value in due if metric == "door" and value > 0]
        raised += [now for found in detector.tick(now) if found.type == "inactivity"]
        if alive and not told:
            still, away = now - alive[-1], bool(doors) and alive[-1] - max(doors) <= 120
            if still > slow_limit(alive, doors, now) and not (away and still < 12 * 3600):
                expected.append(now)
                told = True
    assert raised == expected
    assert raised


def test_a_home_that_was_left_is_not_missed_and_one_that_was_not_is() -> None:
    for metric, quiet_hours, alarm in (
        ("door", 11.5, False),
        ("motion", 11.5, True),
        ("door", 12.5, True),
    ):
        detector = InactivityDetector(utc_offset_seconds=0)
        detector.consume(make_batch([one("motion", T0, 1.0), one(metric, T0 + 600, 1.0)]))
        found = [f.type for f in detector.tick(T0 + 600 + 3600 * quiet_hours)]
        assert ("inactivity" in found) is alarm


def test_pain_38_sensors_that_have_fallen_silent_say_nothing_about_the_person() -> None:
    detector = InactivityDetector(utc_offset_seconds=0)
    detector.consume(make_batch([one("motion", T0 - 300, 0.0), one("motion", T0, 1.0)]))
    assert detector.tick(T0 + 11 * 3600) == []
    detector.consume(make_batch([one("motion", T0 + 11 * 3600, 0.0)]))
    assert [f.type for f in detector.tick(T0 + 11 * 3600 + 1)] == ["inactivity"]


def test_a_missed_morning_is_told_after_the_usual_time_and_ends_with_the_first_step() -> None:
    detector = InactivityDetector(utc_offset_seconds=0)
    for day in range(10):
        rows = [one("motion", T0 + DAY * day + 3600 * hour, 1.0) for hour in (3.9, 7 + 0.1 * (day % 3), 9, 14, 21)]
        detector.consume(make_batch(rows))
        assert [f for f in detector.tick(T0 + DAY * day + 21.2 * 3600) if f.type == "missed_morning"] == []
    day = T0 + 10 * DAY
    detector.consume(make_batch([one("motion", day + 3.9 * 3600, 1.0)]))
    limit = (7.2 + 1.5) * 3600
    assert [f for f in detector.tick(day + limit - 1) if f.type == "missed_morning"] == []
    (found,) = [f for f in detector.tick(day + limit + 60) if f.type == "missed_morning"]
    assert (found.type, found.phase) == ("missed_morning", "raised")
    assert found.evidence["limit"] == pytest.approx(limit)
    cleared = detector.consume(make_batch([one("motion", day + limit + 120, 1.0)]))
    assert [(f.type, f.phase) for f in cleared] == [("missed_morning", "cleared")]


def test_one_stillness_is_one_alert() -> None:
    """A missed morning that lasts becomes more severe; who is missed already is not missed in the morning too."""
    for last_hour, expected in (
        (3.9, [("missed_morning", "medium"), ("missed_morning", "high")]),
        (0.5, [("inactivity", "high")]),
    ):
        detector = InactivityDetector(utc_offset_seconds=0)
        for day in range(10):
            rows = [one("motion", T0 + DAY * day + 3600 * hour, 1.0) for hour in (3.9, 7 + 0.1 * (day % 3), 9, 14, 21)]
            detector.consume(make_batch(rows))
        day = T0 + 10 * DAY
        detector.consume(make_batch([one("motion", day + 3600 * last_hour, 1.0)]))
        found = [f for minute in range(240, 720, 5) for f in detector.tick(day + 60.0 * minute)]
        assert [(f.type, f.severity.value) for f in found] == expected
        over = detector.consume(make_batch([one("motion", day + 12 * 3600, 1.0)]))
        assert [(f.type, f.phase) for f in over] == [(expected[0][0], "cleared")]


@pytest.mark.parametrize("seed", range(3))
def test_night_wandering_agrees_with_its_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    detector = NightDetector(utc_offset_seconds=0)
    seen: dict[int, set[int]] = {}
    raised, expected, told = [], [], None
    for night in range(20):
        busy = int(rng.choice([2, 4, 20, 60]))
        begin = T0 + DAY * night + 23 * 3600
        times = np.sort(rng.uniform(begin - 3600, begin + 7 * 3600, busy))
        for now in np.arange(begin - 1800, begin + 8 * 3600, 600.0):
            part = times[(times <= now) & (times > now - 600)]
            detector.consume(make_batch([one("motion", float(t), 1.0) for t in part]))
            for t in part:
                if begin <= t < begin + 6 * 3600:
                    seen.setdefault(night, set()).add(int((t - begin) // 600))
            raised += [now for f in detector.tick(now) if (f.type, f.phase) == ("night_wandering", "raised")]
            restless = {at: {b for b in bins if bins & {b - 1, b + 1}} for at, bins in seen.items()}
            past = [float(len(bins)) for at, bins in restless.items() if night - 28 < at < night]
            usual = share_quantile(past, 0.9)
            limit = 15 if math.isnan(usual) else max(15, usual + 4)
            if begin <= now < begin + 6 * 3600 and told != night and len(restless.get(night, ())) >= limit:
                expected.append(now)
                told = night
    assert raised == expected
    assert raised


def test_an_empty_bed_and_an_open_door_are_told_at_night_only() -> None:
    for hour, told in ((2.0, True), (14.0, False)):
        detector = NightDetector(utc_offset_seconds=0)
        t = T0 + 3600 * hour
        detector.consume(make_batch([one("bed", t - 600, 1.0), one("bed", t, 0.0), one("door", t, 1.0)]))
        assert detector.tick(t + 299) == []
        found = detector.tick(t + 300) + detector.tick(t + 1799) + detector.tick(t + 1800) + detector.tick(t + 3600)
        kinds = [(f.type, f.severity.value) for f in found]
        assert kinds == (
            [("door_open_night", "medium"), ("bed_not_returned", "medium"), ("bed_not_returned", "high")] * told
        )
        back = detector.consume(make_batch([one("bed", t + 4000, 1.0), one("door", t + 4000, 0.0)]))
        assert [f.type for f in back] == ["bed_not_returned"] * told


def test_going_out_at_night_is_told_when_nothing_stirs_after_the_door() -> None:
    for stirs, told in ((False, True), (True, False)):
        detector = NightDetector(utc_offset_seconds=0)
        t = T0 + 2 * 3600
        rows = [one("motion", t - 60, 1.0), one("door", t, 1.0), one("door", t + 30, 0.0)]
        detector.consume(make_batch(rows + [one("motion", t + 400, 1.0)] * stirs))
        found = detector.tick(t + 901)
        assert [(f.type, f.severity.value) for f in found] == [("door_open_night", "high")] * told
        detector.consume(make_batch([one("motion", t + 1000, 1.0)]))
        assert [f.phase for f in detector.tick(t + 1001)] == ["cleared"] * told


def slow_co(readings: list[tuple[float, float]]) -> float | None:
    """When the dose of a band is full: seconds at or above each band, wearing off below it."""
    dose = dict.fromkeys((30, 50, 100, 300), 0.0)
    full = {30: 7200, 50: 3600, 100: 600, 300: 60}
    for (before, value), (time, _) in itertools.pairwise(readings):
        for band in dose:
            span = min(900.0, time - before)
            dose[band] = min(full[band], max(0.0, dose[band] + (span if value >= band else -span)))
            if dose[band] >= full[band]:
                return time
    return None


@pytest.mark.parametrize("seed", range(6))
def test_carbon_monoxide_agrees_with_its_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    level = rng.choice([[0, 40, 20], [60, 20, 55], [0, 120, 90], [0, 310, 0]], axis=0)
    readings = [(T0 + 60.0 * i, float(rng.choice(level))) for i in range(400)]
    detector = HomeDetector()
    found = [f for t, v in readings for f in detector.consume(make_batch([one("co_ppm", t, v)])) if f.phase == "raised"]
    expected = slow_co(readings)
    assert [f.time for f in found][:1] == ([] if expected is None else [expected])


@pytest.mark.parametrize(("ppm", "minutes"), [(30, 120), (50, 60), (100, 10), (300, 1), (29, None)])
def test_each_band_of_en_50291_alarms_in_its_time(ppm: float, minutes: float | None) -> None:
    detector, raised = HomeDetector(), None
    for second in range(0, 10_800, 30):
        found = detector.consume(make_batch([one("co_ppm", T0 + second, ppm)]))
        if found and raised is None:
            raised = found[0].time - T0
    assert raised == (None if minutes is None else 60 * minutes)


def test_a_dose_is_full_without_waiting_for_the_next_message() -> None:
    detector = HomeDetector()
    detector.consume(make_batch([one("co_ppm", T0, 350.0)]))
    assert detector.tick(T0 + 59) == []
    assert [f.severity.value for f in detector.tick(T0 + 60)] == ["critical"]


@pytest.mark.parametrize(
    ("metric", "value", "kind", "severity"),
    [
        ("smoke", 1.0, "smoke", "critical"),
        ("gas_lel", 10.0, "gas", "critical"),
        ("water_leak", 1.0, "water_leak", "high"),
    ],
)
def test_smoke_gas_and_leaks_are_told_at_once(metric: str, value: float, kind: str, severity: str) -> None:
    detector = HomeDetector()
    (found,) = detector.consume(make_batch([one(metric, T0, value)]))
    assert (found.type, found.severity.value, found.phase) == (kind, severity, "raised")
    (over,) = detector.consume(make_batch([one(metric, T0 + 60, 0.0)]))
    assert (over.type, over.phase) == (kind, "cleared")


@pytest.mark.parametrize(
    ("degrees", "told"),
    [(15.5, [("room_cold", 60, "medium")]), (9.0, [("room_cold", 30, "high")]), (20.0, []),
     (29.0, [("room_hot", 60, "medium")]), (33.0, [("room_hot", 30, "high")])],
)  # fmt: skip
def test_cold_and_heat_are_told_when_they_last(degrees: float, told: list[tuple[str, int, str]]) -> None:
    detector, found = HomeDetector(), []
    for minute in range(0, 120, 5):
        found += detector.consume(make_batch([one("room_temp", T0 + 60 * minute, degrees)]))
    assert [(f.type, round((f.time - T0) / 60), f.severity.value) for f in found] == told
    over = detector.consume(make_batch([one("room_temp", T0 + 7200, 20.0)]))
    assert [f.phase for f in over] == ["cleared"] * len(told)


def test_water_that_runs_on_and_water_that_is_not_drawn() -> None:
    detector, found = HomeDetector(), []
    for minute in range(0, 90, 5):
        found += detector.consume(make_batch([one("water_flow", T0 + 60 * minute, 3.0)]))
    assert [(f.type, (f.time - T0) / 60) for f in found] == [("water_running", 60)]
    found = []
    for minute in range(90, 90 + 26 * 60, 5):
        found += detector.consume(make_batch([one("water_flow", T0 + 60 * minute, 0.0)]))
    assert [(f.type, f.phase, f.severity.value) for f in found] == [
        ("water_running", "cleared", "high"),
        ("water_unused", "raised", "medium"),
        ("water_unused", "raised", "high"),
    ]
    assert found[2].time - found[1].time == 12 * 3600


def test_pain_24_a_silent_sensor_neither_raises_nor_ends_anything() -> None:
    detector = HomeDetector()
    detector.consume(make_batch([one("room_temp", T0, 12.0), one("co_ppm", T0, 40.0), one("water_flow", T0, 0.0)]))
    assert [f for hour in range(1, 48) for f in detector.tick(T0 + 3600.0 * hour)] == []


def haversine_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, point)) for point in (a, b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6_371_000 * math.asin(math.sqrt(h))


HOME = (29.505, 106.505)
ELL = ((29.50, 106.50), (29.50, 106.52), (29.51, 106.52), (29.51, 106.51), (29.52, 106.51), (29.52, 106.50))


def slow_outside(at: tuple[float, float], fence: Fence) -> float:
    """Metres outside, by trying many points of the border; inside a polygon by its two rectangles."""
    if fence.radius_m:
        return haversine_m(at, fence.corners[0]) - fence.radius_m
    ring = [*fence.corners, fence.corners[0]]
    border = min(
        haversine_m(at, (a[0] + (b[0] - a[0]) * k / 400, a[1] + (b[1] - a[1]) * k / 400))
        for a, b in itertools.pairwise(ring)
        for k in range(401)
    )
    lat, lon = at
    inside = (29.50 < lat < 29.51 and 106.50 < lon < 106.52) or (29.51 <= lat < 29.52 and 106.50 < lon < 106.51)
    return -border if inside else border


@pytest.mark.parametrize("fence", [Fence((HOME,), 400.0), Fence(ELL)], ids=["circle", "polygon"])
def test_place_agrees_with_its_twin(fence: Fence) -> None:
    rng = np.random.default_rng(3)
    detector = PlaceDetector(utc_offset_seconds=0)
    detector.set_fences({0: [fence]})
    raised, out, inside, got, expected = False, 0, 0, [], []
    at = np.array(HOME)
    for step in range(300):
        at = at + rng.normal(0, 0.0015, 2)
        at = np.array(HOME) + 0.97 * (at - HOME)
        accuracy, t = float(rng.choice([8, 40, 200, 900])), T0 + 12 * 3600 + 60.0 * step
        lat, lon = float(at[0]), float(at[1])
        rows = [one("lat", t, lat), one("lon", t, lon), one("loc_acc", t, accuracy)]
        got += [(step, f.phase) for f in detector.consume(make_batch(rows)) if f.type == "geofence_exit"]
        if accuracy > 500:
            continue
        distance = slow_outside((lat, lon), fence)
        out, inside = (out + 1 if distance > accuracy else 0), (inside + 1 if distance <= 0 else 0)
        if out >= 2 and not raised:
            raised = True
            expected.append((step, "raised"))
        elif inside >= 2 and raised:
            raised = False
            expected.append((step, "cleared"))
    assert got == expected
    assert len(got) > 3


def test_a_fence_by_schedule_binds_in_its_hours_only_and_night_is_worse() -> None:
    fence = Fence((HOME,), 200.0, from_minute=20 * 60, to_minute=6 * 60)
    for hour, severity in ((12.0, None), (21.0, "high"), (2.0, "critical")):
        detector = PlaceDetector(utc_offset_seconds=0)
        detector.set_fences({0: [fence]})
        found = []
        for minute in range(3):
            t = T0 + 3600 * hour + 60 * minute
            found += detector.consume(make_batch([one("lat", t, 29.6), one("lon", t, 106.6)]))
        assert [f.severity.value for f in found] == ([severity] if severity else [])
        assert all("lat" not in f.evidence and "lon" not in f.evidence for f in found)


def slow_turns(corners: list[tuple[float, float, float]]) -> tuple[float, float, int]:
    """Metres, straightness and sharp turns of (time, latitude, longitude), by compass headings."""
    legs = []
    for (_, lat1, lon1), (_, lat2, lon2) in itertools.pairwise(corners):
        north, east = (lat2 - lat1) * 111_195, (lon2 - lon1) * 111_195 * math.cos(math.radians(lat1))
        legs.append((math.hypot(north, east), math.degrees(math.atan2(east, north))))
    length = sum(leg for leg, _ in legs)
    turns = sum(abs((b - a + 180) % 360 - 180) >= 90 - 1e-6 for (_, a), (_, b) in itertools.pairwise(legs))
    north, east = (sum(leg * f(math.radians(h)) for leg, h in legs) for f in (math.cos, math.sin))
    return length, math.hypot(north, east) / length if length else 0.0, turns


def walked(kind: str, rng: np.random.Generator, steps: int) -> np.ndarray:
    """A fix a minute, (steps, 2): to and fro in a yard, round a park, to the shop and back, or sitting still."""
    t = np.arange(steps)
    if kind == "pacing":
        metres = np.stack([60.0 * (t % 2) + rng.normal(0, 4, steps), rng.normal(0, 4, steps)], 1)
    elif kind == "park":
        metres = 200 * np.stack([np.cos(t / 6), np.sin(t / 6)], 1)
    elif kind == "shop":
        metres = np.stack([60.0 * np.minimum(t, steps - t), 0.0 * t], 1)
    else:
        metres = rng.normal(0, 8, (steps, 2))
    return np.array(HOME) + metres / [111_195, 111_195 * math.cos(math.radians(HOME[0]))]


@pytest.mark.parametrize("seed", range(3))
def test_wandering_agrees_with_its_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = ["sitting", "pacing", "shop", "pacing", "park", "sitting"]
    fixes = np.concatenate([walked(kind, rng, 50) for kind in kinds])
    detector, got, expected, corners, raised = PlaceDetector(utc_offset_seconds=0), [], [], [], False
    for step, (lat, lon) in enumerate(fixes):
        t, accuracy = T0 + 9 * 3600 + 60.0 * step, float(rng.choice([5, 12, 90], p=[0.6, 0.3, 0.1]))
        rows = [one("lat", t, lat), one("lon", t, lon), one("loc_acc", t, accuracy)]
        got += [(step, f.type, f.phase) for f in detector.consume(make_batch(rows))]
        if accuracy > 50:
            continue
        corners = [corner for corner in corners if t - corner[0] <= 2700]
        if not corners or slow_turns([corners[-1], (t, lat, lon)])[0] >= max(30, 2 * accuracy):
            corners = [*corners, (t, lat, lon)][-24:]
        length, straightness, turns = slow_turns(corners)
        if not raised and length >= 400 and straightness <= 0.3 and turns >= 6:
            raised = True
            expected.append((step, "wandering", "raised"))
        elif raised and turns <= 3 and not (length >= 400 and straightness <= 0.3 and turns >= 6):
            raised = False
            expected.append((step, "wandering", "cleared"))
    assert got == expected
    assert [phase for _, _, phase in got].count("raised") == 2


@pytest.mark.parametrize(("kind", "told"), [("pacing", True), ("park", False), ("shop", False), ("sitting", False)])
def test_only_a_walk_that_goes_nowhere_is_wandering(kind: str, told: bool) -> None:
    for hour, severity in ((14.0, "medium"), (2.0, "high")):
        detector, found = PlaceDetector(utc_offset_seconds=0), []
        for step, (lat, lon) in enumerate(walked(kind, np.random.default_rng(5), 40)):
            t = T0 + 3600 * hour + 60.0 * step
            rows = [one("lat", t, lat), one("lon", t, lon), one("loc_acc", t, 8.0)]
            found += detector.consume(make_batch(rows))
        assert [(f.type, f.severity.value) for f in found] == [("wandering", severity)] * told
        for finding in found:
            assert not {"lat", "lon", "corner"} & finding.evidence.keys()
            assert finding.time - (T0 + 3600 * hour) <= 15 * 60


def slow_routine(days: list[list[tuple[float, int]]]) -> list[float]:
    """Scores of days in a row, each from lists of (time, sensor)."""
    moves_of, haste_of, scores, last = [], [], [], -1
    for firings in days:
        moves, bins = 0, set()
        for time, sensor in firings:
            moves += sensor != last
            last = sensor
            bins.add(int(time % DAY // 300))
        now = (math.log(1 + moves), math.log((1 + moves) / (1 + len(bins))))
        z = []
        for value, past, common, spread in ((now[0], moves_of, 5.4, 0.25), (now[1], haste_of, 0.8, 0.1)):
            own = past[-28:]
            n = len(own)
            middle = float(np.median(own)) if n else common
            mad = 1.4826 * float(np.median(np.abs(np.array(own) - middle))) if n else 0.0
            level = (n * middle + 28 * common) / (n + 28)
            z.append((value - level) / math.sqrt((n * mad**2 + 14 * spread**2) / (n + 14)))
        restless = 1 / (1 + math.exp(-0.5 * (sum(z) / 2 - 4)))
        scores.append(max(restless, 0.2 / (1 + math.exp(-0.5 * (-z[0] - 4)))))
        moves_of.append(now[0])
        haste_of.append(now[1])
    return scores


def test_the_days_score_agrees_with_its_twin() -> None:
    rng = np.random.default_rng(5)
    days = []
    for day in range(40):
        n = int(rng.integers(20, 600)) if day != 33 else 9000
        times = np.sort(rng.choice(86_400, n, replace=False)) + T0 + DAY * day
        days.append([(float(t), int(s)) for t, s in zip(times, rng.integers(0, 6, n), strict=True)])
    detector, got = RoutineDay(utc_offset_seconds=0), []
    for day, firings in enumerate(days):
        batch = make_batch([one("motion", t, 1.0) for t, _ in firings])
        detector.consume(batch, np.array([s for _, s in firings]))
        got.append(float(detector.day_scores(np.array([0]), int(T0 // DAY) + day)[0][0]))
    assert np.allclose(got, slow_routine(days), atol=1e-9)
    assert max(got) > 0.5


def test_frequent_visits_to_the_bathroom_are_told() -> None:
    detector, found = RoutineDay(utc_offset_seconds=0), []
    for day in range(10):
        visits = 5 if day < 9 else 14
        rows, sensors = [], []
        for visit in range(visits):
            t = T0 + DAY * day + 3600.0 * visit
            rows += [one("motion", t, 1.0), one("motion", t + 120, 1.0)]
            sensors += [1, 0]
        detector.consume(make_batch(rows), np.array(sensors), np.array(sensors) == 1)
        found += detector.tick(T0 + DAY * (day + 1) + 1)
    (last,) = [f for f in found if f.phase == "raised"]
    assert "14 bathroom visits, usual 5" in last.evidence["rule"]
