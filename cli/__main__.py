"""The command `anhu`: words of an operator enter, a role, a report or one clear sentence about what is wrong leaves."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from core import logging
from core.clock import SystemClock
from core.errors import AnhuError
from core.settings import load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Anhu 安护: elderly care, from device to help.")

ROLE_MODULES = {
    "ingest": "ingest.__main__",
    "alerts": "alerts.__main__",
    "api": "api.__main__",
    "jobs": "cli.jobs",
    "console": "api.console.__main__",
    "accounts": "cli.accounts",
}
"""Imported when run: a role loads what it needs and no more, so that it starts within a second."""

Option = typer.Option


@app.command()
def up(
    demo: Annotated[bool, Option("--demo", help="Seed an institution and let simulated residents live in it.")] = False,
    data_dir: Annotated[Path, Option(help="Where everything is kept.")] = Path("anhu-data"),
    broker: Annotated[str, Option(help="rumqttd (built in) or mosquitto (if installed).")] = "rumqttd",
) -> None:
    """Run every role on the embedded database and broker, until Ctrl-C."""
    module = importlib.import_module("cli.up")
    logging.configure("up", level="WARNING", json=False)
    module.run_up(module.Installation(data_dir, load_settings(), SystemClock(), with_demo=demo, broker=broker))


@app.command()
def run(role: Annotated[str, typer.Argument(help=", ".join(ROLE_MODULES))]) -> None:
    """Run one role against ANHU_DATABASE_URL and ANHU_MQTT_URL."""
    if role not in ROLE_MODULES:
        raise typer.BadParameter(f"no role {role}; there are: {', '.join(ROLE_MODULES)}")
    importlib.import_module(ROLE_MODULES[role]).main()


@app.command()
def migrate() -> None:
    """Bring the schema of ANHU_DATABASE_URL to the newest; needs a login that may create tables and roles."""
    report = importlib.import_module("db.migrate").migrate(load_settings().require_database())
    steps = ", ".join(report.applied) or "nothing to do"
    typer.echo(f"{report.flavour}: schema {report.version:04d} ({steps})")


@app.command()
def doctor(
    data_dir: Annotated[Path | None, Option(help="Data directory of an `anhu up`, instead of the settings.")] = None,
    as_json: Annotated[bool, Option("--json", help="One JSON object: ok, findings.")] = False,
) -> None:
    """Check everything and say what to do; exit code 1 where something needs doing."""
    sys.exit(importlib.import_module("cli.doctor").examine(data_dir, SystemClock(), Console(), as_json=as_json))


@app.command("demo-life", hidden=True)
def demo_life(
    credentials: Annotated[Path, Option()],
    pager_port: Annotated[int, Option()],
) -> None:
    """What makes the demo live: residents, a pager, a caregiver. Started by `anhu up --demo`."""
    importlib.import_module("cli.demo_life").main(credentials, pager_port)


@app.command("demo-month", hidden=True)
def demo_month(data_dir: Annotated[Path, Option()]) -> None:
    """The month before the demo: told once, beside the running installation. Started by `anhu up --demo`."""
    os.nice(importlib.import_module("cli.demo_month.script").NICE)
    demo, month = importlib.import_module("cli.demo"), importlib.import_module("cli.demo_month.month")
    month.main(data_dir, load_settings().require_database(), demo.SCRIPT, SystemClock())


def _add_tools() -> None:
    """Commands with options of their own; loaded only when called for, since they bring NumPy and more."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "--help"
    everything = wanted in ("--help", "-h")
    if everything or wanted == "simulate":
        app.command()(importlib.import_module("simulators.__main__").simulate)
    for name, module in (
        ("admin", "cli.admin"),
        ("audit", "cli.audit"),
        ("devices", "cli.devices"),
        ("evaluate", "cli.evaluate"),
        ("bench", "bench.commands"),
    ):
        if everything or wanted == name:
            app.add_typer(importlib.import_module(module).app, name=name)


def main() -> None:
    """Run the command; an error that we know is one sentence and exit code 1."""
    _add_tools()
    try:
        app()
    except AnhuError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"anhu: {error}", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
