"""Home Assistant discovery, as ESPHome and many others speak it: configurations and states enter, samples leave.

A configuration says on which topic an entity tells its state and how to read it; it is kept as a fact of the foreign
device, and the adapter of a gateway is made from these facts. Set `discovery_prefix` to
`anhu/v1/{site}/{gateway}/x/homeassistant/homeassistant` and `topic_prefix` to `.../x/homeassistant/{node}`.
Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import Rejected
from devices.adapters import base
from devices.adapters.base import Sample
from devices.adapters.ha_meaning import Meaning, meaning_of, value_of

NAME: Final = "homeassistant"
ENTITY_FACT: Final = "entity "
"""Facts under this prefix and the configuration's path hold an entity."""
ENTITIES_MAX: Final = 64

_CONFIG: Final = re.compile(r"homeassistant/(?P<component>[a-z_]+)/(?P<object>[A-Za-z0-9_/.-]{1,200})/config")
_MARK: Final = re.compile(r".*/x/(?:homeassistant|esphome)/")
_QUIET: Final = re.compile(r"(?:.*/)?(?:set|command|debug|cmd)(?:/.*)?|homeassistant/status|.*/command")

# Filters that only change the form; numbers are read as numbers here anyway.
_FILTERS: Final = re.compile(r"(?:\|\s*(?:float|int|round|string)\s*(?:\([^()|]*\))?\s*)+$")

# Short forms of the discovery contract that matter here.
_SHORT: Final = {
    "stat_t": "state_topic", "t": "topic", "val_tpl": "value_template", "dev_cla": "device_class",
    "unit_of_meas": "unit_of_measurement", "uniq_id": "unique_id", "obj_id": "object_id", "dev": "device",
    "pl_on": "payload_on", "pl_off": "payload_off", "pl": "payload", "avty_t": "availability_topic",
    "avty": "availability", "avty_tpl": "availability_template", "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available", "cmps": "components", "p": "platform", "stype": "subtype",
}  # fmt: skip
_SHORT_DEVICE: Final = {
    "ids": "identifiers", "mf": "manufacturer", "mdl": "model", "sw": "sw_version", "cns": "connections",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entity:
    """Where one entity tells its state, and what that means."""

    native_id: str
    path: str
    template: tuple[str, ...]
    meaning: Meaning

    def as_fact(self) -> dict[str, Any]:
        return {"path": self.path, "template": list(self.template), "meaning": self.meaning.as_fact()}


@dataclass(frozen=True, slots=True)
class HomeAssistant:
    """The adapter of one gateway, knowing the entities that were announced so far."""

    entities: Mapping[str, Sequence[Entity]] = field(default_factory=dict)
    """Entities by the path of their state."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """Native id of the device that a configuration's path announced."""

    @property
    def name(self) -> str:
        return NAME

    @classmethod
    def from_facts(cls, facts: Mapping[str, Mapping[str, Any]]) -> HomeAssistant:
        """The adapter as the kept facts of its devices make it; what is not an entity there is passed over."""
        entities: dict[str, list[Entity]] = {}
        owners: dict[str, str] = {}
        for native_id, known in facts.items():
            for name, fact in known.items():
                if name.startswith(ENTITY_FACT) and (entity := _from_fact(native_id, fact)) is not None:
                    entities.setdefault(entity.path, []).append(entity)
                    owners[name.removeprefix(ENTITY_FACT)] = native_id
        return cls(entities, owners)

    def parse(self, path: str, payload: bytes) -> list[Sample]:
        """See `Adapter`."""
        if match := _CONFIG.fullmatch(path):
            return self._announced(path, match["component"], match["object"], payload)
        if path in self.entities:
            return _states(self.entities[path], payload)
        if _QUIET.fullmatch(path):
            return []
        raise Rejected("unknown_topic", f"no discovery message has announced {path[:120]}")

    def _announced(self, path: str, component: str, object_id: str, payload: bytes) -> list[Sample]:
        if not payload:
            owner = self.owners.get(path)
            return [Sample(owner, facts={ENTITY_FACT + path: None})] if owner else []
        config = _expanded(base.load_object(payload))
        node = object_id.partition("/")[0]
        if component == "device":
            parts = config.get("components")
            if not isinstance(parts, dict) or len(parts) > ENTITIES_MAX:
                raise Rejected("missing_field", f"components, at most {ENTITIES_MAX}")
            shared = {key: value for key, value in config.items() if key != "components"}
            found: list[Sample] = []
            for key, part in parts.items():
                if isinstance(part, dict):
                    own = {**shared, **_expanded({"~": config.get("~", ""), **part})}
                    found += _config(f"{path}#{key}"[:256], str(own.get("platform")), node, own)
            return found
        return _config(path, component, node, config)


def _config(path: str, component: str, node: str, config: dict[str, Any]) -> list[Sample]:
    """The device of a configuration, with the entity as a fact where it is one that we can use."""
    device = config.get("device")
    known: dict[str, Any] = _renamed(device, _SHORT_DEVICE) if isinstance(device, dict) else {}
    identifiers = known.get("identifiers")
    first = identifiers[0] if isinstance(identifiers, list) and identifiers else identifiers
    native_id = base.native_id(base.fact(first) or node)
    found: dict[str, Any] = base.facts(
        address=first,
        name=known.get("name"),
        vendor=known.get("manufacturer"),
        model=known.get("model"),
        firmware=known.get("sw_version"),
    )
    for kind, entity in _entities(native_id, component, config):
        found[ENTITY_FACT + path + kind] = entity.as_fact()
    return [Sample(native_id, facts=found)]


def _entities(native_id: str, component: str, config: dict[str, Any]) -> list[tuple[str, Entity]]:
    made: list[tuple[str, Entity]] = []
    topic = config.get("state_topic") or (config.get("topic") if component == "device_automation" else None)
    meaning = meaning_of(component, config)
    if isinstance(topic, str) and meaning is not None:
        made.append(("", Entity(native_id, relative(topic), _template(config.get("value_template")), meaning)))
    availability = config.get("availability")
    listed = availability if isinstance(availability, list) else []
    first = listed[0] if listed and isinstance(listed[0], dict) else {}
    told = config.get("availability_topic") or _renamed(first, _SHORT).get("topic")
    if isinstance(told, str):
        source = {**config, **_renamed(first, _SHORT)}
        online = Meaning(
            "online",
            "online",
            on=str(source.get("payload_available", "online")),
            off=str(source.get("payload_not_available", "offline")),
        )
        template = source.get("availability_template") or _renamed(first, _SHORT).get("value_template")
        made.append((" availability", Entity(native_id, relative(told), _template(template), online)))
    return made


def _states(entities: Sequence[Entity], payload: bytes) -> list[Sample]:
    """One sample for each device that tells something on this topic."""
    word = base.text(payload)
    document: Any = None
    if any(entity.template for entity in entities):
        document = base.load_json(payload)
    found: dict[str, dict[str, Any]] = {}
    for entity in entities:
        raw = _dig(document, entity.template) if entity.template else word
        value = value_of(entity.meaning, raw)
        if value is None:
            continue
        sample = found.setdefault(entity.native_id, {"metrics": {}, "states": {}})
        match entity.meaning.kind:
            case "metric":
                sample["metrics"][entity.meaning.target] = value
            case "state":
                sample["states"][entity.meaning.target] = value
                if entity.meaning.target in ("smoke", "water_leak", "door"):
                    sample["metrics"][entity.meaning.target] = float(value)
            case "action":
                sample["action"] = value
            case "online":
                sample["online"] = value
    return [Sample(native_id, **fields) for native_id, fields in found.items()]


def relative(topic: str) -> str:
    """A topic as its own system names it: without the prefix under which the gateway publishes here."""
    return _MARK.sub("", topic)


def _template(text: Any) -> tuple[str, ...]:
    """The keys of `{{ value_json.a['b'] }}`; an empty tuple takes the payload as it is. Raises Rejected."""
    if not isinstance(text, str) or not text.strip():
        return ()
    inner = re.fullmatch(r"\s*\{\{(.*)\}\}\s*", text, re.DOTALL)
    expression = _FILTERS.sub("", inner[1]).strip() if inner else ""
    if expression == "value":
        return ()
    if not re.fullmatch(r"value_json(?:\.\w+|\[['\"][^'\"\]]+['\"]\])+", expression):
        raise Rejected("unsupported_template", text[:120])
    return tuple(a or b for a, b in re.findall(r"\.(\w+)|\[['\"]([^'\"\]]+)['\"]\]", expression))


def _dig(document: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _renamed(one: Mapping[str, Any], short: Mapping[str, str]) -> dict[str, Any]:
    return {short.get(key, key): value for key, value in one.items()}


def _expanded(config: dict[str, Any]) -> dict[str, Any]:
    """Long names, and topics with `~` at either end filled in."""
    stem = config.get("~")
    full = _renamed(config, _SHORT)
    if not isinstance(stem, str) or not stem:
        return full

    def fill(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("~"):
            return stem + value[1:]
        if isinstance(value, str) and value.endswith("~"):
            return value[:-1] + stem
        return value

    for key in [key for key in full if key.endswith("topic")]:
        full[key] = fill(full[key])
    if isinstance(full.get("availability"), list):
        full["availability"] = [
            {key: fill(value) for key, value in one.items()} if isinstance(one, dict) else one
            for one in full["availability"]
        ]
    return full


def _from_fact(native_id: str, fact: Any) -> Entity | None:
    try:
        return Entity(native_id, fact["path"], tuple(fact["template"]), Meaning.from_fact(fact["meaning"]))
    except (TypeError, KeyError, ValueError, json.JSONDecodeError):
        return None
