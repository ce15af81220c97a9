"""Where somebody was: fixes of their devices enter, newest first, each with its accuracy, leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.access import require_metric, resident_scopes
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_text, cursor_time, decode_cursor, page
from api.schemas import Instant
from api.state import State
from core.errors import BadInput
from core.limits import CLOCK_FUTURE_SECONDS
from core.metrics import BY_CODE
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/residents", tags=["readings"])
READERS = (*STAFF, Role.FAMILY)
RANGE_DEFAULT: Final = timedelta(days=1)
_LAT, _LON, _ACC = (BY_CODE[code] for code in ("lat", "lon", "loc_acc"))


class Position(BaseModel):
    """One fix."""

    t: datetime
    latitude: float = Field(description="degrees", examples=[29.563])
    longitude: float = Field(description="degrees", examples=[106.551])
    accuracy_m: float | None = Field(description="so many metres off at most, as the device says", examples=[15])
    device: str = Field(examples=["wb-0001"])


class PositionPage(Page[Position]):
    """Fixes, newest first."""


@router.get("/{resident_id}/positions", summary="位置 · Where they were", dependencies=[require(*READERS)])
def list_positions(
    resident_id: UUID,
    caller: Caller,
    tx: Tx,
    state: State,
    audit: Audit,
    from_: Annotated[Instant | None, Query(alias="from", description="24 hours before `to` unless given")] = None,
    to: Annotated[Instant | None, Query(description="now unless given; not included")] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> PositionPage:
    """Needs the consent for location. A fix belongs to whom the device's binding names at its time."""
    end = to or state.clock.now() + timedelta(seconds=CLOCK_FUTURE_SECONDS)
    start = from_ or min(end, state.clock.now()) - RANGE_DEFAULT
    if start >= end:
        raise BadInput("`from` must lie before `to`")
    before, before_id = decode_cursor(cursor, cursor_time, cursor_text)
    require_metric(_LAT, resident_scopes(tx, caller, resident_id))
    rows = tx.all(
        "readings.positions",
        resident=resident_id,
        lat=_LAT.id,
        lon=_LON.id,
        acc=_ACC.id,
        start=start,
        end=end,
        before=before,
        before_id=before_id,
        limit=limit + 1,
    )
    shown, following = page(rows, limit, lambda row: (row["t"], row["device"]))
    audit.record("read_positions", "resident", resident_id)
    return PositionPage(items=[Position(**row) for row in shown], next=following)
