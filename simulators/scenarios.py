"""Labelled stories: a scenario's name and a moment enter; what befalls whom, and the alert to expect, leave.

Scenarios are data. Only their own victims suffer; everybody else lives a quiet day, in which no alert is expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import BadInput
from core.vocabulary import Names
from simulators.provisioning import SimulatedResident
from simulators.world import Episode, EpisodeKind


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that happens in a scenario: to the victim of this number, this long after the chosen moment."""

    kind: EpisodeKind
    seconds: float
    device_kind: str
    alert_type: str
    victim: int = 0
    after_seconds: float = 0.0


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
        episode = Episode(incident.kind, victim.index, at + incident.after_seconds, incident.seconds)
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
