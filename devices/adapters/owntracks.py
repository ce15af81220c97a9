"""OwnTracks: positions, crossed regions and last wills of telephones and trackers enter, samples leave.

Set the base topic to `anhu/v1/{site}/{gateway}/x/owntracks/{user}/{device}`. Set up only regions that are safe areas:
leaving any of them is an event. Source: https://owntracks.org/booklet/tech/json/
"""

from __future__ import annotations

from typing import Any, Final

from core.errors import Rejected
from devices.adapters import base
from devices.adapters.base import ForeignEvent, Sample

_CROSSINGS: Final = {"leave": "geofence_exit", "enter": "geofence_return"}
_LEAVES: Final = frozenset({"event", "step", "status", "waypoint", "waypoints", "beacon", "dump", "info", "cmd"})
_OTHERS: Final = frozenset(
    {"beacon", "card", "cmd", "configuration", "status", "waypoint", "waypoints", "request", "dump"}
)


class OwnTracks:
    """Stateless; a device's native id is `user/device`."""

    name = "owntracks"

    def parse(self, path: str, payload: bytes) -> list[Sample]:
        """See `Adapter`."""
        parts = path.split("/")
        name = base.native_id("/".join(parts[:-1] if len(parts) > 2 and parts[-1] in _LEAVES else parts))
        if not payload:
            return []
        message = base.load_object(payload)
        t = base.instant(message.get("tst"))
        match message.get("_type"):
            case "location":
                return [_location(name, t, message)]
            case "transition":
                return [_transition(name, t, message)]
            case "lwt":
                # Its time is that of the connection, not of its end.
                return [Sample(name, online=False)]
            case "steps":
                return [Sample(name, t=t, metrics=base.given({"steps": _step_count(message)}))]
            case "encrypted":
                raise Rejected("encrypted", "switch payload encryption off; the connection is encrypted by TLS")
            case str(kind) if kind in _OTHERS:
                return []
            case _:
                raise Rejected("unknown_type", str(message.get("_type"))[:64])


def _location(name: str, t: float | None, message: dict[str, Any]) -> Sample:
    if "lat" not in message or "lon" not in message:
        raise Rejected("missing_field", "lat and lon")
    battery = base.finite(message.get("batt"))
    metrics = {
        "lat": message["lat"],
        "lon": message["lon"],
        "loc_acc": message.get("acc"),
        # Telephones say -1 where they do not know.
        "battery": battery if battery is not None and battery >= 0 else None,
    }
    return Sample(name, t=t, metrics=base.given(metrics), facts=base.facts(description=message.get("tid")))


def _transition(name: str, t: float | None, message: dict[str, Any]) -> Sample:
    crossing = _CROSSINGS.get(str(message.get("event")))
    if crossing is None:
        raise Rejected("wrong_type", "event is enter or leave")
    position = {code: message.get(code) for code in ("lat", "lon") if base.finite(message.get(code)) is not None}
    accuracy = base.finite(message.get("acc"))
    data = {**base.facts(region=message.get("desc")), **position} | base.given({"acc": accuracy})
    metrics = position | base.given({"loc_acc": accuracy}) if len(position) == 2 else {}
    return Sample(name, t=t, metrics=metrics, event=ForeignEvent(crossing, data))


def _step_count(message: dict[str, Any]) -> Any:
    steps = base.finite(message.get("steps"))
    return steps if steps is not None and steps >= 0 else None
