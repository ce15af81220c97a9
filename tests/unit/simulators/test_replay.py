"""Recorded trials, on a small folder made here."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import cbor2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BadInput
from simulators import replay
from tests.unit.simulators.conftest import T0

ROWS = [
    {"trial_id": "a", "fs_hz": "20.0", "position": "wrist", "is_fall": "1", "acc_start": "0", "acc_n": "230"},
    {"trial_id": "b", "fs_hz": "49.46", "position": "wrist", "is_fall": "0", "acc_start": "230", "acc_n": "500"},
    {"trial_id": "c", "fs_hz": "50", "position": "waist", "is_fall": "1", "acc_start": "730", "acc_n": "3"},
]


def make_folder(folder: Path, rows: list[dict[str, str]], signal: NDArray[np.int16] | None = None) -> Path:
    if signal is None:
        signal = np.random.default_rng(1).integers(-8000, 8000, (733, 3)).astype(np.int16)
    np.savez(folder / "signals.npz", acc_mg=signal)
    with (folder / "trials.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_filters_choose_trials(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, ROWS)

    def ids(**wanted: object) -> list[str]:
        return [t.trial_id for t in replay.read_trials(folder, **wanted)]  # type: ignore[arg-type]

    assert ids() == ["a", "b", "c"]
    assert ids(only="falls") == ["a", "c"]
    assert ids(only="activities") == ["b"]
    assert ids(position="wrist") == ["a", "b"]
    assert ids(only="falls", position="waist") == ["c"]
    assert ids(limit=2) == ["a", "b"]


def test_every_sample_is_published_once_with_its_time_and_trials_are_apart(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, ROWS)
    trials = replay.read_trials(folder)
    placed, end = replay.lay_out(trials, T0, gap_seconds=40.0)
    messages = list(replay.messages(placed, "demo", "wb-0001"))
    assert messages[0].channel == "status"
    windows = [(m, cbor2.loads(m.payload)) for m in messages if m.channel == "motion"]
    assert all(m.topic == "anhu/v1/demo/wb-0001/motion" and m.qos == 1 and not m.retain for m, _ in windows)
    counts = np.concatenate([np.frombuffer(w["acc"], dtype="<i2").reshape(-1, 3) for _, w in windows])
    np.testing.assert_array_equal(counts, np.load(folder / "signals.npz")["acc_mg"])
    assert {w["scale"] for _, w in windows} == {0.001}
    for place in placed:
        own = [w for _, w in windows if place.start - 1 <= w["t0"] < place.start + place.trial.seconds]
        assert own[0]["t0"] == pytest.approx(place.start, abs=0.002)
        assert all(w["hz"] == place.trial.hz for w in own)
        assert sum(len(w["acc"]) // 6 for w in own) == len(place.trial.counts)
        for one, following in itertools.pairwise(own):
            assert following["t0"] == pytest.approx(one["t0"] + len(one["acc"]) / 6 / one["hz"], abs=0.002)
    for before, after in itertools.pairwise(placed):
        assert after.start - (before.start + before.trial.seconds) == pytest.approx(40.0)
    assert end == pytest.approx(placed[-1].start + 3 / 50)
    # Nothing is sent before its last sample is taken, and labels never are.
    assert all(m.time >= w["t0"] + len(w["acc"]) / 6 / w["hz"] - 0.002 for m, w in windows)
    assert all(set(w) == {"t0", "hz", "unit", "scale", "acc"} for _, w in windows)


def test_without_labels_everything_plays_but_falls_cannot_be_chosen(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, [{k: v for k, v in row.items() if k != "is_fall"} for row in ROWS])
    assert len(replay.read_trials(folder)) == 3
    with pytest.raises(BadInput, match="is_fall"):
        replay.read_trials(folder, only="falls")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fs_hz": "0"}, "line 2: fs_hz"),
        ({"fs_hz": "fast"}, "line 2"),
        ({"fs_hz": "nan"}, "line 2: fs_hz"),
        ({"acc_n": "0"}, "line 2: rows"),
        ({"acc_n": "99999"}, "line 2: rows"),
        ({"acc_start": "-5"}, "line 2: rows"),
        ({"acc_start": ""}, "line 2"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, change: dict[str, str], message: str) -> None:
    folder = make_folder(tmp_path, [{**ROWS[0], **change}, *ROWS[1:]])
    with pytest.raises(BadInput, match=message):
        replay.read_trials(folder)


def test_folders_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"trials\.csv"):
        replay.read_trials(tmp_path)
    make_folder(tmp_path, ROWS)
    with pytest.raises(BadInput, match="matches"):
        replay.read_trials(tmp_path, position="ankle")
    np.savez(tmp_path / "signals.npz", acc_mg=np.zeros((733, 3)))
    with pytest.raises(BadInput, match="int16"):
        replay.read_trials(tmp_path)
    (tmp_path / "signals.npz").write_bytes(b"nonsense")
    with pytest.raises(BadInput, match=r"signals\.npz"):
        replay.read_trials(tmp_path)
    (tmp_path / "trials.csv").write_text("trial_id,fs_hz\na,50\n")
    with pytest.raises(BadInput, match="acc_n, acc_start"):
        replay.read_trials(tmp_path)


def test_gaps_too_short_to_tell_trials_apart_are_refused(tmp_path: Path) -> None:
    trials = replay.read_trials(make_folder(tmp_path, ROWS))
    with pytest.raises(BadInput, match="30"):
        replay.lay_out(trials, T0, gap_seconds=29.0)
