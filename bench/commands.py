"""`anhu bench`: options of an operator enter, figures on real parts leave, one JSON object last."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from bench import alerts as alerts_bench
from bench import api as api_bench
from bench import chaos as chaos_bench
from bench import console as console_bench
from bench import detect as detect_bench
from bench import hostile as hostile_bench
from bench import ingest as ingest_bench
from bench import storage as storage_bench
from bench.rig import Rig, RoleUnderTest, end_on_signals, free_port, fresh_database
from cli.embedded.broker import MosquittoBroker
from core import logging
from core.clock import SystemClock
from db.migrate import migrate

app = typer.Typer(no_args_is_help=True, help="Measure on real parts: broker, database, processes. 在真实组件上测量。")

Seconds = Annotated[float, typer.Option(min=1, help="Length of the measured window.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, last.")]
Broker = Annotated[str, typer.Option(help="mosquitto (if installed) or rumqttd (built in).")]
DoubleFaults = Annotated[
    bool,
    typer.Option(
        "--double-faults",
        help="kill -9 the broker at any moment, also while ingest is away; it saves at every change then.",
    ),
]
DatabaseUrl = Annotated[str | None, typer.Option(help="A PostgreSQL of yours; else an embedded one, made and removed.")]
DataDir = Annotated[Path | None, typer.Option(help="Where to keep the parts' files; else a temporary place.")]


@app.callback()
def _bench() -> None:
    """Measure on real parts."""
    logging.configure("bench", level="WARNING", json=False)
    end_on_signals()


@app.command()
def ingest(
    seconds: Seconds = 20.0,
    as_json: Json = False,  # noqa: FBT002 -- an option of a command
    pack: Annotated[int, typer.Option(min=1, max=200, help="Instants in each message.")] = 1,
    devices: Annotated[int, typer.Option(min=1, max=100_000, help="How many devices speak.")] = 5000,
    broker: Broker = "mosquitto",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Messages and readings per second from the device's PUBLISH to the commit, beside the machine's own ceilings."""
    with Rig(SystemClock(), broker=broker, database_url=database_url, data_dir=data_dir) as rig:
        _tell(ingest_bench.run(rig, seconds=seconds, devices=devices, pack=pack), as_json=as_json)


@app.command()
def chaos(
    seconds: Seconds = 30.0,
    as_json: Json = False,  # noqa: FBT002 -- an option of a command
    seed: Annotated[int, typer.Option(help="The same seed, the same order of events.")] = 1,
    rate: Annotated[float, typer.Option(min=1, max=200, help="Messages per second of each of the devices.")] = 40.0,
    broker: Broker = "mosquitto",
    double_faults: DoubleFaults = False,  # noqa: FBT002 -- an option of a command
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Kill, freeze and restart ingest, database and broker while devices publish; count what was lost or doubled."""
    maker = chaos_bench.KeenMosquitto if double_faults else MosquittoBroker
    with Rig(SystemClock(), broker=broker, database_url=database_url, data_dir=data_dir, mosquitto=maker) as rig:
        figures = chaos_bench.run(rig, seed=seed, seconds=seconds, per_second=rate, double_faults=double_faults)
    _tell(figures, as_json=as_json)


@app.command()
def detect(
    seconds: Seconds = 20.0,
    as_json: Json = False,  # noqa: FBT002 -- an option of a command
    residents: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many people's vitals.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the made-up readings.")] = 1,
) -> None:
    """One pass of the personal detectors over a minute of everybody's vitals, beside memory bandwidth."""
    _tell(detect_bench.run(residents, seconds=seconds, seed=seed), as_json=as_json)


@app.command()
def alerts(
    seconds: Seconds = 20.0,
    as_json: Json = False,  # noqa: FBT002 -- an option of a command
    load: Annotated[int, typer.Option(min=0, help="Messages per second of telemetry beside the presses.")] = 4000,
    broker: Broker = "mosquitto",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """From a press to the committed event and to the page, in quiet and beside telemetry."""
    with Rig(SystemClock(), broker=broker, database_url=database_url, data_dir=data_dir) as rig:
        figures = alerts_bench.run(rig, seconds=seconds, load_per_s=load)
    _tell(figures, as_json=as_json)


@app.command()
def hostile(
    scale: Annotated[float, typer.Option(min=0.001, max=10, help="How much of everything; 1 is the full size.")] = 1.0,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the flood from one device.")] = 10.0,
    as_json: Json = False,  # noqa: FBT002 -- an option of a command
    broker: Broker = "mosquitto",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Everything that must not be sent, beside a neighbour that must not notice; counted exactly."""
    with Rig(SystemClock(), broker=broker, database_url=database_url, data_dir=data_dir) as rig:
        figures = hostile_bench.run(rig, scale=scale, flood_seconds=seconds)
    _tell(figures, as_json=as_json)


@app.command()
def api(
    seconds: Seconds = 20.0,
    as_json: Json = False,  # noqa: FBT002 -- an option of a command
    residents: Annotated[int, typer.Option(min=10, max=100_000, help="Residents of the house.")] = 1000,
    rate: Annotated[int, typer.Option(min=1, max=1000, help="Requests per second, whatever the answers do.")] = 50,
    database_url: DatabaseUrl = None,
) -> None:
    """How fast every list of a large house answers, and whether any reads a whole table."""
    clock, port = SystemClock(), free_port()
    with fresh_database(database_url, clock) as url, TemporaryDirectory(prefix="anhu-bench-") as directory:
        migrate(url)
        role = RoleUnderTest("api", api_bench.environment(url, port), Path(directory) / "api.log")
        try:
            figures = api_bench.run(url, clock, role, port, residents=residents, rate=rate, seconds=seconds)
        finally:
            role.stop()
    _tell(figures, as_json=as_json)


@app.command()
def console(
    minutes: Annotated[float, typer.Option(min=0.2, max=600, help="How long twenty boards stay open.")] = 2.0,
    as_json: Json = False,  # noqa: FBT002 -- an option of a command
    residents: Annotated[int, typer.Option(min=10, max=20_000, help="Residents of the house.")] = 500,
    database_url: DatabaseUrl = None,
) -> None:
    """How soon the board of a large house can be used, and whether twenty open boards grow."""
    clock = SystemClock()
    with fresh_database(database_url, clock) as url, TemporaryDirectory(prefix="anhu-bench-") as directory:
        migrate(url)
        figures = console_bench.run(url, clock, Path(directory), residents=residents, minutes=minutes)
    _tell(figures, as_json=as_json)


app.command("storage")(storage_bench.command)


def _tell(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(figures, ensure_ascii=False))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        typer.echo(f"{name:<{width}}  {value}")
