"""Accelerometer signals of a wristband: an activity or a fall enters, samples in g with gravity leave, shape (n, 3).

The phases of the fall (walking, dip, impact, posture change, stillness) follow what is described in common for
wrist recordings; amplitudes vary by generator. A simulated fall proves the way through the platform, and says
nothing about a detector's sensitivity on people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators.world import Activity

HZ = 50
SCALE = 1.0 / 2048.0
FULL_SCALE_G = 16.0
BEFORE_SECONDS, AFTER_SECONDS = 20.0, 60.0

# Blows of a fall: (earliest, latest) s after the impact, (least, most) share of its peak, width in s.
_BLOWS = (
    (0.0, 0.0, 1.0, 1.0, 0.026),
    (0.07, 0.12, 0.5, 0.8, 0.028),
    (0.15, 0.22, 0.3, 0.6, 0.03),
    (0.4, 0.7, 0.1, 0.25, 0.04),
)

Samples = NDArray[np.float64]

_ARM_DOWN = np.array([-0.93, 0.25, 0.22])
_POSTURES = {
    Activity.SLEEP: (0.25, -0.55, 0.79), Activity.NAP: (0.15, -0.35, 0.92), Activity.SIT: (-0.25, 0.2, 0.94),
    Activity.MEAL: (-0.45, 0.45, 0.76), Activity.TOILET: (-0.6, 0.35, 0.7), Activity.CHORES: (-0.7, 0.45, 0.55),
}  # fmt: skip
# Hand movement per activity: (standard deviation in g, smoothing in samples).
_RESTLESS = {
    Activity.SLEEP: (0.003, 5), Activity.NAP: (0.004, 5), Activity.SIT: (0.02, 9), Activity.MEAL: (0.06, 9),
    Activity.TOILET: (0.07, 9), Activity.CHORES: (0.11, 7), Activity.FALLEN: (0.004, 5),
}  # fmt: skip
_WALKING = frozenset({Activity.WALK_OUT, Activity.OUT, Activity.EXERCISE})


def to_counts(samples: Samples) -> NDArray[np.int16]:
    """Quantise as the sensor does: ±16 g over int16."""
    return np.clip(np.round(samples / SCALE), -32768, 32767).astype(np.int16)


def activity_samples(
    rng: np.random.Generator, activity: Activity, t0: float, n: int, posture: Samples | None = None
) -> Samples:
    """`n` samples of ordinary life from `t0` on; `posture` (3,) replaces the usual direction of gravity."""
    t = t0 + np.arange(n) / HZ
    if activity in _WALKING:
        return _walk(rng, t)
    usual = _POSTURES.get(activity, (0.0, 0.0, 1.0))
    base = _unit(np.asarray(usual) if posture is None else posture)
    deviation, smooth = _RESTLESS.get(activity, (0.02, 9))
    breathing = 0.004 * np.sin(2 * np.pi * 0.26 * t)
    signal = base * (1.0 + breathing[:, None])
    return signal + _smooth_noise(rng, n, deviation, smooth) + rng.normal(0.0, 0.004, (n, 3))


def fall_samples(rng: np.random.Generator) -> tuple[Samples, Samples]:
    """A fall from walking with the impact 20 s in, 80 s in all, and the posture (3,) in which the arm comes to lie."""
    n, hit = int((BEFORE_SECONDS + AFTER_SECONDS) * HZ), int(BEFORE_SECONDS * HZ)
    t = (np.arange(n) - hit) / HZ
    lying = _turned(rng, _ARM_DOWN, rng.uniform(np.radians(65), np.radians(115)))
    dip_seconds = rng.uniform(0.4, 0.65)
    turn = _smoothstep((t + dip_seconds) / (dip_seconds + rng.uniform(0.3, 0.6)))[:, None]
    direction = (1 - turn) * _unit(_ARM_DOWN) + turn * lying
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    # Support is lost, then weight comes back with the blow.
    falling = np.clip((t + dip_seconds) / dip_seconds, 0.0, 1.0) * (t < 0)
    weight = 1.0 - rng.uniform(0.4, 0.65) * np.sin(np.pi * np.sqrt(falling)) ** 2
    signal = direction * weight[:, None]
    walking = _smoothstep(-(t + dip_seconds) / 0.3)[:, None]
    signal += walking * (_walk(rng, t) - _unit(_ARM_DOWN))
    # The arm reaches for a hold; hip, hand and elbow strike one after another; then the body settles.
    flailing = np.exp(-0.5 * ((t + 0.2) / 0.16) ** 2)
    signal += flailing[:, None] * _smooth_noise(rng, n, 0.3, 5)
    peak = rng.uniform(4.2, 6.5)
    for low, high, least, most, width in _BLOWS:
        delay, share = rng.uniform(low, high), rng.uniform(least, most)
        axis = _unit(lying + rng.normal(0.0, 0.5, 3))
        signal += peak * share * np.exp(-0.5 * ((t - delay) / width) ** 2)[:, None] * axis
    ringing = np.where(t >= 0, np.exp(-np.maximum(t, 0.0) / 0.15), 0.0)
    settling = np.where(t >= 0, np.exp(-np.maximum(t, 0.0) / 0.5), 0.0)
    signal += ringing[:, None] * _smooth_noise(rng, n, 0.9, 2) + settling[:, None] * _smooth_noise(rng, n, 0.45, 6)
    breathing = 0.005 * np.sin(2 * np.pi * 0.33 * t) * (t > 2.0)
    signal += breathing[:, None] * lying + rng.normal(0.0, 0.006, (n, 3))
    return np.clip(signal, -FULL_SCALE_G, FULL_SCALE_G), lying


def _walk(rng: np.random.Generator, t: Samples) -> Samples:
    """Steps at about 1.8 Hz along the arm, its swing at half of that, and noise."""
    step_hz, phase = rng.uniform(1.5, 1.95), rng.uniform(0.0, 2 * np.pi)
    strength = rng.uniform(0.12, 0.24)
    step = np.sin(2 * np.pi * step_hz * t + phase)
    heel = 0.35 * np.sin(4 * np.pi * step_hz * t + 2 * phase + 0.6)
    swing = 0.22 * np.sin(np.pi * step_hz * t + phase / 2)
    base = _unit(_ARM_DOWN)
    along = base * (1.0 + strength * (step + heel))[:, None]
    across = np.outer(swing, _unit(np.array([0.1, 0.9, -0.4])))
    return np.asarray(along + across + rng.normal(0.0, 0.03, (len(t), 3)))


def _smooth_noise(rng: np.random.Generator, n: int, deviation: float, width: int) -> Samples:
    """Noise (n, 3) of the given standard deviation, averaged over `width` samples."""
    raw = np.cumsum(rng.normal(0.0, 1.0, (n + width, 3)), axis=0)
    return np.asarray(deviation * (raw[width:] - raw[:-width]) / np.sqrt(width))


def _unit(vector: Samples) -> Samples:
    return np.asarray(vector / np.linalg.norm(vector))


def _turned(rng: np.random.Generator, vector: Samples, angle: float) -> Samples:
    """The vector's direction, turned by `angle` radians in a random plane."""
    unit = _unit(vector)
    side = rng.normal(0.0, 1.0, 3)
    side = _unit(side - (side @ unit) * unit)
    return np.asarray(np.cos(angle) * unit + np.sin(angle) * side)


def _smoothstep(x: Samples) -> Samples:
    clipped = np.clip(x, 0.0, 1.0)
    return clipped * clipped * (3.0 - 2.0 * clipped)
