"""Device models: a registered kind and the model's text enter, what such a device samples and how it fails leave.

Pure data beside `core`; the registry, the watch over silence, batteries and stuck values, the API and the command read
it. A model that is not known is judged as its kind.

Intervals are those of the devices' own documentation or practice [K] and are generous: what is supervised is that a
sensor lives, not that it keeps its step. A device's own `supervision_seconds` in the registry still watches the whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from core.vocabulary import DEVICE_KINDS, Names

Chemistry = Literal["li_ion", "lithium_coin", "lithium_primary", "alkaline", "none"]

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Sensor:
    """One metric of a model. Intervals in seconds; `supervision` None: it speaks only when something happens."""

    metric: str
    expected: int | None
    supervision: int | None


@dataclass(frozen=True, slots=True)
class Battery:
    """When a battery is low, in % as the device reports it. `back` is how far above a value must come to be over."""

    chemistry: Chemistry
    low: float
    critical: float
    back: float = 5.0


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of one make of device."""

    code: str
    kind: str
    names: Names
    sensors: tuple[Sensor, ...] = ()
    battery: Battery | None = None
    matches: tuple[str, ...] = ()
    """Words that name it in a registry or a gateway's discovery, lower case."""

    @property
    def mains(self) -> bool:
        """Whether it lives on the mains alone."""
        return self.battery is None


# Rechargeable cells fall evenly and are charged by a person every few days. A coin cell or a lithium primary keeps its
# voltage and then falls off within days, so that its last fifth is worth less than it says. Some Chinese home
# platforms call 10 % low; a person has to come with a battery, so the word goes out earlier.
LI_ION: Final = Battery("li_ion", low=20, critical=10)
COIN: Final = Battery("lithium_coin", low=20, critical=10)
PRIMARY: Final = Battery("lithium_primary", low=20, critical=10)
ALKALINE: Final = Battery("alkaline", low=15, critical=5)


def _every(metrics: str, expected: int, supervision: int) -> tuple[Sensor, ...]:
    return tuple(Sensor(metric, expected, supervision) for metric in metrics.split())


def _on_change(metrics: str) -> tuple[Sensor, ...]:
    return tuple(Sensor(metric, None, None) for metric in metrics.split())


def _of_kind(kind: str, sensors: tuple[Sensor, ...], battery: Battery | None) -> Model:
    return Model(kind, kind, DEVICE_KINDS[kind], sensors, battery)


_WRIST = _every("heart_rate", MINUTE, 30 * MINUTE) + _every("spo2 steps", 10 * MINUTE, 4 * HOUR)

KINDS: Final[dict[str, Model]] = {
    model.kind: model
    for model in (
        _of_kind("wristband", _WRIST + _on_change("body_temp resp_rate bp_sys bp_dia sleep_stage"), LI_ION),
        _of_kind("pendant", (), COIN),
        _of_kind("bed", _every("bed", 5 * MINUTE, HOUR) + _on_change("heart_rate resp_rate"), None),
        _of_kind("pir", _on_change("motion"), COIN),
        _of_kind("door", _on_change("door"), COIN),
        _of_kind("smoke", _on_change("smoke"), PRIMARY),
        _of_kind("gas", _on_change("gas_lel"), None),
        _of_kind("co", _on_change("co_ppm"), PRIMARY),
        _of_kind("water", _on_change("water_leak water_flow"), COIN),
        _of_kind("climate", _every("room_temp humidity", 10 * MINUTE, 4 * HOUR), COIN),
        _of_kind("scale", _on_change("weight"), ALKALINE),
        _of_kind("bp_monitor", _on_change("bp_sys bp_dia heart_rate"), ALKALINE),
        _of_kind("glucometer", _on_change("glucose"), COIN),
        _of_kind("tracker", _every("lat lon", 5 * MINUTE, 2 * HOUR), LI_ION),
        _of_kind("gateway", (), None),
        _of_kind("other", (), COIN),
    )
}


def _make(code: str, kind: str, zh: str, en: str, matches: str, **changes: object) -> Model:
    changed = replace(KINDS[kind], code=code, names=Names(zh, en), matches=tuple(matches.split("|")))
    return replace(changed, **changes)  # type: ignore[arg-type]  # fields of Model


_PLUG = _every("power_w", 5 * MINUTE, HOUR)
_HOURLY_CLIMATE = _every("room_temp humidity", HOUR, 4 * HOUR)

MODELS: Final[tuple[Model, ...]] = (
    _make("aqara-motion", "pir", "Aqara 人体传感器", "Aqara motion sensor", "rtcgq11lm|rtcgq01lm"),
    _make("aqara-contact", "door", "Aqara 门窗传感器", "Aqara contact sensor", "mccgq11lm|mccgq01lm"),
    _make("aqara-climate", "climate", "Aqara 温湿度传感器", "Aqara temperature sensor", "wsdcgq11lm|wsdcgq01lm",
          sensors=_HOURLY_CLIMATE),
    _make("aqara-leak", "water", "Aqara 水浸传感器", "Aqara leak sensor", "sjcgq11lm|sjcgq12lm"),
    _make("aqara-button", "pendant", "Aqara 无线按钮", "Aqara wireless button", "wxkg11lm|wxkg12lm"),
    _make("sonoff-climate", "climate", "SONOFF 温湿度传感器", "SONOFF temperature sensor", "snzb-02|snzb-02d|snzb-02p",
          sensors=_HOURLY_CLIMATE),
    _make("sonoff-motion", "pir", "SONOFF 人体传感器", "SONOFF motion sensor", "snzb-03|snzb-03p"),
    _make("sonoff-contact", "door", "SONOFF 门磁", "SONOFF contact sensor", "snzb-04|snzb-04p"),
    _make("heiman-smoke", "smoke", "海曼烟雾报警器", "HEIMAN smoke alarm", "hs1sa|hs1sa-e|hs3sa"),
    _make("heiman-co", "co", "海曼一氧化碳报警器", "HEIMAN CO alarm", "hs1ca|hs1ca-e"),
    _make("heiman-gas", "gas", "海曼燃气报警器", "HEIMAN gas alarm", "hs1cg|hs1cg-e|hs3cg"),
    _make("xiaomi-thermometer", "climate", "米家蓝牙温湿度计", "Xiaomi BLE thermometer", "lywsd03mmc|lywsdcgq"),
    _make("shelly-ht", "climate", "Shelly H&T", "Shelly H&T", "shelly h&t|shelly plus h&t|shellyplusht|shellyhtg3",
          sensors=_every("room_temp humidity", 2 * HOUR, 13 * HOUR), battery=ALKALINE),
    _make("shelly-smoke", "smoke", "Shelly 烟雾报警器", "Shelly Plus Smoke", "shelly plus smoke|shellyplussmoke"),
    _make("shelly-flood", "water", "Shelly 水浸传感器", "Shelly Flood", "shelly flood|shellyflood", battery=PRIMARY),
    _make("plug", "other", "计量插座", "Metering plug", "shelly plus plug s|shellyplusplugs|shellyplugsg3|nous a1t",
          sensors=_PLUG, battery=None),
)  # fmt: skip

_BY_WORD: Final[dict[str, Model]] = {word: model for model in MODELS for word in (model.code, *model.matches)}
_WORD: Final = re.compile(r"[^a-z0-9&+-]+")


@lru_cache(maxsize=4096)
def find(text: str, kind: str) -> Model:
    """The model that a device's text names; where none does, what is known of its kind.

    The kind that a person registered wins over the model's: a contact sensor may be sold for a bed. Longer names are
    looked for first, so that `shelly plus smoke` is not taken for something shorter.
    """
    words = [word for word in _WORD.split(text.lower()) if word]
    for length in range(min(len(words), 4), 0, -1):
        for start in range(len(words) - length + 1):
            model = _BY_WORD.get(" ".join(words[start : start + length]))
            if model is not None and model.kind == kind:
                return model
    return KINDS.get(kind, KINDS["other"])
