"""The median filter against lone spikes: the three newest readings of a metric enter, what is judged leaves.

A continuous metric is judged by the median of its three newest readings by device time: one wrong reading between two
right ones is never seen. Of two readings the one nearer to normal counts, one alone is taken as it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from alerts.detectors.base import Floats
from alerts.detectors.parameters import SPIKE_READINGS

HISTORY: Final = int(SPIKE_READINGS.value)
"""So many readings of a metric are kept, the newest last, NaN first where there are fewer."""


def filtered(value: Floats, two: Floats) -> Floats:
    """What counts of each row's readings; value (n, 3), `two` (n,): the one of the newest two that is nearer to normal.

    NaN where there is none. A row of one reading has it in `two`.
    """
    a, b, c = value[:, 0], value[:, 1], value[:, 2]
    median = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return np.where(np.isnan(a), two, median)
