"""The bench of storage itself: small, on real parts, and its figures are of what it says."""

from __future__ import annotations

import json
import subprocess
import sys


def test_bench_storage_reads_every_point_of_thirty_days() -> None:
    command = [sys.executable, "-m", "cli", "bench", "storage", "--residents", "3", "--days", "32", "--reads", "3"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    assert figures["history"]["raw_readings"] % (3 * 60) == 0
    assert 720 <= figures["read"]["points"] <= 721
    assert figures["read"]["reads"] == 3
    assert 0 < figures["read"]["p50_ms"] <= figures["read"]["p99_ms"]
    assert figures["read"]["plans"].keys() == {"bucketed_1h", "bucketed_raw"}
