"""`anhu evaluate anomalies`: the same rows come out, scored by the production score; bad input is told."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from alerts.detectors.anomaly import AnomalyScore
from cli.evaluate import app

ROWS = [("2024-03-01 00:00:00", "1.50"), ("2024-03-01 00:00:00", "2"), ("2024-02-29 23:00:00.5", "-1e3")]


def write(path: Path, rows: list[tuple[str, str]], header: str = "timestamp,value") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")


def run(source: Path, target: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["anomalies", "--input", str(source), "--output", str(target)])
    return result.exit_code, result.stderr


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_same_rows_come_out_at_the_same_place(tmp_path: Path) -> None:
    write(tmp_path / "in" / "deep" / "er" / "a.csv", ROWS)
    write(tmp_path / "in" / "b.csv", [(v, t) for t, v in ROWS], "value,timestamp")
    code, _ = run(tmp_path / "in", tmp_path / "out")
    assert code == 0
    for name in ("deep/er/a.csv", "b.csv"):
        rows = read(tmp_path / "out" / name)
        assert list(rows[0]) == ["timestamp", "value", "anomaly_score"]
        assert [(row["timestamp"], row["value"]) for row in rows] == ROWS
        assert all(0 <= float(row["anomaly_score"]) <= 1 for row in rows)


def test_the_scores_are_those_of_the_production_score_and_files_are_met_fresh(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    time = np.datetime64("2024-03-01T00:00:00") + 300 * np.arange(400).astype("timedelta64[s]")
    value = rng.normal(0, 1, 400)
    value[350] = 30
    rows = [(str(t).replace("T", " "), repr(float(v))) for t, v in zip(time, value, strict=True)]
    for name in ("a", "b"):
        write(tmp_path / "in" / f"{name}.csv", rows)
    assert run(tmp_path / "in", tmp_path / "out")[0] == 0
    a, b = (read(tmp_path / "out" / f"{name}.csv") for name in "ab")
    assert a == b
    expected = AnomalyScore().score(np.zeros(400, np.int64), time.astype("datetime64[s]").astype(float), value)
    assert np.allclose([float(row["anomaly_score"]) for row in a], expected, atol=1e-6)
    assert float(a[350]["anomaly_score"]) > 0.5


@pytest.mark.parametrize(
    ("header", "row", "word"),
    [
        ("timestamp,number", ("2024-03-01 00:00:00", "1"), "value"),
        ("timestamp,value", ("yesterday", "1"), "row 2"),
        ("timestamp,value", ("2024-03-01 00:00:00", "much"), "number"),
        ("timestamp,value", ("2024-03-01 00:00:00", "nan"), "finite"),
        ("timestamp,value", ("2024-03-01 00:00:00",), "fields"),
    ],
)
def test_bad_input_is_told(tmp_path: Path, header: str, row: tuple[str, ...], word: str) -> None:
    write(tmp_path / "in" / "a.csv", [row], header)  # type: ignore[list-item]
    code, text = run(tmp_path / "in", tmp_path / "out")
    assert code != 0
    assert word in text


def test_nothing_to_read_or_a_target_inside_the_input_is_told(tmp_path: Path) -> None:
    assert run(tmp_path / "none", tmp_path / "out")[0] != 0
    (tmp_path / "in").mkdir()
    assert run(tmp_path / "in", tmp_path / "out")[0] != 0
    write(tmp_path / "in" / "a.csv", ROWS)
    assert run(tmp_path / "in", tmp_path / "in" / "out")[0] != 0
    write(tmp_path / "in" / "a.csv", [])
    assert run(tmp_path / "in", tmp_path / "out")[0] != 0
