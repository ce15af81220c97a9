"""The measuring commands of the vital detectors on small made-up people, and on recorded ones where there are any."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from alerts.detectors.base import Batch
from bench.anomaly import measure as anomaly
from bench.vitals import homes, pulses, wards
from core.errors import BadInput
from core.metrics import BY_CODE

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data"
DAY = 86_400.0


def recorded(name: str) -> Path:
    folder = RECORDED / name
    if not folder.is_dir():
        pytest.skip("the recorded signals are not beside the checkout")
    return folder


def weighed(days: int, rng: np.random.Generator) -> Batch:
    """A home's weight once a day, 60 kg and a little."""
    time = DAY * (20_000 + np.arange(days)) + 8 * 3600
    metric = np.full(days, BY_CODE["weight"].id, np.int16)
    return Batch(np.zeros(days, np.int64), metric, time, 60 + rng.normal(0, 0.2, days))


def test_an_injected_change_is_seen_and_only_from_its_day_on() -> None:
    readings = weighed(60, np.random.default_rng(1))
    other, begins = homes.changed(readings, "weight", 3.0)
    assert begins == {0: 20_000 + homes.KNOWN_DAYS}
    assert np.array_equal(other.value[: homes.KNOWN_DAYS], readings.value[: homes.KNOWN_DAYS])
    assert np.allclose(other.value[homes.KNOWN_DAYS :], readings.value[homes.KNOWN_DAYS :] + 3)
    plain = homes.live_through(readings)
    assert homes.seen(plain, homes.live_through(other), begins, "weight") == [0]
    assert homes.seen(plain, plain, begins, "weight") == [None]
    assert homes.changed(weighed(20, np.random.default_rng(1)), "weight", 3.0)[1] == {}


def test_the_interval_is_wilsons() -> None:
    assert homes.wilson(8, 10) == [0.8, 0.49, 0.943]
    assert homes.wilson(0, 0) == [0.0, 0.0, 1.0]


def stays(folder: Path) -> None:
    """Four stays: two well, two breathing fast with a low pressure from the tenth hour on, of whom one dies."""
    people = [("a", 0), ("b", 0), ("c", 1), ("d", 0), ("e", -1)]
    with (folder / "patients.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["record_id", "in_hospital_death", "saps_i", "sofa", "age"])
        writer.writerows([name, died, 10 + i, "", 70] for i, (name, died) in enumerate(people))
    with gzip.open(folder / "vitals.csv.gz", "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["record_id", "minute", "param", "value"])
        for name, _ in people:
            for hour in range(48):
                ill = name in "cd" and hour >= 10
                for param, value in (("RespRate", 28 if ill else 16), ("SysABP", 85 if ill else 130), ("HR", 72)):
                    rows.writerow([name, 60 * hour, param, value])
            rows.writerow([name, 30, "GCS", 15])
            rows.writerow([name, 40, "HR", 0])  # an artefact: ingest would refuse it


def test_wards_are_lived_through_by_the_production_detectors(tmp_path: Path) -> None:
    stays(tmp_path)
    out = wards.figures(tmp_path)
    assert (out["stays"], out["deaths"], out["readings"]) == (4, 1, 4 * 48 * 3)
    assert out["news2_critical"] == {"of_stays": 0.0, "died_with": None, "died_without": 0.25}
    assert out["alerts_a_person_day"]["news2"] == {"high": 0.25}, "two of four stays of two days"
    assert out["area_for_death"]["news2_highest"][0] == pytest.approx((1 + 1 + 0.5) / 3, abs=1e-3)
    with pytest.raises(BadInput):
        wards.read(tmp_path / "nowhere")


def test_the_generic_score_finds_more_rises_than_it_costs_alarms() -> None:
    """Of the made-up pulses of the picture: as many rises as with a lowered limit, at fewer alarms without a cause."""
    values = pulses.pulses(0.0)
    assert values.shape == (pulses.DAYS * pulses.DAY_STEPS, pulses.PEOPLE)
    assert np.array_equal(pulses.pulses(8.0)[pulses.RISE] - values[pulses.RISE], np.full((96, pulses.PEOPLE), 8.0))
    with pulses.parameters({"BASELINE_LIMIT": 1.0}):
        assert pulses.baseline.BASELINE_LIMIT.value == 1.0
    assert pulses.baseline.BASELINE_LIMIT.value == 3.5


@pytest.mark.recorded
def test_homes_are_not_flooded_and_a_large_change_of_pressure_is_seen() -> None:
    out = homes.figures(recorded("tihm"))
    assert sum(rate for _, rate in out["alerts"].values()) < 0.12
    assert out["changes"]["bp_sys +25"]["seen"][0] > 0.8


@pytest.mark.recorded
def test_news2_over_a_stay_tells_more_of_death_than_the_first_days_scores() -> None:
    out = wards.figures(recorded("physionet2012_vitals"))
    assert out["area_for_death"]["news2_mean"][1] > out["area_for_death"]["saps_i"][0]


@pytest.mark.recorded
def test_the_generic_score_keeps_its_level_on_the_made_up_series(tmp_path: Path) -> None:
    source = recorded("nab")
    (tmp_path / "data").symlink_to(source / "data")
    named = anomaly.json.loads((source / "windows.json").read_text())
    made_up = {name: spans for name, spans in named.items() if name.startswith("artificialWithAnomaly")}
    (tmp_path / "windows.json").write_text(anomaly.json.dumps(made_up))
    assert anomaly.measure(tmp_path, draws=2)["score_there"] > 60
