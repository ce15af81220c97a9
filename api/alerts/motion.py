"""What an accelerometer felt around an alert: stored windows enter, its strength over time leaves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.deps import API, STAFF, Audit, Tx, require
from core.errors import NotFound

router = APIRouter(prefix=API, tags=["alerts"])

BEFORE_SECONDS: Final = 8.0
AFTER_SECONDS: Final = 12.0
HZ_MAX: Final = 25.0
"""Finer than anybody sees on a screen."""


class MotionPoint(BaseModel):
    """The largest acceleration of a short while."""

    t: float = Field(description="seconds from what the alert tells of; before it negative", examples=[-0.04])
    g: float = Field(description="length of the acceleration, g; 1 is rest", examples=[3.2])


class Motion(BaseModel):
    """The acceleration around an alert; empty where no window was recorded."""

    alert_id: UUID
    occurred_at: datetime
    points: list[MotionPoint]


@router.get("/alerts/{alert_id}/motion", summary="加速度窗口 · Motion around an alert", dependencies=[require(*STAFF)])
def get_motion(alert_id: UUID, tx: Tx, audit: Audit) -> Motion:
    """From 8 s before to 12 s after, from the wristband that told of it."""
    row = tx.first("alert_routes.get", id=alert_id, family=None)
    if row is None:
        raise NotFound("there is no such alert")
    found = points(tx.all("alert_routes.motion", id=alert_id), row["occurred_at"])
    audit.record("read_motion", "alert", alert_id)
    return Motion(alert_id=alert_id, occurred_at=row["occurred_at"], points=found)


def points(windows: Iterable[dict[str, Any]], at: datetime) -> list[MotionPoint]:
    """The largest length of each 1/25 s, in the order of time; later windows win where two overlap."""
    largest: dict[int, float] = {}
    for window in windows:
        samples = np.frombuffer(bytes(window["counts"]), "<i2").reshape(-1, 3) * float(window["scale"])
        start = (window["time"] - at) / timedelta(seconds=1)
        t = start + np.arange(len(samples)) / float(window["hz"])
        near = (t >= -BEFORE_SECONDS) & (t <= AFTER_SECONDS) & np.isfinite(samples).all(axis=1)
        steps, lengths = np.floor(t[near] * HZ_MAX).astype(int), np.linalg.norm(samples[near], axis=1)
        mine: dict[int, float] = {}
        for step, length in zip(steps.tolist(), lengths.tolist(), strict=True):
            mine[step] = max(mine.get(step, 0.0), length)
        largest |= mine
    return [MotionPoint(t=round(step / HZ_MAX, 3), g=round(largest[step], 3)) for step in sorted(largest)]
