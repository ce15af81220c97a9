"""The training of the fall model is repeatable, keeps people apart and measures what it says."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from alerts.detectors import fall_convolution as fc
from alerts.detectors import fall_features as ff
from alerts.detectors import fall_model
from bench.falls import convolution, data, measure, network, train
from bench.falls.data import VARIANTS, Trial, impacts
from tests.contract.detector_drivers import fall_signal


def trials(people: int = 12) -> list[Trial]:
    out = []
    for person in range(people):
        rng = np.random.default_rng(person)
        for fall in (True, False):
            samples = fall_signal(rng, 50.0)
            if not fall:
                samples = samples[np.argsort(rng.random(len(samples)))] * 1.2
            out.append(
                Trial("a_set", "wrist", f"a_set/{person}", person % 3 == 0 and not fall, fall, "x", 50.0, samples)
            )
    return out


def test_the_network_learns_what_is_there_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.float32)
    p = network.train(x[:400], y[:400], np.ones(400), seed=1, steps=1500)
    assert ((network.log_odds(p, x[400:]) > 0) == (y[400:] > 0)).mean() > 0.85
    again = network.train(x[:400], y[:400], np.ones(400), seed=1, steps=1500)
    assert all(np.array_equal(a, b) for a, b in zip(p, again, strict=True))


def test_one_byte_weights_answer_as_the_trained_ones() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 9)).astype(np.float32)
    y = (x[:, 0] > 0.5).astype(np.float32)
    nets = [network.train(x, y, np.ones(300), seed=n, steps=200) for n in (1, 2)]
    entry = train.arrays({}, train.Networks(nets, []), 0.0)
    assert entry["w1"].dtype == np.int8
    part = entry | {"w1": entry["w1"].astype(np.float32) * entry["w1_step"][:, None]}
    trained = np.mean([network.log_odds(p, x) for p in nets], axis=0)
    assert fall_model.network(part, x) == pytest.approx(trained, abs=0.1)


def test_the_way_back_through_the_convolutions_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    p = [a.astype(np.float64) + rng.normal(0, 0.05, a.shape) for a in convolution.initial(rng, 3, (4, 5, 6), 7)]
    x, target = rng.normal(size=(6, 21, 3)), rng.random(6)

    def loss() -> float:
        h, _ = convolution._layers(p, x, None)
        odds = np.maximum(fc.summed(h) @ p[-4] + p[-3], 0) @ p[-2] + p[-1][0]
        return float((np.log1p(np.exp(odds)) - target * odds).mean())

    for weights, gradient in zip(p, convolution.gradients(p, x, target, None), strict=True):
        assert gradient.shape == weights.shape
        at = tuple(rng.integers(0, size) for size in weights.shape)
        kept, step = weights[at], 1e-6
        weights[at] = kept + step
        above = loss()
        weights[at] = kept - step
        slope = (above - loss()) / (2 * step)
        weights[at] = kept
        assert gradient[at] == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_the_convolutions_learn_what_is_there_and_repeat_themselves() -> None:
    rng = np.random.default_rng(1)
    seen = rng.normal(size=(120, 40, 2)).astype(np.float32)
    y = (np.arange(120) % 2).astype(np.float32)
    seen[y > 0, 10:14, 0] += 3  # a blow that only some have
    p = convolution.train(seen[:80], y[:80], np.ones(80), seed=1, steps=60)
    assert ((fc.forward(p, seen[80:]) > 0) == (y[80:] > 0)).mean() > 0.9
    again = convolution.train(seen[:80], y[:80], np.ones(80), seed=1, steps=60)
    assert all(np.array_equal(a, b) for a, b in zip(p, again, strict=True))


def test_the_product_answers_as_the_networks_that_were_trained() -> None:
    found = impacts(trials(2), seed=1)
    part, x = train.prepare(found, 1)
    more, seen = train.prepare_convolution(found, "wrist")
    y, weight = found.fall.astype(np.float32), np.ones(len(x))
    nets = train.Networks(
        [network.train(x, y, weight, seed=1, steps=3)], [convolution.train(seen, y, weight, n, 3) for n in (1, 2)]
    )
    arrays = {f"{p}_{k}": v for p in fall_model.POSITIONS for k, v in train.arrays(part | more, nets, 0.5).items()}
    score, _ = fall_model.FallModel(arrays | {"version": np.array("x")}).score(found.windows.astype(float), "wrist")
    assert np.log(score / (1 - score)) == pytest.approx(nets.log_odds(x, seen) - 0.5, abs=0.02)
    assert train.prepare_convolution(found, "waist")[1].shape == (len(x), 0)


def test_other_sensors_are_turned_and_cut_off() -> None:
    signal = fall_signal(np.random.default_rng(0), 50.0)
    drawn = [data._other_sensor(signal, np.random.default_rng(seed)) for seed in range(40)]
    largest = np.array([np.abs(s).max() for s in drawn])
    for limit in data._RANGES_G:
        assert (np.abs(largest - limit) < 0.15).any()
    assert 5 < (largest > 4).sum() < 40
    still = np.array([np.linalg.norm(s[:50], axis=1).mean() for s in drawn])
    assert (np.abs(still - 1) < 0.25).all()
    turn = data._rotation(np.random.default_rng(1))
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_gentler_falls_keep_their_posture_and_lose_their_force_at_the_waist_only() -> None:
    signal = fall_signal(np.random.default_rng(0), 50.0)
    worn = {
        position: Trial("a_set", position, "a_set/1", older=False, fall=True, activity="x", hz=50.0, samples=signal)
        for position in ("wrist", "waist")
    }
    drawn = [data._gentler(worn["waist"], np.random.default_rng(seed)) for seed in range(60)]
    peak = np.array([np.linalg.norm(s, axis=1).max() for s in drawn]) / np.linalg.norm(signal, axis=1).max()
    assert all(s.shape == signal.shape for s in drawn)
    assert 15 < (peak != 1).sum() < 35, "four in ten"
    assert 0.6 < peak.min() < 0.8
    assert 1 < peak.max() < 1.15
    for s in drawn:
        assert s[-50:].mean(0) == pytest.approx(signal[-50:].mean(0), abs=0.02)
    assert all(data._gentler(worn["wrist"], np.random.default_rng(seed)) is signal for seed in range(60))


def write_set(folder: Path, name: str) -> None:
    """A set in the common format with the trials of three people, in a rate of its own."""
    (folder / name).mkdir()
    some = trials(3)
    counts = [np.round(trial.samples * 1000).astype(np.int16) for trial in some]
    starts = np.cumsum([0, *(len(c) for c in counts)])
    columns = ("subject", "group", "activity_name", "is_fall", "position", "fs_hz", "acc_start", "acc_n")
    with (folder / name / "trials.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for trial, start, samples in zip(some, starts, counts, strict=False):
            group = "older" if trial.older else "young"
            row = (trial.person, group, "x", int(trial.fall), "wrist_watch", trial.hz, start, len(samples))
            writer.writerow(row)
    np.savez(folder / name / "signals.npz", acc_mg=np.concatenate(counts))


def test_the_script_writes_the_same_weights_again_and_the_product_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "SETS", ("one", "two"))
    for name in data.SETS:
        write_set(tmp_path, name)
    whole = network.train
    monkeypatch.setattr(network, "train", lambda x, y, weight, seed, steps=0: whole(x, y, weight, seed, 5))
    deep = convolution.train
    monkeypatch.setattr(convolution, "train", lambda x, y, weight, seed, steps=0: deep(x, y, weight, seed, 1))
    written = []
    for run in ("a", "b"):
        target = tmp_path / f"{run}.npz"
        monkeypatch.setattr("sys.argv", ["train", str(tmp_path), "--position", "wrist", "--output", str(target)])
        train.main()
        written.append(target.read_bytes())
    assert written[0] == written[1]
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    arrays |= {name.replace("wrist", "waist"): array for name, array in arrays.items()}
    model = fall_model.FallModel(arrays)
    found = impacts(data.read(tmp_path, "wrist"), seed=1)
    score, _ = model.score(found.windows[:20].astype(np.float64), "wrist")
    assert ((score > 0) & (score < 1)).all()


def test_weight_zero_is_never_drawn() -> None:
    x = np.array([[1.0], [1.0]] * 50, np.float32)
    y = np.array([0.0, 1.0] * 50, np.float32)
    p = network.train(x, y, np.array([0.0, 1.0] * 50), seed=1, steps=300)
    assert network.log_odds(p, x[:1])[0] > 1


def test_people_stay_together_in_folds() -> None:
    some = trials()
    for how, groups in (("folds", 10), ("people", 12), ("sets", 1)):
        group = train.folds(some, how, seed=1)
        by_person = {t.person: {int(g) for g, u in zip(group, some, strict=True) if u.person == t.person} for t in some}
        assert all(len(g) == 1 for g in by_person.values())
        assert len(set(group.tolist())) == groups


def test_variants_and_labels_of_impacts() -> None:
    some = trials(3)
    found = impacts(some, seed=1)
    assert found.windows.shape[1:] == (ff.WIDTH, 3)
    assert set(found.variant.tolist()) == set(range(VARIANTS))
    assert np.array_equal(found.fall, np.array([t.fall for t in some])[found.trial])
    for trial in range(len(some)):
        for variant in range(VARIANTS):
            assert found.largest[(found.trial == trial) & (found.variant == variant)].sum() == 1


def test_weights_balance_sets_and_labels() -> None:
    some = trials()
    found = impacts(some, seed=1)
    weight = train.weights(some, found, np.ones(len(found.trial), bool))
    assert weight[found.fall].sum() == pytest.approx(1)
    assert weight[~found.fall].sum() == pytest.approx(1)


def test_operating_point_lies_between_falls_and_activities() -> None:
    some = trials()
    score = np.array([3.0 if t.fall else -1.0 for t in some])
    assert measure.operating_point(some, score, "waist") == pytest.approx(1.0, abs=0.05)
    assert 0.5 < measure.operating_point(some, score, "wrist") < 1.5
    figures = measure.report(some, score, train.folds(some, "people", 1), "wrist")["all"]
    assert figures["sensitivity"][0] == figures["specificity"][0] == figures["auc"] == 1.0


def test_few_trials_hardly_move_the_operating_point_of_the_wrist() -> None:
    some = trials()
    rng = np.random.default_rng(3)
    score = np.array([rng.normal(1.5 if t.fall else -1.5, 0.8) for t in some])
    point = measure.operating_point(some, score, "wrist")
    for left_out in range(len(some)):
        use = np.arange(len(some)) != left_out
        assert measure.operating_point(some, score, "wrist", use) == pytest.approx(point, abs=0.3)


def test_interval_and_area() -> None:
    assert measure.wilson(95, 100) == [0.95, 0.8882, 0.9785]
    assert measure.area(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, True, False, True])) == pytest.approx(0.875)
