"""Labelled stories: a scenario's name and a moment enter; what befalls whom, and the alert to expect, leave.

Scenarios are data. Only their own victims suffer; everybody else lives a quiet day, in which no alert is expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import BadInput
from core.vocabulary import Names
from simulators.provisioning import SimulatedResident
from simulators.world import DAY_SECONDS, LOCAL_OFFSET_SECONDS, Episode, EpisodeKind


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that happens in a scenario: to the victim of this number, this long after the chosen moment."""

    kind: EpisodeKind
    seconds: float
    device_kind: str
    alert_type: str
    victim: int = 0
    after_seconds: float = 0.0
    local_hour: float | None = None
    """Where set, it waits for the next time that the clock in the room shows this hour."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story that can be told to any number of residents."""

    code: str
    names: Names
    incidents: tuple[Incident, ...]

    @property
    def seconds(self) -> float:
        """From the chosen moment to the end of the last incident; 0 for a quiet day."""
        return max((i.after_seconds + i.seconds for i in self.incidents), default=0.0)


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one incident. `alert_type` is a code of `core.vocabulary.ALERT_TYPES`."""

    scenario: str
    kind: str
    resident: int
    name_zh: str
    room: str
    device: str
    start: float
    end: float
    alert_type: str


_DAY = 86_400.0
_HOUR = 3_600.0

SCENARIOS: dict[str, Scenario] = {
    scenario.code: scenario
    for scenario in (
        Scenario("quiet-day", Names("平静的一天", "A quiet day"), ()),
        Scenario(
            "fall",
            Names("跌倒", "A fall"),
            (Incident(EpisodeKind.FALL, 900.0, "wristband", "fall"),),
        ),
        Scenario(
            "sos",
            Names("紧急呼叫", "An SOS press"),
            (Incident(EpisodeKind.SOS, 600.0, "wristband", "sos"),),
        ),
        Scenario(
            "tachycardia",
            Names("静息心动过速", "A racing heart at rest"),
            (Incident(EpisodeKind.TACHYCARDIA, 1_200.0, "wristband", "heart_rate_high"),),
        ),
        Scenario(
            "gas-leak",
            Names("燃气泄漏", "A gas leak"),
            (Incident(EpisodeKind.GAS_LEAK, 900.0, "gas", "gas"),),
        ),
        Scenario(
            "night-wandering",
            Names("夜间徘徊", "Wandering about at night"),
            (Incident(EpisodeKind.NIGHT_WANDERING, 4.5 * _HOUR, "pir", "night_wandering", local_hour=23.3),),
        ),
        Scenario(
            "missed-morning",
            Names("早晨未起身", "Not up in the morning"),
            (Incident(EpisodeKind.COLLAPSE, 9.0 * _HOUR, "pir", "missed_morning", local_hour=3.9),),
        ),
        Scenario(
            "quiet-collapse",
            Names("无声倒下", "A collapse that nothing sees"),
            (Incident(EpisodeKind.COLLAPSE, 14.0 * _HOUR, "pir", "inactivity"),),
        ),
        Scenario(
            "geofence-exit",
            Names("走出安全区域", "Walking out of the safe area"),
            (Incident(EpisodeKind.WALKS_AWAY, 1.0 * _HOUR, "wristband", "geofence_exit"),),
        ),
        Scenario(
            "co-build-up",
            Names("一氧化碳积聚", "Carbon monoxide builds up"),
            (Incident(EpisodeKind.CO_BUILD_UP, 1.0 * _HOUR, "gas", "co"),),
        ),
        Scenario(
            "water-running",
            Names("水龙头未关", "A tap left running"),
            (Incident(EpisodeKind.WATER_RUNNING, 2.0 * _HOUR, "gas", "water_running"),),
        ),
        Scenario(
            "room-cold",
            Names("室温过低", "A cold room"),
            (Incident(EpisodeKind.ROOM_COLD, 3.0 * _HOUR, "smoke", "room_cold"),),
        ),
        Scenario(
            "device-silent",
            Names("手环失联", "A wristband falls silent"),
            (Incident(EpisodeKind.SILENT, 30 * _DAY, "wristband", "device_silent"),),
        ),
    )
}


def cast(
    scenario: str, residents: Sequence[SimulatedResident], at: float
) -> tuple[tuple[Episode, ...], tuple[Label, ...]]:
    """Tell a scenario to these residents with its moment at Unix time `at`; the first residents are the victims.

    Raises BadInput for a name that is not known or too few residents.
    """
    story = SCENARIOS.get(scenario)
    if story is None:
        raise BadInput(f"no scenario {scenario!r}; there are: {', '.join(SCENARIOS)}")
    episodes: list[Episode] = []
    labels: list[Label] = []
    for incident in story.incidents:
        if incident.victim >= len(residents):
            raise BadInput(f"scenario {scenario!r} needs {incident.victim + 1} residents, got {len(residents)}")
        victim = residents[incident.victim]
        episode = Episode(incident.kind, victim.index, _start(incident, at), incident.seconds)
        episodes.append(episode)
        labels.append(
            Label(
                scenario=scenario,
                kind=incident.kind.value,
                resident=victim.index,
                name_zh=victim.name_zh,
                room=victim.room,
                device=victim.device(incident.device_kind).id,
                start=episode.start,
                end=episode.end,
                alert_type=incident.alert_type,
            )
        )
    return tuple(episodes), tuple(labels)


def _start(incident: Incident, at: float) -> float:
    begin = at + incident.after_seconds
    if incident.local_hour is None:
        return begin
    wait = incident.local_hour * _HOUR - (begin + LOCAL_OFFSET_SECONDS) % DAY_SECONDS
    return begin + wait % DAY_SECONDS
