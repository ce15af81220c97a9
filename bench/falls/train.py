"""Train and measure the fall model: the recorded sets enter, weights for the product and a table of figures leave.

    python -m bench.falls.train [DATA] [--output FILE.npz] [--measure folds|people|sets] [--report FILE.json]

DATA is the folder with the recorded sets (default ../shared/data). Without --measure it finds the operating point on
people held out in ten folds, then trains on everyone and writes the weights. Everything is seeded; one core, minutes.

--measure reports without writing: `people` leaves out one person at a time, `folds` a tenth of the people, `sets` a
whole set. The operating point that judges a person, or a set, is always chosen on the others' held-out scores.
Only the spread of the features (ranks, means, biases of the kernels) is taken over all people, without labels.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alerts.detectors import fall_convolution, fall_model
from alerts.detectors import fall_features as ff
from bench.falls import convolution, measure, network
from bench.falls.data import VARIANTS, Impacts, Trial, impacts, read

SEED = 7
VERSION = "4"
NETS = 3
# Convolutional networks beside them; at the waist the others reach what is aimed at.
CONVOLUTIONS = {"wrist": 2, "waist": 0}
_FIRST_STEPS = 300
_DILATIONS = (1, 2, 4, 7, 12)
_QUANTILES = 33
_OLDER_WEIGHT = 4.0
# What a set and label count for, where not 1. Sensors and scripts differ by set: soft, controlled falls cut off at 2 g
# in smartfallmm, hard falls in the others, among vigorous activities. With equal weights the sets want operating
# points that lie 1.8 apart in log-odds; a window tells enough of its sensor for these weights to draw them together.
_CELL_WEIGHTS = {
    ("smartfallmm", "wrist", True): 3.0,
    ("umafall", "wrist", True): 0.35,
    ("umafall", "wrist", False): 2.5,
    ("weda_fall", "wrist", True): 0.3,
    ("weda_fall", "wrist", False): 3.5,
    ("spsw_har", "wrist", False): 0.5,
}
_NO_IMPACT = -20.0


def draw_kernels(signals: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All 84 kernels at every dilation, each on one or two channels, with a bias from what it answers to `signals`."""
    count = len(ff.KERNELS)
    mask = np.zeros((count * len(_DILATIONS), ff.CHANNELS), np.int8)
    for row in mask:
        row[rng.choice(ff.CHANNELS, rng.integers(1, 3), replace=False)] = 1
    kernels = {
        "dilation": np.repeat(np.array(_DILATIONS, np.int16), count),
        "kernel": np.tile(np.arange(count, dtype=np.int16), len(_DILATIONS)),
        "mask": mask,
    }
    bias = []
    for dilation in _DILATIONS:
        mine = kernels["dilation"] == dilation
        out = ff.responses(signals, ff.kernel_weights(kernels["kernel"][mine], mask[mine]), dilation)
        bias += [np.quantile(out[:, k], rng.uniform(0.1, 0.95)) for k in range(count)]
    return kernels | {"bias": np.array(bias, np.float32)}


def prepare(found: Impacts, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What turns windows into inputs (kernels, ranks, scale), and the inputs (k, features) of all windows."""
    rng = np.random.default_rng(seed)
    blocks = [found.windows[i : i + 2000] for i in range(0, len(found.windows), 2000)]
    filled = [ff.fill(block) for block in blocks]
    named = [ff.statistics(block) for block in filled]
    signals = [ff.channels(block) for block in filled]
    pick = np.sort(rng.choice(len(found.windows), min(2000, len(found.windows)), replace=False))
    part = draw_kernels(np.concatenate(signals)[pick][:400], rng)
    table = np.concatenate([np.stack(list(n.values()), 1) for n in named])
    part["quantile"] = np.quantile(table, np.linspace(0, 1, _QUANTILES), axis=0).T.astype(np.float32)
    part["quantile"] += np.arange(_QUANTILES, dtype=np.float32) * 1e-7  # np.interp wants them to rise
    width = table.shape[1] + len(part["bias"]) * len(ff.POOLS)
    part["mean"], part["scale"] = np.zeros(width, np.float32), np.full(width, 0.25, np.float32)
    x = np.concatenate([fall_model.inputs(part, n, s) for n, s in zip(named, signals, strict=True)]) * 0.25
    part["mean"], part["scale"] = x.mean(0), x.std(0) + np.float32(0.01)
    return part, np.clip((x - part["mean"]) / part["scale"], -4, 4)


def prepare_convolution(found: Impacts, position: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Mean and spread of what convolutional networks see, and what they see (k, WIDTH, CHANNELS), scaled by them.

    Where a position has none: no arrays, and nothing to see (k, 0).
    """
    if not CONVOLUTIONS[position]:
        return {}, np.empty((len(found.windows), 0), np.float32)
    filled = (ff.fill(found.windows[i : i + 2000]) for i in range(0, len(found.windows), 2000))
    seen = np.concatenate([fall_convolution.inputs(block, ff.channels(block)) for block in filled])
    mean, spread = convolution.scale(seen)
    seen -= mean
    seen /= spread
    return {"conv_mean": mean, "conv_scale": spread}, seen


def weights(trials: list[Trial], found: Impacts, use: np.ndarray) -> np.ndarray:
    """Weight of each impact in use: sets and labels as in _CELL_WEIGHTS, older people's activities four times."""
    sets = np.array([trial.set for trial in trials])[found.trial]
    older = np.array([trial.older for trial in trials])[found.trial]
    position = trials[0].position
    weight = np.where(use, np.where(older, _OLDER_WEIGHT, 1.0), 0.0)
    for name in np.unique(sets):
        for label in (False, True):
            mine = (sets == name) & (found.fall == label)
            weight[mine] *= _CELL_WEIGHTS.get((str(name), position, label), 1.0) / max(weight[mine].sum(), 1e-9)
    return weight


def chosen(
    x: np.ndarray, trials: list[Trial], found: Impacts, train: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the impacts to train on, of those marked in `train` (k,) bool, and their weights.

    In a trial with a fall only one impact is the fall: first the largest is taken for it, then the one that a first
    network finds most fall-like; the others are left out.
    """
    y = found.fall.astype(np.float32)
    use = train & (~found.fall | found.largest)
    rows = np.flatnonzero(use)
    first = network.train(x[rows], y[rows], weights(trials, found, use)[rows], seed, _FIRST_STEPS)
    falls = np.flatnonzero(train & found.fall)
    odds = network.log_odds(first, x[falls])
    group = found.trial[falls] * VARIANTS + found.variant[falls]
    order = np.lexsort((-odds, group))
    best = falls[order[np.diff(group[order], prepend=-1) != 0]]
    use = train & ~found.fall
    use[best] = True
    rows = np.flatnonzero(use)
    return rows, weights(trials, found, use)[rows]


class Networks(NamedTuple):
    """Trained weights: networks over the features, and convolutional ones (none at some positions)."""

    plain: list[list[np.ndarray]]
    convolutions: list[list[np.ndarray]]

    def log_odds(self, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Log-odds (k,) of impacts: the mean of the two kinds, each the mean of its networks."""
        odds = np.mean([network.log_odds(p, x) for p in self.plain], axis=0)
        if not self.convolutions:
            return np.asarray(odds)
        return np.asarray((odds + np.mean([fall_convolution.forward(p, seen) for p in self.convolutions], axis=0)) / 2)


def fit(x: np.ndarray, seen: np.ndarray, trials: list[Trial], found: Impacts, train: np.ndarray, seed: int) -> Networks:
    """Networks trained on the impacts `train` (k,) bool; x (k, features), seen as `prepare_convolution` has it."""
    rows, weight = chosen(x, trials, found, train, seed)
    y = found.fall[rows].astype(np.float32)
    count = CONVOLUTIONS[trials[0].position]
    return Networks(
        [network.train(x[rows], y, weight, seed + 1 + n) for n in range(NETS)],
        [convolution.train(seen[rows], y, weight, seed + 1 + n) for n in range(count)],
    )


def held_out(
    x: np.ndarray, seen: np.ndarray, trials: list[Trial], found: Impacts, groups: np.ndarray, seed: int
) -> np.ndarray:
    """Score of every trial by networks that have not seen its group; groups (trials,) of whole numbers."""
    score = np.full(len(trials), _NO_IMPACT)
    for group in np.unique(groups):
        out = groups[found.trial] == group
        nets = fit(x, seen, trials, found, ~out, seed)
        plain = np.flatnonzero(out & (found.variant == 0))
        np.maximum.at(score, found.trial[plain], nets.log_odds(x[plain], seen[plain]))
        print(f"group {group} of {len(np.unique(groups))}", flush=True)
    return score


def folds(trials: list[Trial], how: str, seed: int) -> np.ndarray:
    """The group of each trial: its person's fold, its person, or its set."""
    keys = np.array([trial.set if how == "sets" else trial.person for trial in trials])
    names, index = np.unique(keys, return_inverse=True)
    if how != "folds":
        return index
    return (np.random.default_rng(seed).permutation(len(names)) % 10)[index]


def arrays(part: dict[str, np.ndarray], nets: Networks, operating_point: float) -> dict[str, np.ndarray]:
    """One position's entry of the weights file; the wide first layer as whole steps of one byte."""
    stacked = {name: np.stack([p[k] for p in nets.plain]) for k, name in enumerate(("w1", "b1", "w2", "b2"))}
    step = np.maximum(np.abs(stacked["w1"]).max(1), np.float32(1e-12)) / np.float32(127)
    stacked["w1"] = np.round(stacked["w1"] / step[:, None]).astype(np.int8)
    stacked["b2"] = stacked["b2"][:, 0]
    if nets.convolutions:
        names = fall_convolution.NAMES[2:]
        stacked |= {name: np.stack([p[k] for p in nets.convolutions]) for k, name in enumerate(names)}
    return part | stacked | {"w1_step": step, "operating_point": np.array(operating_point, np.float32)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=fall_model.WEIGHTS)
    parser.add_argument("--measure", choices=("folds", "people", "sets"))
    parser.add_argument("--position", choices=fall_model.POSITIONS, action="append")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    written: dict[str, np.ndarray] = {"version": np.array(VERSION)}
    report = {}
    for position in options.position or fall_model.POSITIONS:
        trials = read(options.data, position)
        found = impacts(trials, SEED)
        part, x = prepare(found, SEED)
        more, seen = prepare_convolution(found, position)
        how = options.measure or "folds"
        groups = folds(trials, how, SEED)
        score = held_out(x, seen, trials, found, groups, SEED)
        report[position] = measure.report(trials, score, groups, position)
        print(json.dumps({position: report[position]}, indent=1), flush=True)
        if not options.measure:
            nets = fit(x, seen, trials, found, np.ones(len(x), bool), SEED)
            point = measure.operating_point(trials, score, position)
            written |= {f"{position}_{name}": a for name, a in arrays(part | more, nets, point).items()}
    if options.report:
        options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if not options.measure:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(options.output, **written)
        print(f"wrote {options.output}, {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
