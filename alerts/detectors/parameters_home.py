"""Every number the detectors of homes and habits decide with: nothing enters, values with unit, source and mark leave.

The marks are those of `parameters`.
"""

from __future__ import annotations

from alerts.detectors.parameters import parameter as _p

# Routine of a day, from movement sensors and door contacts.
_HOMES33 = "TIHM, 33 homes: wide plateau, see docs/detectors.md"
ROUTINE_DAYS = _p(28, "days", "a month of one's own days is what today is compared with")
ROUTINE_COMMON_DAYS = _p(28, "days", f"weight of homes in general beside one's own days; {_HOMES33}")
ROUTINE_SPREAD_DAYS = _p(14, "days", f"the same for the spread; {_HOMES33}")
ROUTINE_MOVES = _p(5.4, "ln(1 + moves a day)", "common level of room changes: 220 a day; median of the homes")
ROUTINE_MOVES_SPREAD = _p(0.25, "ln", "day to day within a home; median of the homes")
ROUTINE_HASTE = _p(0.8, "ln(moves per active 5 min)", "common pace: 2.2 room changes in five active minutes")
ROUTINE_HASTE_SPREAD = _p(0.1, "ln", "day to day within a home; median of the homes")
ROUTINE_MIDDLE = _p(4.0, "z", "deviation that scores a half")
ROUTINE_STEEPNESS = _p(0.5, "1/z", "slope of the score")
ROUTINE_QUIET_WEIGHT = _p(0.2, "1", "an unusually quiet day is told, but ranks behind restless ones")
ROUTINE_REVIEW = _p(0.5, "1", "a day so unusual is put before a person")
ROUTINE_BATHROOM_MORE = _p(2.0, "x median", "twice the usual visits: infection, diarrhoea, medicine")
ROUTINE_BATHROOM_EXTRA = _p(6, "visits", "and at least so many more than usual")
ROUTINE_KNOWN_DAYS = _p(7, "days", "before a habit is compared with")

# Prolonged inactivity and mornings.
INACTIVITY_DAYS = _p(28, "days", f"today included; {_HOMES33}")
INACTIVITY_QUANTILE = _p(0.9, "1", f"of the longest quiet of this hour of past days; {_HOMES33}")
INACTIVITY_FACTOR = _p(1.5, "1", _HOMES33)
INACTIVITY_MARGIN = _p(
    2 * 3600, "s", f"with nights and mornings at most 0.1 false alarms per resident-day together; {_HOMES33}"
)
INACTIVITY_LIMIT = _p(10 * 3600, "s", "never longer, and the timer while nothing is known; long lie: 30 % lay >= 1 h")
INACTIVITY_KNOWN_DAYS = _p(7, "days", "a week holds every kind of day")
INACTIVITY_AWAY_GRACE = _p(120, "s", "the hallway sensor still sees the person who closes the door behind them")
INACTIVITY_AWAY = _p(12 * 3600, "s", "nobody stays out longer unnoticed")
INACTIVITY_SENSOR_GAP = _p(3600, "s", "sensors that report rest too and are silent so long tell nothing")
MORNING_BEGINS = _p(4, "h", "what stirs earlier is still night")
MORNING_QUANTILE = _p(0.9, "1", "of the times of the first movement of past days")
MORNING_MARGIN = _p(5400, "s", "a long lie-in")
MORNING_LATEST = _p(12, "h", "by noon somebody looks")

# Nights. Hours are local.
NIGHT_BEGINS = _p(23, "h", "most older people are in bed")
NIGHT_ENDS = _p(5, "h", "early risers begin their day")
NIGHT_WANDER_BINS = _p(15, "x 10 min", "two and a half hours of six; turning over and the bathroom make fewer")
NIGHT_WANDER_MARGIN = _p(4, "x 10 min", "above one's own usual night")
NIGHT_WANDER_QUANTILE = _p(0.9, "1", "of past nights")
BED_RETURN = _p(1800, "s", "default return window 15-30 min")
DOOR_OPEN_NIGHT = _p(300, "s", "to take in a parcel takes less, to have left takes longer")
DOOR_SILENT_AFTER = _p(900, "s", "nothing stirs indoors after the door: the person has gone out")

# Place.
_FENCE = "alarm if distance - accuracy > radius on two fixes"
FENCE_FIXES = _p(2, "fixes", _FENCE)
FENCE_ACCURACY = _p(50, "m", "of a fix that does not say; usual among buildings")
FENCE_ACCURACY_MAX = _p(500, "m", "a coarser fix, of the mobile network, says too little")
FENCE_STALE = _p(1800, "s", "fixes further apart do not confirm each other")
WANDER_WINDOW = _p(2700, "s", "errands take less; wandering lasts, and is looked for within a quarter of an hour or so")
WANDER_CORNERS = _p(24, "corners", "enough for the window at a fix a minute or two")
WANDER_LEG = _p(30, "m", "across a courtyard; a shorter leg is the fix's own wandering")
WANDER_LEG_ACCURACIES = _p(2, "1", "a leg must be longer than both its ends may be wrong")
WANDER_ACCURACY_MAX = _p(50, "m", "a coarser fix makes corners of its own")
WANDER_LENGTH = _p(400, "m", "five minutes on foot; less is waiting for somebody")
WANDER_STRAIGHTNESS = _p(0.3, "1", "end near the beginning: pacing and lapping, in the words of Martino-Saltzman 1991")
WANDER_TURNS = _p(6, "turns", "sharp turns tell wandering from going (theta_WD, Lin and others 2012, from memory)")

# Homes.
CO_PPM = tuple(_p(ppm, "ppm", "EN 50291 band", "V") for ppm in (30, 50, 100, 300))
CO_SECONDS = (
    _p(7200, "s", "EN 50291: 30 ppm not before 120 min", "V"),
    _p(3600, "s", "EN 50291: 50 ppm between 60 and 90 min; the earlier end", "V"),
    _p(600, "s", "EN 50291: 100 ppm between 10 and 40 min; the earlier end", "V"),
    _p(60, "s", "EN 50291: 300 ppm within 3 min; leaves time for a second reading"),
)
GAS_LEL = _p(10, "%LEL", "GB 15322.2 household set-points lie from 5 to 25 %LEL; not verified")
HOME_GAP = _p(900, "s", "after a longer pause the last reading says nothing about the time between")
ROOM_COLD = (
    _p(16, "°C", "below 16 serious; older people may not feel 15-16 as cold", "V"),
    _p(10, "°C", "below 10: risk of hypothermia", "V"),
)
ROOM_HOT = (
    _p(28, "°C", "care homes must offer a room <= 26; a home warms up faster"),
    _p(32, "°C", "danger within hours"),
)
ROOM_HOLD = _p(3600, "s", "airing a room takes less")
ROOM_HOLD_WORST = _p(1800, "s", "half of that where it is dangerous")
ROOM_BACK = _p(0.5, "°C", "so far back before it is over")
WATER_RUNNING = _p(3600, "s", "a bath takes half an hour; a tap left on, or somebody who cannot get up")
WATER_DRAWN = _p(0.05, "L per report", "a drip is not a tap")
WATER_UNUSED = _p(12 * 3600, "s", "Shanghai: < 0.01 m3 in 12 h leads to a visit", "V")
WATER_UNUSED_LONG = _p(24 * 3600, "s", "Taicang: < 0.01 m3 in 24 h", "V")
WATER_LITRES = _p(10, "L", "0.01 m3", "V")
