"""The bench itself: on real parts, for a moment, it counts exactly and prints what the contract names."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CONTRACT = {
    "seconds", "messages_per_s", "readings_per_s", "bare_subscriber_messages_per_s", "bare_copy_rows_per_s",
    "share_of_subscriber", "share_of_copy", "lost", "duplicated", "rss_mib_max", "database", "broker",
}  # fmt: skip


@pytest.mark.parametrize("pack", [1, 20])
def test_pain_12_bench_ingest_loses_nothing_and_doubles_nothing(pack: int) -> None:
    command = [sys.executable, "-m", "cli", "bench", "ingest", "--seconds", "1", "--json", "--pack", str(pack)]
    done = subprocess.run([*command, "--devices", "50"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    assert figures.keys() >= CONTRACT
    assert (figures["lost"], figures["duplicated"], figures["foreign"], figures["rejected"]) == (0, 0, 0, 0)
    assert figures["stored_readings"] == figures["expected_readings"] > 0
    assert figures["identity_holds"]
    assert 0 < figures["rss_mib_start"] <= figures["rss_mib_max"] >= figures["rss_mib_end"]
    assert figures["readings_per_s"] > 0
