"""Whole runs: a broker, accounts and a wish enter; residents live, a story happens or trials play; a report leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.errors import BadInput, Misconfigured
from simulators import replay
from simulators.faults import NO_FAULTS, Faults, Message
from simulators.fleet import Account, Broker, Fleet, Report
from simulators.pace import Pace, StampMode, make_pace
from simulators.provisioning import KIT, plan
from simulators.run_mqtt import publish
from simulators.scenarios import Label, cast
from simulators.stream import DEFAULT_OPTIONS, StreamOptions, stream
from simulators.world import World

RESIDENTS_DEFAULT = 8
AFTER_SECONDS_DEFAULT = 20.0
STORY_AFTER_SECONDS = 60.0
# Between "now" and the first message, so that nothing is late by the time it takes to build the world.
_LEAD_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a `demo.json` says that matters here: site, broker, and accounts by device id."""

    site: str
    broker: Broker
    accounts: Mapping[str, Account]

    @classmethod
    def read(cls, path: Path) -> Credentials:
        """Read a credentials file. Raises Misconfigured when it cannot be used."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            broker = Broker(str(content["mqtt"]["host"]), int(content["mqtt"]["port"]))
            accounts = {str(d["id"]): Account(str(d["username"]), str(d["password"])) for d in content["devices"]}
            return cls(str(content["site"]), broker, accounts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Misconfigured(f"credentials file {path} cannot be used: {type(error).__name__}: {error}") from error

    def residents(self, first: int = 0) -> int:
        """How many residents from number `first` on have accounts for their whole kit."""
        count = 0
        while all(f"{prefix}-{first + count + 1:04d}" in self.accounts for _, prefix in KIT):
            count += 1
        return count


@dataclass(frozen=True, slots=True)
class Run:
    """What to simulate. seconds and times are simulated; after_seconds is real, as it is a person who waits."""

    scenario: str = "quiet-day"
    residents: int = RESIDENTS_DEFAULT
    first: int = 0
    seed: int = 1
    site: str = "demo"
    speed: float = 1.0
    seconds: float | None = None
    after_seconds: float = AFTER_SECONDS_DEFAULT
    stamp: StampMode = "device"
    options: StreamOptions = DEFAULT_OPTIONS
    faults: Faults = NO_FAULTS


def prepare(run: Run, pace: Pace) -> tuple[World, tuple[Label, ...]]:
    """The world of this run, and what will happen in it."""
    if run.after_seconds < 0.0:
        raise BadInput("the scenario cannot happen before the start")
    if run.stamp == "now" and run.speed != 1.0 and run.options.sensors.motion == "continuous":
        raise BadInput("continuous motion stamped with real time needs speed 1: windows would overlap")
    people = plan(run.residents, run.seed, run.site, first=run.first)
    scale = pace.speed if pace.speed < float("inf") else 1.0
    episodes, labels = cast(run.scenario, people, pace.start + run.after_seconds * scale)
    return World(run.seed, run.site, tuple(people), episodes), labels


def simulate_scenario(
    run: Run,
    fleet: Callable[[], Fleet],
    clock: Clock,
    stop: threading.Event,
    *,
    on_labels: Callable[[tuple[Label, ...]], None] | None = None,
    on_sent: Callable[[Message], None] | None = None,
) -> Report:
    """Publish a scenario until its end or `stop`. The fleet connects only after everything was found valid."""
    pace = _lead(make_pace(clock, speed=run.speed, seconds=run.seconds, stamp_mode=run.stamp))
    world, labels = prepare(run, pace)
    if on_labels is not None:
        on_labels(labels)
    messages = stream(world, pace.start, run.seconds, options=run.options, faults=run.faults, stamp=pace.stamp())
    return publish(messages, fleet(), pace, clock, stop, farewell=True, on_sent=on_sent)


def live(
    *,
    broker: Broker,
    clock: Clock,
    stop: threading.Event,
    site: str,
    seed: int,
    residents: int = RESIDENTS_DEFAULT,
    first: int = 0,
    accounts: Mapping[str, Account] | None = None,
    shared: Account | None = None,
    story: str = "fall",
    story_after_seconds: float = STORY_AFTER_SECONDS,
    on_labels: Callable[[tuple[Label, ...]], None] | None = None,
) -> Report:
    """Residents live in real time until `stop` is set; after a while `story` happens to resident number `first`."""
    run = Run(story, residents, first, seed, site, after_seconds=story_after_seconds)
    return simulate_scenario(
        run, lambda: Fleet(broker, clock, accounts=accounts, shared=shared), clock, stop, on_labels=on_labels
    )


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Trials published as far as they were begun, by kind where the folder says it, and what became of the messages."""

    trials: int
    falls: int
    activities: int
    unlabelled: int
    windows: int
    seconds: float
    report: Report


def replay_trials(
    trials: list[replay.Trial],
    fleet: Callable[[], Fleet],
    clock: Clock,
    stop: threading.Event,
    *,
    site: str,
    device: str,
    speed: float = 1.0,
    gap_seconds: float = 45.0,
    window_seconds: float = 5.0,
) -> ReplayReport:
    """Publish recorded trials as motion of one device; at speed 1 stamped with the present, else ending there."""
    _, seconds = replay.lay_out(trials, 0.0, gap_seconds=gap_seconds)
    pace = _lead(make_pace(clock, speed=speed, seconds=seconds))
    placed, end = replay.lay_out(trials, pace.start, gap_seconds=gap_seconds)
    sent: list[float] = []

    def note(message: Message) -> None:
        if message.channel == "motion":
            sent.append(message.time)

    messages = replay.messages(placed, site, device, window_seconds=window_seconds)
    report = publish(messages, fleet(), pace, clock, stop, farewell=True, on_sent=note)
    begun = [p.trial for p in placed if sent and p.start < sent[-1]]
    return ReplayReport(
        trials=len(begun),
        falls=sum(t.is_fall is True for t in begun),
        activities=sum(t.is_fall is False for t in begun),
        unlabelled=sum(t.is_fall is None for t in begun),
        windows=len(sent),
        seconds=end - pace.start,
        report=report,
    )


def _lead(pace: Pace) -> Pace:
    if pace.start == pace.wall:
        return Pace(pace.speed, pace.start + _LEAD_SECONDS, pace.wall + _LEAD_SECONDS, pace.stamp_mode)
    return pace
