"""The training of the fall model is repeatable, keeps people apart and measures what it says."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.detectors import fall_features as ff
from bench.falls import measure, network, train
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
    assert measure.operating_point(some, score, "wrist") == pytest.approx(1.0, abs=0.05)
    figures = measure.report(some, score, train.folds(some, "people", 1), "wrist")["all"]
    assert figures["sensitivity"][0] == figures["specificity"][0] == figures["auc"] == 1.0


def test_interval_and_area() -> None:
    assert measure.wilson(95, 100) == [0.95, 0.8882, 0.9785]
    assert measure.area(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, True, False, True])) == pytest.approx(0.875)
