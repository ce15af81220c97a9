"""Thirty days of readings: the simulated lives enter, rows as ingest would have stored them and their rollups leave.

The same lives that the running demo plays go on backwards, so that no curve jumps at the seam. A band is charged an
hour a day and was off the wrist for a whole day now and then: a gap stays a gap. Detectors are not told: they judge
what happens now, and the alerts of the month are told by `alarms`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cli.demo_month.cast import hand_held
from cli.demo_month.house import DAYS, Tale
from core.clock import from_unix
from core.metrics import BY_CODE
from db import rollup
from db.copy import latest_stream, readings_stream
from db.queries import sql
from simulators.provisioning import SimulatedResident
from simulators.rng import keyed
from simulators.sensors.befallen import HOME, METRES_PER_DEGREE
from simulators.world import AWAY, DAY_SECONDS, Life, make_world

Floats = NDArray[np.float64]
BAND_SECONDS: Final = 600.0
ROOM_SECONDS: Final = 1800.0
QUIET_SECONDS: Final = 1800.0
"""The readings end so long before the present, from where the running demo goes on."""
DELAY_SECONDS: Final = 2.0
CUFFS: Final = {
    0: (146.0, 84.0),
    1: (138.0, 80.0),
    2: (142.0, 82.0),
    3: (124.0, 74.0),
    4: (144.0, 86.0),
    8: (140.0, 82.0),
}
"""Who has a cuff, with the pressures at the beginning of the month."""
WALKERS: Final = (0, 5)
"""Who goes out alone, with a band that knows where it is."""
GLUCOSE: Final = {1: 7.4}
SCALES: Final = {3: 61.0}


@dataclass(slots=True)
class Columns:
    """Readings as they are gathered; `keys` are keys of devices."""

    keys: dict[str, int]
    device: list[NDArray[np.int64]] = field(default_factory=list)
    metric: list[NDArray[np.int64]] = field(default_factory=list)
    time: list[Floats] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)

    def add(self, device: str, metric: str, times: Floats, values: NDArray[Any]) -> None:
        """Readings of one device and metric, both of shape (n,); a device that is not registered has none."""
        if device not in self.keys or not len(times):
            return
        self.device.append(np.full(len(times), self.keys[device], np.int64))
        self.metric.append(np.full(len(times), BY_CODE[metric].id, np.int64))
        self.time.append(times)
        self.value.append(values.astype(np.float64))


def make_room(tale: Tale) -> None:
    """Partitions for the month; by itself, since what holds the parent must be over at once."""
    with tale.hand("jobs"):
        days = {"first_day": tale.house.day(DAYS + 1), "last_day": tale.house.day(-7)}
        tale.tx.one("maintenance.ensure_partitions", **days)


def tell(residents: int, seed: int, tale: Tale) -> None:
    """All readings of the month in one go. On TimescaleDB the rollups come by themselves."""
    house = tale.house
    with tale.hand("admin"):
        rows = tale.tx.all("demo.device_keys", institution=house.institution)
    columns = Columns({row["id"]: row["key"] for row in rows})
    world = make_world(residents, seed, house.site)
    end = house.anchor.timestamp() - QUIET_SECONDS
    midnight = house.moment(DAYS - 1, "00:00").timestamp()
    for resident in world.residents:
        life = world.life(resident)
        for number in range(DAYS):
            begins = midnight + number * DAY_SECONDS
            rng = keyed(seed, house.site, resident.index, "month", number)
            _day(columns, resident, life, begins, min(begins + DAY_SECONDS, end), rng)
            _by_hand(columns, resident, number, begins, end, rng)
    _store(tale, columns)


def _day(
    columns: Columns, person: SimulatedResident, life: Life, begins: float, end: float, rng: np.random.Generator
) -> None:
    """What band, bed and room said in one day of China, shape (n,) each."""
    band = np.arange(begins, end, BAND_SECONDS) + 30.0
    if not len(band):
        return
    worn = _worn(person.index, band, begins, rng)
    wrist, bed, room = (person.device(kind).id for kind in ("wristband", "bed", "pir"))
    on = band[worn]
    columns.add(wrist, "heart_rate", on, np.round(life.heart_rate(on, rng)))
    columns.add(wrist, "spo2", on[::2], np.round(life.spo2(on[::2], rng)))
    columns.add(wrist, "steps", on[::3], life.steps(on[::3]))
    columns.add(wrist, "body_temp", on[::12], np.round(life.body_temp(on[::12], rng), 1))
    if person.index in WALKERS:
        out = on[np.isin(life.activity(on), list(AWAY))]
        for metric, values in _walk(out, rng).items():
            columns.add(wrist, metric, out, values)
    lies = life.in_bed(band)
    columns.add(bed, "bed", band, lies)
    asleep = band[lies]
    columns.add(bed, "resp_rate", asleep[::2], np.round(life.resp_rate(asleep[::2], rng)))
    slow = np.arange(begins, end, ROOM_SECONDS) + 60.0
    expected = life.pir_per_minute(slow) * ROOM_SECONDS / 60.0 * 0.5
    columns.add(room, "motion", slow, rng.poisson(expected))


def _walk(times: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Fixes of somebody who strolls about the house, shape (n,) each: up to some 200 m away, mostly north-east."""
    far = rng.uniform(40.0, 210.0, len(times)) / METRES_PER_DEGREE
    angle = rng.normal(0.8, 0.7, len(times))
    return {
        "lat": np.round(HOME[0] + far * np.sin(angle), 6),
        "lon": np.round(HOME[1] + far * np.cos(angle) / np.cos(np.radians(HOME[0])), 6),
        "loc_acc": np.round(rng.uniform(6.0, 25.0, len(times))),
    }


def _worn(index: int, times: Floats, begins: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Charged for an hour in the evening; once in two weeks it is forgotten for a day, and not at night by one."""
    if rng.random() < 1 / 14:
        return np.zeros(len(times), np.bool_)
    hour = (times - begins) / 3600.0
    charging = float(rng.uniform(18.5, 20.5))
    worn = (hour < charging) | (hour > charging + 1.0)
    return worn & ((hour > 7.0) & (hour < 21.5)) if index == 6 else worn


def _by_hand(
    columns: Columns, person: SimulatedResident, number: int, begins: float, end: float, rng: np.random.Generator
) -> None:
    """Cuff twice a day, glucose twice a week, weight each morning; the pressure slowly comes down."""
    share, index = number / DAYS, person.index
    ids = dict(hand_held(index))

    def times(*hours: float) -> Floats:
        found = begins + 3600.0 * (np.array(hours) + rng.uniform(-0.2, 0.3, len(hours)))
        return np.asarray(found[found < end], np.float64)

    if index in CUFFS and rng.random() > 0.06:
        systolic, diastolic = CUFFS[index]
        at = times(8.1, 20.1)
        upper = systolic - 9.0 * share + rng.normal(0.0, 5.0, len(at)) + 3.0 * (at > begins + 12 * 3600)
        columns.add(ids["bp_monitor"], "bp_sys", at, np.round(upper))
        columns.add(ids["bp_monitor"], "bp_dia", at, np.round(diastolic - 4.0 * share + rng.normal(0.0, 3.0, len(at))))
    if index in GLUCOSE and number % 7 in (0, 3):
        at = times(6.6, 13.5)
        after_meal = 2.1 * (at > begins + 10 * 3600)
        columns.add(
            ids["glucometer"], "glucose", at, np.round(GLUCOSE[index] + after_meal + rng.normal(0, 0.5, len(at)), 1)
        )
    if index in SCALES:
        at = times(7.0)
        swelling = 1.4 * np.exp(-(((number - 11) / 3.0) ** 2))  # the days before the referral
        columns.add(ids["scale"], "weight", at, np.round(SCALES[index] + swelling + rng.normal(0, 0.15, len(at)), 1))


def _store(tale: Tale, columns: Columns) -> None:
    """As ingest writes: staged, so that a second telling adds nothing; the newest of each key beside it."""
    device, metric = np.concatenate(columns.device), np.concatenate(columns.metric)
    time, value = np.concatenate(columns.time), np.concatenate(columns.value)
    flags = np.zeros(len(time), np.int64)
    order = np.lexsort((time, metric, device))
    device, metric, time, value = device[order], metric[order], time[order], value[order]
    newest = np.flatnonzero(np.append((np.diff(device) != 0) | (np.diff(metric) != 0), True))
    with tale.hand("ingest"):
        tale.tx.run("ingest.create_stage")
        with tale.tx.connection.cursor() as cursor:
            with cursor.copy(sql("ingest.copy_stage")) as copy:
                copy.write(readings_stream(device, metric, time, value, flags, time + DELAY_SECONDS))
            with cursor.copy(sql("ingest.copy_latest")) as copy:
                received = float(time.max()) + DELAY_SECONDS
                new = newest
                copy.write(latest_stream(device[new], metric[new], time[new], value[new], flags[new], received))
        tale.tx.run("ingest.insert_staged")
        tale.tx.run("ingest.upsert_latest")
        tale.tx.run("demo.forget_stage")
        _mark_seen(tale, columns)
    with tale.hand("jobs"):
        rollup.rebuild(tale.tx, np.unique(device).tolist(), float(time.min()), float(time.max()) + 1.0)


def _mark_seen(tale: Tale, columns: Columns) -> None:
    """What is used by hand was last heard when it was last used; the others speak for themselves by now."""
    last = {int(device[0]): float(times[-1]) for device, times in zip(columns.device, columns.time, strict=True)}
    whom = [columns.keys[name] for index in range(len(tale.house.people)) for _, name in hand_held(index)
            if name in columns.keys and columns.keys[name] in last]  # fmt: skip
    for key in whom:
        moment = last[key]
        tale.tx.run(
            "ingest.mark_seen", device_key=[key], institution=[tale.house.institution], sample=[moment],
            received=from_unix(moment + DELAY_SECONDS),
        )  # fmt: skip
