"""`anhu simulate`: options enter, simulated residents or recorded trials are published; labels and counts leave."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from core import logging
from core.clock import Clock, SystemClock
from core.errors import AnhuError, BadInput
from core.ids import device_id, site_code
from simulators import replay as recorded
from simulators import sessions
from simulators.faults import Faults
from simulators.fleet import Account, Broker, Fleet
from simulators.scenarios import SCENARIOS, Label
from simulators.sensors.base import SensorOptions
from simulators.stream import StreamOptions

app = typer.Typer(add_completion=False, no_args_is_help=True)

_NAMES = ", ".join(f"{s.code} ({s.names.zh})" for s in SCENARIOS.values())
_FAULTS = tuple(field.name for field in fields(Faults))
Option = typer.Option

Scenario = Annotated[str, Option(help=f"What happens: {_NAMES}.")]
Residents = Annotated[int | None, Option(min=1, help="How many; by default all in the credentials file, else 8.")]
First = Annotated[int, Option(min=0, help="Number of the first resident, counted from 0; the first is the victim.")]
Seed = Annotated[int, Option(help="Same seed, same people, same days.")]
Speed = Annotated[float, Option(min=0, help="Simulated seconds per real second; 0 is as fast as possible.")]
MqttUrl = Annotated[str | None, Option(envvar="ANHU_MQTT_URL", help="mqtt://[user:password@]host:port")]
CaFile = Annotated[Path | None, Option(envvar="ANHU_MQTT_CA_FILE", help="Certificate authority for mqtts:// URLs.")]
Site = Annotated[str | None, Option(help="Institution code; by default the credentials file's.")]
CredentialsFile = Annotated[Path | None, Option(help="demo.json: broker, site and device accounts.")]
SharedClient = Annotated[str | None, Option(metavar="USER:PASSWORD", help="One MQTT client for all devices.")]
ClientSuffix = Annotated[str, Option(help="Appended to MQTT client ids, to run beside another simulator.")]
Duration = Annotated[float | None, Option(min=1, help="Simulated seconds; until stopped by default.")]
After = Annotated[float, Option(min=0, help="Real seconds until the scenario happens.")]
StampOption = Annotated[str, Option(help="device: simulated time, never ahead of the present; now: real time.")]
Motion = Annotated[str, Option(help="Accelerometer windows: falls, continuous or off.")]
Pack = Annotated[int, Option(min=1, help="Instants per telemetry message.")]
Encoding = Annotated[str, Option(help="Telemetry as json, senml-json or senml-cbor.")]
WristbandSeconds = Annotated[float, Option(min=1, help="Between two wristband measurements.")]
FaultList = Annotated[
    list[str] | None, Option(metavar="NAME=VALUE", help=f"What goes wrong; repeatable. Names: {', '.join(_FAULTS)}.")
]
Replay = Annotated[Path | None, Option(help="Publish recorded trials of this folder (trials.csv, signals.npz).")]
Device = Annotated[str | None, Option(help="Replay: the device that speaks.")]
Only = Annotated[str, Option(help="Replay: falls, activities or all.")]
Limit = Annotated[int | None, Option(min=1, help="Replay: at most so many trials.")]
Position = Annotated[str | None, Option(help="Replay: only this position, such as wrist.")]
Gap = Annotated[float, Option(help="Replay: seconds between trials, 30 or more.")]


@app.callback()
def _group() -> None:
    """Simulated residents and devices for Anhu 安护."""


@app.command()
def simulate(
    scenario: Scenario = "quiet-day",
    residents: Residents = None,
    first: First = 0,
    seed: Seed = 1,
    speed: Speed = 1.0,
    mqtt_url: MqttUrl = None,
    ca_file: CaFile = None,
    site: Site = None,
    credentials: CredentialsFile = None,
    shared_client: SharedClient = None,
    client_suffix: ClientSuffix = "",
    duration: Duration = None,
    after: After = sessions.AFTER_SECONDS_DEFAULT,
    stamp: StampOption = "device",
    motion: Motion = "falls",
    pack: Pack = 1,
    encoding: Encoding = "json",
    wristband_seconds: WristbandSeconds = 60.0,
    fault: FaultList = None,
    replay: Replay = None,
    device: Device = None,
    only: Only = "all",
    limit: Limit = None,
    position: Position = None,
    gap: Gap = 45.0,
) -> None:
    """Publish simulated residents, or recorded trials with --replay, to an MQTT broker."""
    clock, stop = SystemClock(), stop_on_signals()
    try:
        held = sessions.Credentials.read(credentials) if credentials else None
        place = site_code(site or (held.site if held else "demo"))
        connect = _connector(_broker(mqtt_url, ca_file, held), clock, held, shared_client, client_suffix)
        if replay is not None:
            trials = recorded.read_trials(replay, only=only, position=position, limit=limit)  # type: ignore[arg-type]  # the callee checks it
            _replay(trials, connect, clock, stop, site=place, device=device, speed=speed, gap_seconds=gap)
            return
        count = residents or (held.residents(first) if held else 0) or sessions.RESIDENTS_DEFAULT
        sensors = SensorOptions(wristband_seconds, pack, motion)  # type: ignore[arg-type]  # the callee checks it
        options = StreamOptions(sensors, telemetry=encoding)  # type: ignore[arg-type]  # the callee checks it
        run = sessions.Run(
            scenario, count, first, seed, place, speed, duration, after,
            stamp=stamp,  # type: ignore[arg-type]  # the callee checks it
            options=options,
            faults=parse_faults(fault or ()),
        )  # fmt: skip
        _say(asdict(sessions.simulate_scenario(run, connect, clock, stop, on_labels=_say_labels)))
    except AnhuError as error:
        typer.echo(f"anhu simulate: {error}", err=True)
        raise typer.Exit(2) from error


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; outside the main thread nobody can listen to signals."""
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    return stop


def parse_faults(settings: Sequence[str]) -> Faults:
    """NAME=VALUE texts as Faults; `events` takes 0 or 1. Raises BadInput."""
    values: dict[str, Any] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in _FAULTS:
            raise BadInput(f"no fault {name!r}; there are: {', '.join(_FAULTS)}")
        try:
            values[name] = float(text) != 0.0 if name == "events" else float(text)
        except ValueError as error:
            raise BadInput(f"fault {name} needs a number, got {text!r}") from error
    return Faults(**values)


def _replay(
    trials: list[recorded.Trial],
    connect: Callable[[], Fleet],
    clock: Clock,
    stop: threading.Event,
    *,
    site: str,
    device: str | None,
    speed: float,
    gap_seconds: float,
) -> None:
    if device is None:
        raise BadInput("--replay needs --device ID")
    outcome = sessions.replay_trials(
        trials, connect, clock, stop, site=site, device=device_id(device), speed=speed, gap_seconds=gap_seconds
    )
    _say(asdict(outcome))


def _broker(url: str | None, ca_file: Path | None, held: sessions.Credentials | None) -> Broker:
    if url is not None:
        return Broker.from_url(url, ca_file)
    return held.broker if held else Broker("127.0.0.1", 1883)


def _connector(
    broker: Broker, clock: Clock, held: sessions.Credentials | None, shared: str | None, suffix: str
) -> Callable[[], Fleet]:
    """How to sign in: --shared-client, else the file's device accounts, else the URL's account for every device."""
    account = None
    if shared is not None:
        name, separator, password = shared.partition(":")
        if not separator or not name:
            raise BadInput("--shared-client must look like USER:PASSWORD")
        account = Account(name, password)
    accounts = held.accounts if held and account is None else None
    return lambda: Fleet(broker, clock, accounts=accounts, shared=account, client_suffix=suffix)


def _say_labels(labels: tuple[Label, ...]) -> None:
    for label in labels:
        _say({"label": asdict(label)})


def _say(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False))


if __name__ == "__main__":
    logging.configure("simulate", json=False)
    app()
