"""Device models: found by what registries and gateways call them, complete for every kind, true to the metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.devices.health import days_left
from cli.devices import watch_line
from core.metrics import BY_CODE
from core.vocabulary import DEVICE_KINDS
from devices import models
from devices.registry import SUPERVISION_SECONDS, supervision_of

NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("Aqara WSDCGQ11LM", "climate", "aqara-climate"),
        ("HEIMAN HS1SA", "smoke", "heiman-smoke"),
        ("Shelly Plus H&T", "climate", "shelly-ht"),
        ("shellyplussmoke-a1b2c3", "smoke", "smoke"),
        ("HEIMAN HS1SA", "door", "door"),
        ("", "wristband", "wristband"),
        ("W1", "wristband", "wristband"),
        ("anything", "a kind of tomorrow", "other"),
    ],
)
def test_a_model_is_found_by_its_name_and_else_by_its_kind(text: str, kind: str, code: str) -> None:
    assert models.find(text, kind).code == code


def test_every_kind_has_a_model_and_every_word_means_one() -> None:
    assert set(models.KINDS) == set(DEVICE_KINDS) == set(SUPERVISION_SECONDS)
    words = [word for model in models.MODELS for word in (model.code, *model.matches)]
    assert len(words) == len(set(words))
    for model in models.MODELS:
        assert models.find(model.code, model.kind) is model
        assert all(models.find(word, model.kind) is model for word in model.matches)


@pytest.mark.parametrize("model", [*models.KINDS.values(), *models.MODELS], ids=lambda model: model.code)
def test_models_are_consistent(model: models.Model) -> None:
    for sensor in model.sensors:
        assert sensor.metric in BY_CODE
        assert (sensor.expected is None) == (sensor.supervision is None)
        if sensor.expected is not None and sensor.supervision is not None:
            assert sensor.supervision >= 2 * sensor.expected, "one lost message is no silence"
    if model.battery is not None:
        assert 0 < model.battery.critical < model.battery.low < model.battery.low + model.battery.back < 100


def test_a_model_that_speaks_rarely_is_supervised_for_longer() -> None:
    assert supervision_of("climate", "Shelly Plus H&T") == 13 * 3600
    assert supervision_of("climate", "") == SUPERVISION_SECONDS["climate"]
    assert supervision_of("wristband", "W1") == SUPERVISION_SECONDS["wristband"]


def test_days_left_begin_anew_with_a_charge_and_need_a_day() -> None:
    days = [(NOW + timedelta(days=n), level) for n, level in enumerate((30.0, 90.0, 88.0, 86.0))]
    assert days_left(days) == 43.0
    assert days_left(days[:2]) is None
    assert days_left([]) is None
    assert days_left([(NOW, 80.0), (NOW + timedelta(days=3), 80.0)]) is None


@pytest.mark.parametrize(
    ("changes", "speaks", "battery"),
    [
        ({}, "yes", "55 %"),
        ({"bound_from": None}, "not bound", "55 %"),
        ({"last_sample": NOW - timedelta(hours=2)}, "SILENT", "55 %"),
        ({"last_sample": None, "bound_from": NOW}, "never", "55 %"),
        ({"battery": 15}, "yes", "15 % LOW"),
        ({"battery": 10}, "yes", "10 % CRITICAL"),
        ({"battery": None}, "yes", "unknown"),
        ({"kind": "bed"}, "yes", "mains"),
    ],
)
def test_the_operators_line_says_what_is_wrong(changes: dict[str, object], speaks: str, battery: str) -> None:
    row = {
        "id": "wb-1", "kind": "wristband", "model": "", "supervision_seconds": 900, "battery": 55.0, "gateway": None,
        "last_sample": NOW - timedelta(minutes=1), "bound_from": NOW - timedelta(days=3), **changes,
    }  # fmt: skip
    line = watch_line(row, NOW)
    assert (line["speaks"], line["battery"]) == (speaks, battery)
