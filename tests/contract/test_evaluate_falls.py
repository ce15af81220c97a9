"""`anhu evaluate falls` keeps its format, agrees with the detector and says clearly what is wrong with bad input."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cli.evaluate import app
from tests.contract.detector_drivers import fall_signal

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"
HEADER = ["trial_id", "fs_hz", "position", "acc_start", "acc_n"]
GOOD = ["a", "20", "wrist", "0", "280"]


def evaluate(folder: Path, output: Path) -> Result:
    return CliRunner().invoke(app, ["falls", "--input", str(folder), "--output", str(output)])


def write(folder: Path, rows: list[list[str]], acc: np.ndarray | None = None, header: list[str] | None = None) -> None:
    with (folder / "trials.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header or HEADER, *rows])
    if acc is None:
        acc = np.tile(np.array([0, 0, 1000], np.int16), (280, 1))
    np.savez(folder / "signals.npz", acc_mg=acc)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def milli(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 1000).astype(np.int16)


def test_one_row_a_trial_in_the_order_given(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = [milli(fall_signal(rng, 20.0)), milli(np.tile([0.0, 0.0, 1.0], (100, 1))), milli(fall_signal(rng, 104.0))]
    start = np.cumsum([0] + [len(part) for part in parts])
    rows = [
        ["x", "extra", "wrist", "20", str(start[0]), str(len(parts[0]))],
        ["y", "", "", "20", str(start[1]), str(len(parts[1]))],
        ["跌", "", "waist", "104.0", str(start[2]), str(len(parts[2]))],
        ["short", "", "waist", "200", "0", "1"],
    ]
    write(tmp_path, rows, np.concatenate(parts), ["trial_id", "note", "position", "fs_hz", "acc_start", "acc_n"])
    result = evaluate(tmp_path, tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    out = read(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[0] == "trial_id,fall,t_fall,score"
    assert [(r["trial_id"], r["fall"]) for r in out] == [("x", "1"), ("y", "0"), ("跌", "1"), ("short", "0")]
    assert float(out[0]["t_fall"]) == pytest.approx(6, abs=0.5)
    assert out[1]["t_fall"] == ""
    assert all(0 <= float(r["score"]) <= 1 for r in out)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "holds no trial"),
        ([GOOD, GOOD], "stands there twice"),
        ([["a", "0", "wrist", "0", "280"]], "fs_hz"),
        ([["a", "nan", "wrist", "0", "280"]], "fs_hz"),
        ([["a", "1000", "wrist", "0", "280"]], "1000"),
        ([["a", "x", "wrist", "0", "280"]], "row 2: fs_hz must be a number, got 'x'"),
        ([["a", "20", "wrist", "0.5", "280"]], "row 2: acc_start must be a whole number, got '0.5'"),
        ([["a", "20", "wrist", "0", ""]], "row 2: acc_n must be a whole number, got ''"),
        ([["a", "20", "wrist", "0", "281"]], "do not lie in acc_mg"),
        ([["a", "20", "wrist", "-1", "5"]], "do not lie in acc_mg"),
        ([["a", "20", "wrist", "0", "0"]], "do not lie in acc_mg"),
        ([["", "20", "wrist", "0", "280"]], "trial_id is empty"),
        ([["a", "20", "wrist", "0"]], "number of fields"),
    ],
)
def test_bad_rows_end_it_with_a_clear_message(tmp_path: Path, rows: list[list[str]], complaint: str) -> None:
    write(tmp_path, rows)
    result = evaluate(tmp_path, tmp_path / "out.csv")
    assert result.exit_code == 2
    assert complaint in result.output
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("hz", [10.0, 12.5, 20.0, 50.0, 99.7, 200.0])
@pytest.mark.parametrize("position", ["wrist", "waist", "", "ankle", "手腕"])
def test_a_second_is_judged_at_every_rate_and_position(tmp_path: Path, hz: float, position: str) -> None:
    rest = np.tile(np.array([0, 0, 1000], np.int16), (round(hz), 1))
    blow = rest.copy()
    blow[round(hz * 0.5)] *= 4
    rows = [
        ["rest", f"{hz}", position, "0", f"{len(rest)}"],
        ["blow", f"{hz}", position, f"{len(rest)}", f"{len(rest)}"],
    ]
    write(tmp_path, rows, np.concatenate([rest, blow]))
    result = evaluate(tmp_path, tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    still, struck = read(tmp_path / "out.csv")
    assert (still["fall"], still["t_fall"], float(still["score"])) == ("0", "", 0.0)
    assert 0 < float(struck["score"]) < 1
    assert (struck["fall"] == "1") == (struck["t_fall"] != "") == (float(struck["score"]) >= 0.5)


def test_the_length_of_a_trial_plays_no_part(tmp_path: Path) -> None:
    """What a stream holds more than 4 s after its impacts changes nothing, be it seconds or minutes."""
    fall = milli(fall_signal(np.random.default_rng(1), 50.0))
    longer = np.concatenate([fall, np.repeat(fall[-1:], 50 * 120, 0)])
    write(tmp_path, [["s", "50", "wrist", "0", f"{len(fall)}"], ["l", "50", "wrist", "0", f"{len(longer)}"]], longer)
    assert evaluate(tmp_path, tmp_path / "out.csv").exit_code == 0
    short, long = read(tmp_path / "out.csv")
    assert (short["fall"], short["t_fall"], short["score"]) == (long["fall"], long["t_fall"], long["score"])


def test_bad_files_end_it_with_a_clear_message(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    assert "is missing" in evaluate(tmp_path, output).output
    write(tmp_path, [GOOD], header=["trial_id", "fs_hz", "acc_start", "acc_n", "other"])
    assert "position" in evaluate(tmp_path, output).output
    write(tmp_path, [GOOD], np.zeros((280, 2), np.int16))
    assert "shape" in evaluate(tmp_path, output).output
    write(tmp_path, [GOOD], np.full((280, 3), np.nan))
    assert "row 2: acc_mg holds values that are no finite numbers" in evaluate(tmp_path, output).output
    (tmp_path / "signals.npz").write_bytes(b"no archive")
    assert "not an archive" in evaluate(tmp_path, output).output
    write(tmp_path, [GOOD])
    (tmp_path / "trials.csv").write_bytes(b"trial_id,\xff\xfe\n")
    assert "UTF-8" in evaluate(tmp_path, output).output
    write(tmp_path, [GOOD])
    result = evaluate(tmp_path, tmp_path / "nowhere" / "out.csv")
    assert result.exit_code == 2


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("weda_fall", "wrist"),
        ("umafall", "wrist"),
        ("smartfallmm", "wrist"),
        ("umafall", "waist"),
        ("sisfall", "waist"),
    ],
)
def test_the_shipped_model_fits_the_recorded_falls(tmp_path: Path, name: str, position: str) -> None:
    """Not a figure of merit, the model was trained on these: it shows that weights, features and feeding agree."""
    source = RECORDED / name
    if not source.is_dir():
        pytest.skip("the recorded signals are not beside the checkout")
    worn = [row for row in read(source / "trials.csv") if row["position"].split("_")[0] == position]
    rows = [row | {"position": position} for row in worn[:: len(worn) // 40]]
    with np.load(source / "signals.npz") as archive:
        acc = archive["acc_mg"]
    write(tmp_path, [[r[column] for column in HEADER] for r in rows], acc)
    assert evaluate(tmp_path, tmp_path / "out.csv").exit_code == 0
    out = read(tmp_path / "out.csv")
    assert [r["trial_id"] for r in out] == [r["trial_id"] for r in rows]
    for label in ("0", "1"):
        right = [o["fall"] == label for r, o in zip(rows, out, strict=True) if r["is_fall"] == label]
        assert len(right) >= 10
        assert sum(right) / len(right) > 0.85
    marked = [r for r in rows if r["fall_start_s"]]
    assert bool(marked) == (name == "weda_fall")
    at = {o["trial_id"]: float(o["t_fall"]) for o in out if o["t_fall"]}
    near = [
        float(r["fall_start_s"]) - 1 <= at[r["trial_id"]] <= float(r["fall_end_s"]) + 1
        for r in marked
        if r["trial_id"] in at
    ]
    assert not near or sum(near) / len(near) > 0.85
