"""The memory of the detectors: their arrays enter, bytes for one database column leave, and back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from zipfile import BadZipFile

import numpy as np

from alerts.detectors.base import Detector
from core.errors import BadInput

_VERSION = "version"


def save(detectors: Mapping[str, Detector]) -> bytes:
    """All detectors' states, named `detector/array`, each with its detector's version."""
    arrays: dict[str, Any] = {}
    for name, detector in detectors.items():
        arrays[f"{name}/{_VERSION}"] = np.array(detector.version)
        arrays.update({f"{name}/{key}": value for key, value in detector.state().items()})
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def restore(detectors: Mapping[str, Detector], stored: bytes) -> dict[str, str]:
    """Put the states back; the detectors that begin anew, with the reason: another version, or it does not fit.

    Raises BadInput where the whole cannot be read.
    """
    try:
        with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
            known = {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, BadZipFile) as error:
        raise BadInput("the checkpoint cannot be read") from error
    anew: dict[str, str] = {}
    for name, detector in detectors.items():
        mine = {key.partition("/")[2]: value for key, value in known.items() if key.partition("/")[0] == name}
        version = mine.pop(_VERSION, None)
        if version is None or str(version) != detector.version:
            anew[name] = f"the checkpoint is of version {version}, this is {detector.version}"
            continue
        try:
            detector.restore(mine)
        except BadInput as error:
            anew[name] = str(error)
    return anew
