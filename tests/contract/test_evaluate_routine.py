"""`anhu evaluate routine`: a row for every home-day, nothing of later days in it, homes apart; bad input is told."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.evaluate import app

ACTIVITY = "patient_id,timestamp,location"
PHYSIOLOGY = "patient_id,timestamp,device_type,value,unit"
READING = "1e5,2024-03-02 09:00:00,Systolic blood pressure,205,mm[Hg]"


def write(
    folder: Path, activity: list[str], physiology: list[str], headers: tuple[str, str] = (ACTIVITY, PHYSIOLOGY)
) -> None:
    folder.mkdir(exist_ok=True)
    for name, header, rows in (("activity", headers[0], activity), ("physiology", headers[1], physiology)):
        with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join([header, *rows]) + "\n")


def run(source: Path, target: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["routine", "--input", str(source), "--output", str(target)])
    return result.exit_code, result.stderr


def read(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {(row["patient_id"], row["date"]): row for row in csv.DictReader(file)}


def pacing(home: str, day: str, firings: int) -> list[str]:
    rooms = ("hallway", "kitchen")
    return [
        f"{home},{day} {8 + i // 600:02}:{i // 10 % 60:02}:{6 * (i % 10):02},{rooms[i % 2]}" for i in range(firings)
    ]


def test_every_home_day_has_its_row_and_an_unusual_one_stands_out(tmp_path: Path) -> None:
    activity = [row for day in range(1, 11) for row in pacing("1e5", f"2024-03-{day:02}", 100 if day < 10 else 5000)]
    activity += ["b,2024-03-01 10:00:00,attic"]
    write(tmp_path / "in", activity, [READING, "b,2024-03-03 08:00:00,Thermostat,5,x"])
    assert run(tmp_path / "in", tmp_path / "out.csv")[0] == 0
    rows = read(tmp_path / "out.csv")
    assert set(rows) == {("1e5", f"2024-03-{day:02}") for day in range(1, 11)} | {
        ("b", "2024-03-01"),
        ("b", "2024-03-03"),
    }
    assert list(next(iter(rows.values()))) == ["patient_id", "date", "routine_score", "vitals_score", "reason"]
    scores = {day: float(row["routine_score"]) for day, row in rows.items()}
    assert max(scores, key=lambda day: scores[day]) == ("1e5", "2024-03-10")
    assert scores["1e5", "2024-03-10"] > 0.5
    assert "moves" in rows["1e5", "2024-03-10"]["reason"]
    assert scores["b", "2024-03-01"] == scores["b", "2024-03-03"] == 0
    alarming = {day for day, row in rows.items() if float(row["vitals_score"]) > 0.5}
    assert alarming == {("1e5", "2024-03-02")}
    assert all(0 <= float(row[name]) <= 1 for row in rows.values() for name in ("routine_score", "vitals_score"))


def test_a_days_row_knows_nothing_of_later_days_or_other_homes(tmp_path: Path) -> None:
    early = [row for day in range(1, 6) for row in pacing("a", f"2024-03-{day:02}", 50 * day)]
    later = [row for day in range(6, 9) for row in pacing("a", f"2024-03-{day:02}", 4000)]
    write(tmp_path / "in1", early, [])
    write(tmp_path / "in2", early + later + pacing("b", "2024-03-01", 999), [])
    for n in (1, 2):
        assert run(tmp_path / f"in{n}", tmp_path / f"{n}.csv")[0] == 0
    alone, among = read(tmp_path / "1.csv"), read(tmp_path / "2.csv")
    assert all(among[day] == row for day, row in alone.items())


@pytest.mark.parametrize(
    ("activity", "physiology", "headers", "word"),
    [
        (["a,yesterday,hallway"], [], (ACTIVITY, PHYSIOLOGY), "row 2"),
        (["a,2024-03-01 08:00:00"], [], (ACTIVITY, PHYSIOLOGY), "fields"),
        ([], ["a,2024-03-01 08:00:00,Heart rate,fast,x"], (ACTIVITY, PHYSIOLOGY), "number"),
        ([",2024-03-01 08:00:00,hallway"], [], (ACTIVITY, PHYSIOLOGY), "patient_id"),
        ([], [], (ACTIVITY, PHYSIOLOGY), "no row"),
        ([], [], ("patient_id,timestamp", PHYSIOLOGY), "location"),
    ],
)
def test_bad_input_is_told(
    tmp_path: Path, activity: list[str], physiology: list[str], headers: tuple[str, str], word: str
) -> None:
    write(tmp_path / "in", activity, physiology, headers)
    code, text = run(tmp_path / "in", tmp_path / "out.csv")
    assert code != 0
    assert word in text


def test_a_missing_or_broken_file_is_told(tmp_path: Path) -> None:
    write(tmp_path / "in", ["a,2024-03-01 08:00:00,hallway"], [])
    (tmp_path / "in" / "physiology.csv.gz").write_bytes(b"not gzip")
    assert "gzip" in run(tmp_path / "in", tmp_path / "out.csv")[1]
    (tmp_path / "in" / "physiology.csv.gz").unlink()
    assert "missing" in run(tmp_path / "in", tmp_path / "out.csv")[1]
