"""The bench of the API itself: every list of a full house answers, and none reads a large table from end to end."""

from __future__ import annotations

import json
import subprocess
import sys


def test_every_list_of_a_full_house_answers_by_an_index() -> None:
    command = [sys.executable, "-m", "cli", "bench", "api", "--json", "--residents", "100", "--seconds", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    assert (figures["errors"], figures["wrong"]) == (0, {})
    assert figures["sequential_scans"] == {}, "a list that reads a whole table grows with the house"
    assert figures["lists"] >= 60
    assert len(figures["left_out"]) <= 5, figures["left_out"]
    assert figures["requests"] == 200
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert figures["bare_p99_ms"] > 0
