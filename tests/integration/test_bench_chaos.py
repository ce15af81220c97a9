"""The loss proof, bounded: real parts die in a seeded order, and what was acknowledged is stored, once."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from cli.embedded.broker import find_mosquitto
from core.errors import Misconfigured


def chaos(*options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "cli", "bench", "chaos", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def assert_nothing_lost_nothing_doubled(figures: dict[str, Any]) -> None:
    told = json.dumps(figures)
    assert figures["acknowledged"] > 500, told
    assert figures["unacknowledged"] == 0, told
    assert (figures["lost"], figures["duplicated"], figures["rejected"]) == (0, 0, 0), told
    assert figures["stored"] == figures["acknowledged"], told


@pytest.mark.mosquitto
def test_pain_02_and_12_kills_of_every_part_lose_nothing_and_double_nothing() -> None:
    try:
        find_mosquitto()
    except Misconfigured as error:
        pytest.skip(str(error))
    figures = chaos("--seed", "3", "--seconds", "18", "--rate", "20")
    assert_nothing_lost_nothing_doubled(figures)
    assert {"ingest_kill", "database_kill", "broker_kill", "broker_restart"} <= figures["happened"].keys()
    assert figures["kills"] >= 3


def test_pain_02_kills_of_ingest_and_database_on_the_built_in_broker() -> None:
    figures = chaos("--seed", "4", "--seconds", "9", "--rate", "20", "--broker", "rumqttd")
    assert_nothing_lost_nothing_doubled(figures)
    assert figures["kills"] >= 1
