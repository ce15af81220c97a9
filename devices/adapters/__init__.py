"""Adapters: what a gateway publishes in its own system's words enters, samples in the platform's words leave.

One module for each system. An adapter decides and does nothing else: no clock, no network, no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from devices.adapters import homeassistant, owntracks, shelly, tasmota, theengs, zigbee2mqtt
from devices.adapters.base import Adapter, ForeignEvent, Sample

_STATELESS: Final[dict[str, Adapter]] = {
    adapter.name: adapter
    for adapter in (
        zigbee2mqtt.Zigbee2Mqtt(),
        tasmota.Tasmota(),
        shelly.Shelly(),
        theengs.Theengs(),
        owntracks.OwnTracks(),
    )
}
NAMES: Final = (*_STATELESS, homeassistant.NAME)

# The word after `x/` that people know the system by.
_ALIASES: Final = {"esphome": homeassistant.NAME, "openmqttgateway": "theengs"}


def canonical(name: str) -> str | None:
    """The adapter's own name for a name in a topic; None for one that is not there."""
    name = _ALIASES.get(name, name)
    return name if name in NAMES else None


def adapter_for(name: str, facts: Mapping[str, Mapping[str, Any]]) -> Adapter:
    """The adapter of one gateway.

    name: a canonical name. facts: by native id, what discovery told earlier; only `homeassistant` needs it.
    """
    return _STATELESS[name] if name in _STATELESS else homeassistant.HomeAssistant.from_facts(facts)


__all__ = ["NAMES", "Adapter", "ForeignEvent", "Sample", "adapter_for", "canonical"]
