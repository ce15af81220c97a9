"""How tortuous a walk is: the corners of a path enter, its length, straightness and sharp turns leave.

Who goes somewhere walks far from where the walk began and turns seldom by more than a right angle; who wanders paces to
and fro, circles, and comes back to the same corner. A single turn home is neither.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from alerts.detectors.base import Floats

METRES_PER_DEGREE: Final = 111_195.0
_RIGHT_ANGLE_COSINE: Final = 1e-9
"""A turn by a right angle counts as sharp, whatever the last bits say."""


class Tortuosity(NamedTuple):
    """Of a path with at least two corners; all 0 of a shorter one."""

    length_m: float
    straightness: float
    """Distance from the first to the last corner over the length: 1 is a straight line, 0 a way back."""
    sharp_turns: int
    """By a right angle or more."""


def steps_m(corners: Floats) -> Floats:
    """The legs between corners as metres north and east; corners (n, 2) of latitude and longitude, out (n - 1, 2)."""
    north = np.diff(corners[:, 0]) * METRES_PER_DEGREE
    # The short way round, also across the date line.
    east = (np.diff(corners[:, 1]) + 180.0) % 360.0 - 180.0
    return np.stack([north, east * METRES_PER_DEGREE * np.cos(np.radians(corners[:-1, 0]))], axis=1)


def tortuosity(corners: Floats) -> Tortuosity:
    """Of a path of corners (n, 2), latitude and longitude in degrees."""
    if len(corners) < 2:
        return Tortuosity(0.0, 0.0, 0)
    legs = steps_m(corners)
    length = float(np.hypot(*legs.T).sum())
    away = float(np.hypot(*legs.sum(0)))
    turns = int(((legs[:-1] * legs[1:]).sum(1) <= _RIGHT_ANGLE_COSINE).sum())
    return Tortuosity(length, away / length if length else 0.0, turns)
