"""Keyed randomness: a seed and a key enter, an independent NumPy generator leaves; equal keys give equal streams.

Every consumer names its own key, (seed, site, resident, sensor, ...), so one more resident or sensor draws from a
stream of its own and changes nobody else's numbers.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

Key = str | int


def keyed(*key: Key) -> np.random.Generator:
    """A generator for this key; hashing keeps keys of different length or type apart."""
    digest = blake2b(repr(key).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def keyed_uniform(*key: Key) -> float:
    """One number in [0, 1) for this key, cheaper than a generator."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") / 2.0**64
