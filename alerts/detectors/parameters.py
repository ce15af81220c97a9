"""Every number the detectors decide with: nothing enters, values with unit, source and certainty leave.

Marks: [V] read in the source named; [K] known from practice or chosen here, not looked up, and open to correction.
All limits are defaults for people about whom nothing is known yet. A limit set for the person always wins. The numbers
of homes and habits stand in `parameters_home`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number with where it comes from."""

    value: float
    unit: str
    source: str
    mark: Literal["V", "K"]


def parameter(value: float, unit: str, source: str, mark: Literal["V", "K"] = "K") -> Parameter:
    """One number; [K] unless read in its source."""
    return Parameter(value, unit, source, mark)


_p = parameter


@dataclass(frozen=True, slots=True)
class VitalRule:
    """How one metric is judged; a side without a limit is not judged."""

    metric: str
    sporadic: bool
    """Measured by hand a few times a day: each reading counts for itself, and one is enough."""
    low_critical: Parameter
    low: Parameter
    high: Parameter | None
    high_critical: Parameter | None
    hysteresis: Parameter
    """How far inside the limit a value must come back before the alert is cleared."""
    hold: Parameter
    """How long a value must stay beyond the limit."""
    hold_critical: Parameter
    clear: Parameter
    """How long readings must have been back inside."""
    gap: Parameter
    """After a pause longer than this, what was before says nothing about the present run of readings."""


_NEWS2 = "NEWS2, RCP 2017"
_HOLD = "outlasts artefacts and effort; alarm fatigue: 80-99 % of monitor alarms are not actionable"
_HOLD_CRITICAL = "outlasts a motion artefact, yet brings help within minutes"
_CLEAR = "no clearing on a short dip back"
_GAP = "longer than the usual 5-10 min step of a wristband"
_AT_ONCE = "there may be no second reading the same day"
_DAYS = "spot readings come once or a few times a day"

VITAL_RULES: tuple[VitalRule, ...] = (
    VitalRule(
        "heart_rate",
        sporadic=False,
        low_critical=_p(40, "/min", f"severe bradycardia < 40; {_NEWS2}: <= 40 scores 3", "V"),
        low=_p(45, "/min", "40-50 is common in sleep, so home limits of 50-55 would cry wolf every night"),
        high=_p(110, "/min", f"{_NEWS2}: 111-130 scores 2; home limits of 100 are met on the stairs", "V"),
        high_critical=_p(130, "/min", f"{_NEWS2}: >= 131 scores 3", "V"),
        hysteresis=_p(3, "/min", "reading noise of wrist optics"),
        hold=_p(300, "s", _HOLD),
        hold_critical=_p(60, "s", _HOLD_CRITICAL),
        clear=_p(120, "s", _CLEAR),
        gap=_p(1800, "s", _GAP),
    ),
    VitalRule(
        "spo2",
        sporadic=False,
        low_critical=_p(88, "%", f"{_NEWS2}: below the 88-92 % target even of hypercapnic failure", "V"),
        low=_p(92, "%", f"{_NEWS2}: <= 91 scores 3; 95 % at home is met by many older people in health", "V"),
        high=None,
        high_critical=None,
        hysteresis=_p(1, "%", "resolution of oximeters"),
        hold=_p(300, "s", _HOLD),
        hold_critical=_p(60, "s", _HOLD_CRITICAL),
        clear=_p(120, "s", _CLEAR),
        gap=_p(1800, "s", _GAP),
    ),
    VitalRule(
        "resp_rate",
        sporadic=False,
        low_critical=_p(7, "/min", "clearly below the NEWS2 band that scores 3 (<= 8)"),
        low=_p(9, "/min", f"{_NEWS2}: <= 8 scores 3; 9-11 happens in sleep", "V"),
        high=_p(24, "/min", f"{_NEWS2}: >= 25 scores 3; TELBIL: > 24", "V"),
        high_critical=_p(30, "/min", "well into the NEWS2 band that scores 3"),
        hysteresis=_p(1, "/min", "resolution of bed sensors"),
        hold=_p(300, "s", _HOLD),
        hold_critical=_p(60, "s", _HOLD_CRITICAL),
        clear=_p(120, "s", _CLEAR),
        gap=_p(1800, "s", _GAP),
    ),
    VitalRule(
        "body_temp",
        sporadic=True,
        low_critical=_p(34.0, "°C", "hypothermia is < 35"),
        low=_p(35.0, "°C", f"TIHM: < 35; {_NEWS2}: <= 35.0 scores 3", "V"),
        high=_p(37.8, "°C", "IDSA long-term care: a single oral reading > 37.8", "V"),
        high_critical=_p(40.0, "°C", f"well into the highest band of {_NEWS2} (>= 39.1)"),
        hysteresis=_p(0.2, "°C", "repeatability of ear and forehead thermometers"),
        hold=_p(0, "s", _AT_ONCE),
        hold_critical=_p(0, "s", _AT_ONCE),
        clear=_p(0, "s", _AT_ONCE),
        gap=_p(86_400, "s", _DAYS),
    ),
    VitalRule(
        "bp_sys",
        sporadic=True,
        low_critical=_p(80, "mmHg", "TIHM: < 80", "V"),
        low=_p(90, "mmHg", f"low blood pressure < 90/60; {_NEWS2}: <= 90 scores 3", "V"),
        high=_p(180, "mmHg", "China: grade 3 hypertension >= 180; published home limits run from 160 to 190", "V"),
        high_critical=_p(220, "mmHg", f"{_NEWS2}: >= 220 scores 3", "V"),
        hysteresis=_p(5, "mmHg", "accuracy class of upper-arm monitors"),
        hold=_p(0, "s", _AT_ONCE),
        hold_critical=_p(0, "s", _AT_ONCE),
        clear=_p(0, "s", _AT_ONCE),
        gap=_p(86_400, "s", _DAYS),
    ),
    VitalRule(
        "bp_dia",
        sporadic=True,
        low_critical=_p(40, "mmHg", "well below both published home limits (50 and 60)"),
        low=_p(50, "mmHg", "TIHM: < 50", "V"),
        high=_p(110, "mmHg", "TIHM: > 110; China: grade 3 hypertension >= 110", "V"),
        high_critical=_p(120, "mmHg", "usual mark of a hypertensive crisis"),
        hysteresis=_p(3, "mmHg", "accuracy class of upper-arm monitors"),
        hold=_p(0, "s", _AT_ONCE),
        hold_critical=_p(0, "s", _AT_ONCE),
        clear=_p(0, "s", _AT_ONCE),
        gap=_p(86_400, "s", _DAYS),
    ),
    VitalRule(
        "glucose",
        sporadic=True,
        low_critical=_p(3.0, "mmol/L", "ADA: level 2 hypoglycaemia < 3.0", "V"),
        low=_p(3.9, "mmol/L", "ADA: level 1 hypoglycaemia < 3.9", "V"),
        high=_p(13.9, "mmol/L", "250 mg/dL: level 2 hyperglycaemia of the time-in-range consensus"),
        high_critical=_p(20.0, "mmol/L", "danger of a hyperosmolar state"),
        hysteresis=_p(0.3, "mmol/L", "accuracy of meters near the lower limit"),
        hold=_p(0, "s", _AT_ONCE),
        hold_critical=_p(0, "s", _AT_ONCE),
        clear=_p(0, "s", _AT_ONCE),
        gap=_p(86_400, "s", _DAYS),
    ),
)


@dataclass(frozen=True, slots=True)
class Band:
    """One line of the NEWS2 chart: whole numbers (temperature: tenths), upper edges included; the last has none."""

    upper: tuple[float, ...]
    score: tuple[int, ...]
    resolution: float
    age_max: Parameter
    """An older value says nothing about now: the parameter counts as missing."""


_CHART = f"{_NEWS2}, chart 1: upper edges of the columns"
_CONTINUOUS = _p(3600, "s", "observations of a patient at any risk are repeated hourly to 6-hourly; sensors send often")
_SPOT = _p(86_400, "s", "spot readings come once or a few times a day; routine observation is at least 12-hourly")

NEWS2_BANDS: dict[str, Band] = {
    "resp_rate": Band((8, 11, 20, 24), (3, 1, 0, 2, 3), 1, _CONTINUOUS),
    "spo2": Band((91, 93, 95), (3, 2, 1, 0), 1, _CONTINUOUS),
    "bp_sys": Band((90, 100, 110, 219), (3, 2, 1, 0, 3), 1, _SPOT),
    "heart_rate": Band((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3), 1, _CONTINUOUS),
    "body_temp": Band((35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2), 0.1, _SPOT),
}
NEWS2_SPO2_SCALE2_AIR = ((83, 85, 87), (3, 2, 1, 0))
NEWS2_SPO2_SCALE2_OXYGEN = ((83, 85, 87, 92, 94, 96), (3, 2, 1, 0, 1, 2, 3))
NEWS2_OXYGEN = _p(2, "points", _CHART, "V")
NEWS2_CONSCIOUSNESS = _p(3, "points", _CHART + "; new confusion, voice, pain or unresponsive", "V")
NEWS2_MEDIUM = _p(5, "points", f"{_NEWS2}, chart 2: urgent response from 5", "V")
NEWS2_HIGH = _p(7, "points", f"{_NEWS2}, chart 2: emergency response from 7", "V")
NEWS2_SINGLE = _p(3, "points", f"{_NEWS2}, chart 2: 3 in any single parameter", "V")
NEWS2_SPIKE_GAP = _p(1800, "s", "readings further apart say nothing about a spike: hand-taken values count as they are")
NEWS2_SPIKE_NORMAL = {
    "resp_rate": _p(16, "/min", f"{_NEWS2}: middle of the band that scores 0", "V"),
    "spo2": _p(98, "%", f"{_NEWS2}: middle of the band that scores 0", "V"),
    "heart_rate": _p(70, "/min", f"{_NEWS2}: middle of the band that scores 0", "V"),
}
NEWS2_HOLD = _p(300, "s", _HOLD)
NEWS2_CLEAR = _p(600, "s", _CLEAR)
NEWS2_OBSERVATION_AGE = _p(86_400, "s", "what a person saw of consciousness holds for a day unless told otherwise")


@dataclass(frozen=True, slots=True)
class DayRule:
    """From where on one metric's readings weigh on the score of the day; a side without a limit does not."""

    metric: str
    group: str
    """Of the metrics of one group only the worst counts."""
    low: Parameter | None
    high: Parameter | None
    scale: Parameter
    """So far beyond the limit is one unit of depth."""


VITAL_DAY_RULES: tuple[DayRule, ...] = (
    DayRule(
        "bp_sys",
        "pressure",
        _p(90, "mmHg", f"low blood pressure < 90/60; {_NEWS2}: <= 90 scores 3", "V"),
        _p(160, "mmHg", "China: grade 2 hypertension 160-179; TELBIL: > 160", "V"),
        _p(20, "mmHg", "a grade of hypertension is 20 mmHg wide", "V"),
    ),
    DayRule(
        "bp_dia",
        "pressure",
        _p(54, "mmHg", "between TIHM (< 50) and TELBIL (< 60)"),
        _p(100, "mmHg", "China: grade 2 hypertension 100-109", "V"),
        _p(10, "mmHg", "a grade of hypertension is 10 mmHg wide", "V"),
    ),
    DayRule(
        "heart_rate",
        "pulse",
        _p(50, "/min", "TELBIL: < 50; ACC/AHA working cut", "V"),
        _p(100, "/min", "tachycardia > 100 at rest; TELBIL and TIHM: > 100", "V"),
        _p(10, "/min", "half a band of NEWS2"),
    ),
    DayRule(
        "body_temp",
        "temperature",
        None,
        _p(37.8, "°C", "IDSA long-term care: a single oral reading > 37.8", "V"),
        _p(0.5, "°C", "half a band of NEWS2"),
    ),
    DayRule(
        "spo2",
        "oxygen",
        _p(91, "%", f"{_NEWS2}: <= 91 scores 3", "V"),
        None,
        _p(2, "%", f"{_NEWS2}: width of a band", "V"),
    ),
    DayRule(
        "resp_rate",
        "breathing",
        _p(8, "/min", f"{_NEWS2}: <= 8 scores 3", "V"),
        _p(25, "/min", f"{_NEWS2}: >= 25 scores 3", "V"),
        _p(4, "/min", f"{_NEWS2}: width of the band below", "V"),
    ),
    DayRule(
        "glucose",
        "glucose",
        _p(3.8, "mmol/L", "ADA: level 1 hypoglycaemia < 3.9", "V"),
        _p(13.9, "mmol/L", "250 mg/dL: level 2 hyperglycaemia of the time-in-range consensus"),
        _p(1.0, "mmol/L", "about the width of level 1 hypoglycaemia"),
    ),
)
VITAL_DAY_STEEPNESS = _p(4.0, "1", "score of one group = 1 / (1 + exp(-4 depth)): 0.5 at the limit, 0.98 a unit beyond")
VITAL_DAY_NORMAL = _p(-0.5, "depth", "half a unit inside the limit is normal and scores 0: pressure < 150/95")
VITAL_DAY_AGAIN = _p(0.6, "depth", "somebody measured again after a reading beyond the limit: it was taken seriously")
VITAL_DAY_EVENING = _p(20.5, "h", "local time; what is measured later is still on the list of the next day's staff")
VITAL_DAY_EVENING_LESS = _p(2.0, "depth", "what the evening weighs less on its own day")
VITAL_DAY_YESTERDAY = _p(-0.25, "depth", "what was beyond a limit yesterday, today: just short of a limit reached")
VITAL_DAY_REVIEW = _p(0.5, "1", "score from which the day's readings are put before a person: a limit was reached")
VITAL_DAY_URGENT = _p(0.98, "1", "score of one reading a whole unit of depth beyond its limit")

EFFORT_STEPS = _p(20, "steps/min", "slow walking is 60 and more; a few steps about the room are no effort")
EFFORT_REST = _p(600, "s", "the pulse of older people takes minutes to settle after walking")
EFFORT_LEAD = _p(120, "s", "steps are told once a minute, so the effort may have begun before the count shows it")


class AnomalySizes(NamedTuple):
    """How much the generic score remembers of a series."""

    memory: Parameter
    warm_up: Parameter
    shift: Parameter
    """Rows of the short mean of the level shift; the long one covers ten times as much."""
    day_bins: Parameter
    quiet: Parameter


@dataclass(frozen=True, slots=True)
class BaselineRule:
    """How one metric is compared with what is usual for the person."""

    metric: str
    floor: Parameter
    """Smallest spread that is believed: resolution and noise of the sensor."""
    slowness: Parameter
    """Least share of a spread by which one reading moves the usual."""
    warm_up: Parameter
    """Readings in an hour before it is judged."""
    by_hour: bool
    """One usual value per hour of the local day; else one for all, for what is measured by hand."""


_NOISE = "noise and resolution of usual sensors"
_STEP = "about a third of a spread a day at a reading a minute: weeks of memory"
_STEP_SPOT = "a month's spot readings"
_MINUTES = _p(60, "readings", "an hour a minute, or a week's first minutes")
_FORTNIGHT = _p(10, "readings", "a week and a half of spot readings")
BASELINE_RULES: tuple[BaselineRule, ...] = (
    BaselineRule("heart_rate", _p(3, "/min", _NOISE), _p(0.005, "1", _STEP), _MINUTES, by_hour=True),
    BaselineRule("spo2", _p(1, "%", _NOISE), _p(0.005, "1", _STEP), _MINUTES, by_hour=True),
    BaselineRule("resp_rate", _p(1.5, "/min", _NOISE), _p(0.005, "1", _STEP), _MINUTES, by_hour=True),
    BaselineRule("body_temp", _p(0.2, "°C", _NOISE), _p(0.05, "1", _STEP_SPOT), _FORTNIGHT, by_hour=False),
    BaselineRule("bp_sys", _p(8, "mmHg", _NOISE), _p(0.05, "1", _STEP_SPOT), _FORTNIGHT, by_hour=False),
    BaselineRule("bp_dia", _p(5, "mmHg", _NOISE), _p(0.05, "1", _STEP_SPOT), _FORTNIGHT, by_hour=False),
)
BASELINE_DAYS = _p(7, "days", "every weekday once; NAB leaves the first 15 % unscored in the same spirit")
BASELINE_LIMIT = _p(3.5, "robust z", "Iglewicz and Hoaglin 1993: |0.6745 (x - median) / MAD| > 3.5")
BASELINE_MEDIUM = _p(5.0, "robust z", "far beyond; one clipped reading cannot reach it")
BASELINE_CLEAR = _p(2.0, "robust z", "hysteresis: well back within the usual")
BASELINE_CLIP = _p(6.0, "robust z", "one wild reading must not decide")
BASELINE_TIME = _p(900, "s", "time constant over which readings are averaged before they are judged")
BASELINE_SPOT_WEIGHT = _p(0.5, "1", "of a spot reading: two in a row are needed")
BASELINE_BLOCK = _p(7200, "s", "residuals are averaged over two hours, which no meal and no walk fills")
BASELINE_BLOCK_READINGS = _p(20, "readings", "fewer make no average of two hours")
BASELINE_ANOMALY = _p(0.5, "1", "of the generic score: half lies where a block equals the most unusual of its week")
BASELINE_ANOMALY_LEAST = _p(
    2.5, "robust z", "what is less is of no consequence, however rare: midway from clear to limit"
)
BASELINE_SERIES = AnomalySizes(
    memory=_p(84, "blocks", "a week of two hours: every weekday once"),
    warm_up=_p(36, "blocks", "three days, beside the week before any of the person's readings is judged"),
    shift=_p(3, "blocks", "six hours against sixty: an afternoon that is not like the days before"),
    day_bins=_p(1, "bins per day", "the hour of the day is in the residual already"),
    quiet=_p(12, "blocks", "told once a day"),
)
BASELINE_FREEZE = _p(3 * 86_400, "s", "after so long raised, the new is learned as the usual")

DRIFT_BASE_DAYS = _p(35, "days", "five weeks: long enough for a median, short enough for a season")
DRIFT_LAG_DAYS = _p(7, "days", "the newest week is not in its own baseline")
DRIFT_VALUES_MIN = _p(10, "days", "with a value, before anything is judged")
DRIFT_CLIP = _p(3.0, "robust z", "outliers wreck a CUSUM: its residuals are clipped (Mathematics 2020)", "V")
DRIFT_ALLOWANCE = _p(0.5, "robust z", "CUSUM k, half of a shift of one spread")
DRIFT_LIMIT = _p(5.0, "robust z", "CUSUM h 4-5: about one false alarm in a year of days")
DRIFT_CLEAR = _p(1.0, "robust z", "the sum has run down")
DRIFT_CAP = _p(10.0, "robust z", "so that a long shift runs down within three weeks")
DRIFT_FREEZE_DAYS = _p(60, "days", "the baseline of a raised drift is kept so long")
DRIFT_FLOORS: dict[str, Parameter] = {
    "weight": _p(0.5, "kg", "day-to-day change of water and meals"),
    "heart_rate": _p(2, "/min", "night to night"),
    "body_temp": _p(0.15, "°C", "population 36.5 +- 0.3 between people, less within one"),
    "bp_sys": _p(6, "mmHg", "day to day"),
}
DRIFT_NIGHT_HOURS = (_p(1, "h", "local; the pulse at rest is read asleep"), _p(5, "h", "local; before rising"))
WEIGHT_GAIN = _p(1.0, "kg", "TELBIL: + 1 kg in 3 days", "V")
WEIGHT_GAIN_DAYS = _p(3, "days", "TELBIL: + 1 kg in 3 days", "V")
WEIGHT_LOSS = _p(0.05, "1", "TIHM: 5 % loss over a week or a month", "V")

FEVER_REPEATED = _p(37.2, "°C", "IDSA long-term care: repeated oral > 37.2", "V")
FEVER_APART = _p(7200, "s", "two looks at the same moment are one")
FEVER_WITHIN = _p(48 * 3600, "s", "what lies two days apart is not repeated")
FEVER_RISE = _p(1.1, "°C", "IDSA long-term care: rise > 1.1 over baseline", "V")
FEVER_READINGS = _p(20, "readings", "the person's usual: median of so many readings before today's")
FEVER_READINGS_MIN = _p(5, "readings", "fewer make no baseline")
FEVER_CLEAR = _p(86_400, "s", "a day without any of it")

SPIKE_READINGS = _p(3, "readings", "median of three: the shortest filter that drops a lone spike", "K")
CLOCK_SET_BACK_READINGS = _p(
    3, "readings", "so many rising times in a row behind the newest mean that the device's clock was set back"
)

_LINK = "monitored link of telecare, levels 25 h, 5 h, 180 s and 90 s (SS 91100, CLC/TS 50134-9)"
SILENCE_INTERVAL = _p(5 * 3600, "s", f"{_LINK}: the second", "V")
SILENCE_HIGH_AFTER = _p(25 * 3600, "s", f"{_LINK}: the longest; nobody lets a device rest longer", "V")

# Devices. What is supervised is the working of a sensor or a line; nothing here concerns a person's state.
SENSOR_LATE = _p(300, "s", "a sensor that begins to speak again is given so long before its neighbour is missed")
BATTERY_READINGS = _p(2, "readings", "a voltage dips under load: a low value counts when the next one is low as well")
BATTERY_FULL_STEP = _p(15, "%", "so much up at once is a new cell or a charge; the estimate of days left begins anew")
BATTERY_DAYS_MIN = _p(1.0, "d", "a shorter time says nothing about how fast a battery falls")
OUTAGE_SHARE = _p(0.5, "1", "of the shortest supervision interval: a line is missed before its devices are")
OUTAGE_MIN = _p(180, "s", f"{_LINK}: the third", "V")
OUTAGE_OFFLINE = _p(90, "s", f"{_LINK}: the shortest; once the broker has said that the gateway is gone", "V")
OUTAGE_CHILDREN = _p(2, "devices", "one quiet device behind a gateway is that device")
OUTAGE_DEVICES = _p(3, "devices", "two quiet devices of a house may be chance")
REPEAT_READINGS = _p(16, "readings", "a run so long that comes again bit for bit is a recording")
REPEAT_DISTINCT = _p(6, "values", "fewer different values may repeat by chance: a resting pulse does")
REPEAT_MEMORY = _p(96, "readings", "how far back a run is looked for")
TAKEOVER_ONLINE = _p(15, "s", "a connection that ends sooner was pushed out; one that starves lives 1.5 keep-alives")
TAKEOVER_TIMES = _p(3, "times", "so many short connections in the window are no accident")
TAKEOVER_WINDOW = _p(180, "s", "two clients with one id push each other out every second or few")
TAKEOVER_OVER = _p(900, "s", "with no short connection for so long the fight is over")


@dataclass(frozen=True, slots=True)
class FlatRule:
    """How long one metric may stay bit for bit the same. A metric without a rule may stay for ever, as a door may."""

    metric: str
    readings: Parameter
    span: Parameter


def _flat(metric: str, readings: float, span: float, why: str) -> FlatRule:
    return FlatRule(metric, _p(readings, "readings", why), _p(span, "s", why))


FLAT_RULES: tuple[FlatRule, ...] = (
    _flat("heart_rate", 60, 3600, "in whole beats a living pulse differs within minutes, also asleep"),
    _flat("spo2", 360, 12 * 3600, "in whole per cent a healthy value stays for hours"),
    _flat("resp_rate", 120, 4 * 3600, "in whole breaths a sleeper's rate stays for an hour or so"),
    _flat("body_temp", 60, 6 * 3600, "in tenths of a degree skin and ear differ within the hour"),
    _flat("bp_sys", 6, 3600, "six equal spot readings in whole mmHg: the cuff's memory, not the arm"),
    _flat("bp_dia", 8, 3600, "as for bp_sys, with its narrower spread"),
    _flat("glucose", 6, 3600, "six equal spot readings in tenths of mmol/L"),
    _flat("weight", 12, 7 * 86_400, "in tenths of a kilogram nobody weighs the same for twelve days"),
    _flat("room_temp", 288, 3 * 86_400, "coarse sensors and an even room hold half a degree for a day or two"),
    _flat("humidity", 288, 3 * 86_400, "as for room_temp; three days without weather or breath do not happen"),
)

# Falls. The lengths follow the course of a fall: about a second of losing balance, an impact, seconds on the ground.
FALL_RATE = _p(20, "Hz", "lowest usual rate of the recorded sets; every stream is resampled to it")
FALL_TRIGGER = _p(
    1.35, "g", "weakest impact looked at; below the weakest recorded fall's peak, above the ripple of quiet walking"
)
FALL_PEAK_APART = _p(0.6, "s", "half width of the neighbourhood in which an impact must be the largest")
FALL_BEFORE = _p(3.0, "s", "context before the impact: activity, posture, loss of balance")
FALL_AFTER = _p(4.0, "s", "context after it: posture, stillness; also the delay of the decision")
FALL_BUFFER = _p(16.0, "s", "how late a window may be and still find its place")
FALL_GAP_BRIDGED = _p(0.25, "s", "a hole that is filled by interpolation")
FALL_WAIT = _p(5.0, "s", "with no further window for so long, an impact is judged by what there is")
FALL_AGAIN_AFTER = _p(10.0, "s", "impacts nearer to a raised fall belong to it")
FALL_THRESHOLD = _p(0.5, "1", "scores are scaled so that the operating point chosen in training lies here")

# What speaks for and against a fall. On the recorded wrists, people held out, still < 0.2 and score < 0.9 hold together
# for 3 % of the falls found and 19 % of the false alarms.
AFTERMATH_STILL = _p(0.5, "1", "share of 0.8-4 s after the impact without movement that counts as lying still")
AFTERMATH_MOVING = _p(0.2, "1", "below it the wearer plainly moves on")
AFTERMATH_SURE = _p(0.9, "1", "a fall so sure is critical whatever follows")
AFTERMATH_SETTLE = _p(15.0, "s", "what moves so soon may be the fall itself")
AFTERMATH_QUIET = _p(120.0, "s", "nothing moves in the home for so long: the long lie may have begun")
AFTERMATH_WATCH = _p(300.0, "s", "later movement is rather a helper's than the wearer's")
AFTERMATH_STEPS = _p(
    20.0, "count", "more than turning over or being helped up; a minute of what `effort` calls walking"
)
AFTERMATH_SENSOR_AGE = _p(86_400.0, "s", "a home in which nothing was heard for a day may have no sensor that works")
AFTERMATH_BATHROOM = _p(1800.0, "s", "a stay in the bathroom is rarely longer")

# Generic anomaly score. The figures lie on a wide plateau of the benchmark's development files: halving or doubling one
# of them costs a few points, see docs/detectors.md.
ANOMALY_SERIES = AnomalySizes(
    memory=_p(4000, "rows", "two weeks of readings every five minutes; half of it costs a few points"),
    warm_up=_p(100, "rows", "before so much is known, nothing is called unusual"),
    shift=_p(30, "rows", "short mean of the level shift"),
    day_bins=_p(96, "bins per day", "a quarter of an hour: fine enough for a daily habit"),
    quiet=_p(120, "rows", "what goes on is told once: only a stronger moment counts within these rows"),
)
ANOMALY_NOVELTY_QUANTILE = _p(0.997, "1", "of distances to the nearest earlier value: what is usual at most")
ANOMALY_DAY_MEMORY = _p(60, "readings per bin", "a bin's mean follows slow change over weeks")
ANOMALY_SHARPNESS = _p(2, "1", "exponent that turns excess into a score: 0.5 where it equals the largest usual one")
