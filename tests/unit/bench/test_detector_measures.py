"""The measuring commands of the routine and anomaly detectors agree with plain counts on small made-up data."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from alerts.detectors.base import Batch
from alerts.detectors.inactivity import InactivityDetector
from bench.anomaly import measure as anomaly
from bench.routine import collapse, measure

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data"
HOME = 1_700_006_400.0  # a midnight


def lived_home(days: int, rng: np.random.Generator) -> collapse.Home:
    """Firings about every ten minutes from 7:00 to 22:00, none of a door."""
    time = [HOME + 86_400 * day + 3600 * 7 + 600 * i + rng.uniform(0, 300) for day in range(days) for i in range(90)]
    return collapse.Home("a", np.array(time) - HOME, np.zeros(len(time), bool))


def test_the_area_counts_pairs_and_ties_half() -> None:
    score, label = np.array([0.1, 0.4, 0.4, 0.8, 0.2]), np.array([False, True, False, True, False])
    assert measure.area(score, label) == pytest.approx((2.5 + 3) / 6)
    home = np.array(["a", "a", "a", "b", "b"])
    assert measure.area_within(score, label, home) == pytest.approx((1.5 + 1) / 3)
    assert measure.recall(np.arange(20.0), np.arange(20) >= 16) == 0.5


def test_a_collapse_is_seen_and_a_regular_home_is_quiet() -> None:
    home = lived_home(16, np.random.default_rng(1))
    at = 14 * 86_400 + 12 * 3600.0
    fallen, whole = collapse.run([home, home], [np.array([at]), np.array([])])
    assert fallen.alarms.total() == whole.alarms.total() == len(fallen.amid) == len(whole.delays) == 0
    (delay,) = fallen.delays
    assert delay is not None
    assert 1.9 < delay < 10.1


def test_the_delay_is_that_of_a_home_that_is_cut_in_fact() -> None:
    """The copy of a memory that lives on beside the home is as good as a home whose firings end."""
    home = lived_home(16, np.random.default_rng(2))
    at = 13 * 86_400 + 16.3 * 3600
    ((_, (delay,), _),) = collapse.run([home], [np.array([at])])
    kept = home.time <= at
    detector, now = InactivityDetector(0), 0.0
    detector.consume(Batch(np.zeros(kept.sum(), np.int64), np.full(kept.sum(), collapse.MOTION, np.int16),
                           home.time[kept], np.ones(kept.sum())))  # fmt: skip
    while now <= at or not detector.tick(now):
        now += 300.0
    assert delay == pytest.approx((now - at) / 3600)


def test_alarms_that_stand_are_one_and_rates_have_intervals_by_home() -> None:
    home = lived_home(16, np.random.default_rng(1))
    silent = home._replace(time=np.concatenate([home.time[home.time < 10 * 86_400], home.time[-1:]]))
    (one,) = collapse.run([silent._replace(out=np.zeros(len(silent.time), bool))], [np.array([])])
    assert one.alarms.total() == 1
    rate, low, high = collapse.by_homes(np.array([1.0, 3.0]), np.array([10.0, 10.0]), 1)
    assert (rate, low, high) == (0.2, 0.1, 0.3)


def test_collapses_are_repeatable_and_fall_within_the_judged_time() -> None:
    home = lived_home(16, np.random.default_rng(1))
    one, two = (collapse.cuts(home, 5, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, two)
    assert (one > home.time[0] + 8 * 86_400).all()


def test_routine_command_on_made_up_homes(tmp_path: Path) -> None:
    rooms = ("hallway", "kitchen")
    lines, start = ["patient_id,timestamp,location"], datetime(2024, 3, 1, tzinfo=UTC)
    for home in ("a", "b"):
        for day in range(16):
            for i in range(1500 if (home, day) == ("a", 12) else 90):
                seconds = 7 * 3600 + (36 if (home, day) == ("a", 12) else 600) * i
                lines.append(f"{home},{start + timedelta(days=day, seconds=seconds):%Y-%m-%d %H:%M:%S},{rooms[i % 2]}")
    with gzip.open(tmp_path / "activity.csv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    with gzip.open(tmp_path / "physiology.csv.gz", "wt", encoding="utf-8") as file:
        file.write("patient_id,timestamp,device_type,value,unit\n")
    (tmp_path / "labels.csv").write_text("patient_id,timestamp,type\na,2024-03-13 10:00:00,Agitation\n")
    out = measure.measure(tmp_path, collapses=1)
    assert out["days"]["Agitation"]["auroc"] == out["days"]["Agitation"]["auroc_within_home"] == 1.0
    assert out["days"]["Pulse"] == {"label_days": 0}
    assert out["front_and_back_door"]["homes"] == 2


def test_the_benchmark_gives_100_for_perfect_and_0_for_silence() -> None:
    score = np.zeros(1000)
    score[500] = 1.0
    perfect, silent = anomaly.Judged(score, [(500, 599)]), anomaly.Judged(np.zeros(1000), [(500, 599)])
    assert anomaly.normalised(perfect.at(0.5)[0], 1) == pytest.approx(100)
    assert anomaly.normalised(silent.at(0.5)[0], 1) == pytest.approx(0)
    assert perfect.at(0.5)[1:] == (1, 0)
    score[300] = 1.0  # before the window: a whole false detection
    assert anomaly.Judged(score, [(500, 599)]).at(0.5)[0] == pytest.approx(1 - 0.11)


@pytest.mark.recorded
def test_recorded_homes_reach_the_target() -> None:
    data = RECORDED / "tihm"
    if not (data / "labels.csv").is_file():
        pytest.skip("the recorded homes are absent")
    assert measure.days(data, 1)["Agitation"]["auroc"] >= 0.70
