"""Readings in the order of device time: index and time enter, which readings are new leaves.

What is not newer than the newest is late or a duplicate and not taken, unless so many readings with rising times come
behind the newest that the device's clock must have been set back: then judging begins afresh from there.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from alerts.detectors.base import Bools, Floats
from alerts.detectors.parameters import CLOCK_SET_BACK_READINGS

ORDER_FIELDS: Final = {"newest": (np.nan, np.float64), "behind_time": (np.nan, np.float64), "behind": (0, np.int8)}


def order_fields(shape: tuple[int, ...]) -> dict[str, tuple[tuple[int, ...], float, type]]:
    """The arrays that `take` needs, for a detector's `fields`."""
    return {name: (shape, fill, dtype) for name, (fill, dtype) in ORDER_FIELDS.items()}


def take(s: dict[str, np.ndarray[Any, Any]], at: tuple[Any, ...], time: Floats) -> tuple[Bools, Bools]:
    """Which readings are newer, and where the clock was set back; every place in `at` occurs once. Remembers them."""
    newest = s["newest"][at]
    late = time < newest
    rising = late & (time > s["behind_time"][at])
    count = np.where(rising, s["behind"][at] + 1, late)
    back: Bools = count >= CLOCK_SET_BACK_READINGS.value
    taken: Bools = np.isnan(newest) | (time > newest) | back
    again = time == newest
    s["behind"][at] = np.where(back, 0, np.where(again, s["behind"][at], count))
    s["behind_time"][at] = np.where(late & ~back, time, np.where(again, s["behind_time"][at], np.nan))
    s["newest"][at] = np.where(taken, time, newest)
    return taken, back
