"""A press is paged, quickly, beside telemetry; measured on real processes for a moment."""

from __future__ import annotations

import json
import subprocess
import sys


def test_every_press_becomes_one_alert_and_a_page_beside_telemetry() -> None:
    command = [sys.executable, "-m", "cli", "bench", "alerts", "--seconds", "2", "--load", "500", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    assert figures["alerts"] == figures["presses"] == 16
    assert figures["without_page"] == figures["quiet"]["without_page"] == 0
    assert figures["load_messages_per_s"] > 100
    for key in ("press_to_event_ms", "press_to_open_ms", "press_to_page_ms"):
        assert 0 < figures[key]["p50"] <= figures[key]["p95"] <= figures[key]["p99"]
    # The emergency lane's promise with room for a crowded machine; figures of a quiet one are in docs/performance.md.
    assert figures["press_to_page_ms"]["p50"] < 3000
