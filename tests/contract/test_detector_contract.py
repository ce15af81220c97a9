"""Every detector goes through every check: found by itself in `alerts.detectors`, driven by its driver."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import json
import math
import pkgutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alerts.detectors
from alerts.detectors.base import Batch, Detector, Finding
from alerts.detectors.falls import FallDetector
from core.errors import BadInput
from core.vocabulary import ALERT_TYPES, Severity
from tests.contract.detector_drivers import DRIVERS, T0, Driver, Readings, Step
from tests.contract.home_drivers import HOME_DRIVERS

TESTS = Path(__file__).resolve().parents[1]
METHODS = ("consume", "tick", "state", "restore")


def detector_classes() -> set[type]:
    """Every class in `alerts.detectors` that has the four methods, the protocol itself aside."""
    found = set()
    for module in pkgutil.iter_modules(alerts.detectors.__path__):
        for _, kind in inspect.getmembers(importlib.import_module(f"alerts.detectors.{module.name}"), inspect.isclass):
            if kind is not Detector and all(hasattr(kind, method) for method in METHODS):
                found.add(kind)
    return found


@pytest.fixture(params=(*DRIVERS, *HOME_DRIVERS), ids=lambda make: make.__name__)
def driver(request: pytest.FixtureRequest) -> Driver:
    return request.param()


def run(detector: Any, steps: list[Step]) -> list[Finding]:
    return [finding for step in steps for finding in step.run(detector)]


def canonical(findings: list[Finding]) -> list[str]:
    return sorted(json.dumps(asdict(finding), sort_keys=True, allow_nan=False) for finding in findings)


def same_state(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)


def valid(finding: Finding, detector: Any) -> None:
    assert (finding.detector, finding.version) == (detector.name, detector.version)
    assert finding.type in ALERT_TYPES
    assert 0.0 <= finding.score <= 1.0
    assert math.isfinite(finding.time)
    assert isinstance(finding.subject, int)
    assert finding.subject >= 0
    assert isinstance(finding.severity, Severity)
    assert finding.phase in ("raised", "cleared")
    assert {"value", "limit", "rule", "unit"} <= finding.evidence.keys()
    json.dumps(asdict(finding), allow_nan=False)


def test_every_detector_has_a_driver() -> None:
    assert {make().kind for make in (*DRIVERS, *HOME_DRIVERS)} == detector_classes()


def against_twins() -> dict[str, str]:
    """Source by name of every test that says it compares with a twin, file by file."""
    found = {}
    for folder in ("unit/alerts/detectors", "contract"):
        for path in sorted((TESTS / folder).glob("test_*.py")):
            source = path.read_text(encoding="utf-8")
            for node in ast.parse(source).body:
                if isinstance(node, ast.FunctionDef) and "twin" in node.name and "agree" in node.name:
                    found[f"{path.name}::{node.name}"] = ast.get_source_segment(source, node) or ""
    return found


@pytest.mark.parametrize("kind", sorted(detector_classes(), key=lambda kind: kind.__name__))
def test_every_detector_is_compared_with_a_slow_twin(kind: type) -> None:
    needle = "naive_falls." if kind is FallDetector else f"{kind.__name__}("
    assert [name for name, source in against_twins().items() if needle in source]


def test_findings_are_well_formed_and_there_are_some(driver: Driver) -> None:
    detector = driver.build()
    findings = run(detector, driver.steps(np.random.default_rng(1)))
    assert any(finding.phase == "raised" for finding in findings)
    for finding in findings:
        valid(finding, detector)


def test_input_is_left_as_it_is(driver: Driver) -> None:
    steps = driver.steps(np.random.default_rng(2))
    before = [[array.copy() for array in step.arrays()] for step in steps]
    for step in steps:
        for array in step.arrays():
            array.setflags(write=False)
    run(driver.build(), steps)
    for step, copies in zip(steps, before, strict=True):
        for array, copy in zip(step.arrays(), copies, strict=True):
            assert np.array_equal(array, copy, equal_nan=True)


def test_repeatable(driver: Driver) -> None:
    steps = driver.steps(np.random.default_rng(3))
    first, second = driver.build(), driver.build()
    assert run(first, steps) == run(second, steps)
    assert same_state(first.state(), second.state())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_checkpoint_and_restore_bit_for_bit(driver: Driver, share: float) -> None:
    steps = driver.steps(np.random.default_rng(4))
    at = int(share * len(steps))
    original = driver.build()
    run(original, steps[:at])
    file = io.BytesIO()
    np.savez(file, **original.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        checkpoint = dict(archive)
    copy = type(original)()
    copy.restore(checkpoint)
    assert same_state(original.state(), copy.state())
    assert run(original, steps[at:]) == run(copy, steps[at:])
    assert same_state(original.state(), copy.state())


def test_a_checkpoint_is_a_copy_and_a_wrong_one_is_refused(driver: Driver) -> None:
    detector = driver.build()
    run(detector, driver.steps(np.random.default_rng(5))[:40])
    checkpoint = detector.state()
    twin = driver.build()
    twin.restore(checkpoint)
    kept = {name: array.copy() for name, array in checkpoint.items()}
    run(detector, driver.alarm(T0 + 1e5))
    run(twin, driver.alarm(T0 + 1e5))
    assert same_state(checkpoint, kept)
    with pytest.raises(BadInput):
        detector.restore({name: array[..., None] for name, array in checkpoint.items()})


def test_the_order_within_a_batch_plays_no_part(driver: Driver) -> None:
    rng = np.random.default_rng(6)
    steps = driver.steps(rng)
    plain, mixed = driver.build(), driver.build()
    for step in steps:
        assert canonical(step.run(plain)) == canonical(step.permuted(rng).run(mixed))


def test_duplicates_change_nothing(driver: Driver) -> None:
    steps = driver.steps(np.random.default_rng(7))
    once, twice = driver.build(), driver.build()
    for step in steps:
        expected, got = step.run(once), step.run(twice)
        assert canonical(expected) == canonical(got)
        assert step.run(twice) == []


@pytest.mark.parametrize("fault", ["nan", "gaps", "reordered", "clock back", "clock ahead", "clock to zero"])
@pytest.mark.parametrize("seed", [8, 9])
def test_faults_neither_break_nor_deafen(driver: Driver, fault: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = driver.steps(rng)
    half = len(steps) // 2
    if fault == "nan":
        steps = [step.broken(rng) for step in steps]
    elif fault == "gaps":
        steps = [step for step in steps if rng.random() < 0.5]
    elif fault == "reordered":
        steps = [steps[i] for i in np.argsort(np.arange(len(steps)) + rng.uniform(0, 6, len(steps)))]
    else:
        jump = {"clock back": -7200.0, "clock ahead": 250.0, "clock to zero": -T0}[fault]
        steps = steps[:half] + [step.shifted(jump) for step in steps[half:]]
    detector = driver.build()
    for finding in run(detector, steps):
        valid(finding, detector)
    raised = run(detector, driver.alarm(T0 + 7200))
    assert any(finding.phase == "raised" for finding in raised)


def test_nothing_is_made_of_nothing(driver: Driver) -> None:
    detector = driver.build()
    empty = Batch(np.empty(0, np.int64), np.empty(0, np.int16), np.empty(0), np.empty(0))
    assert Readings(empty).run(detector) == []
    assert detector.tick(math.nan) == []
    unknown = Batch(np.array([-1, -5]), np.array([1, 999], np.int16), np.array([T0, T0]), np.array([200.0, 1.0]))
    assert detector.consume(unknown) == []
    odd = Batch(np.array([1, 2]), np.array([-3, 32_000], np.int16), np.array([T0, T0]), np.array([200.0, 1.0]))
    assert detector.consume(odd) == []
