"""Routes of FHIR R4: read and search, for staff, and for family what they may see; errors are problems as elsewhere."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from api.access import open_metrics, resident_scopes
from api.deps import API, PUBLIC, STAFF, Audit, Caller, Tx, require
from api.fhir import resources, search
from api.openapi import version
from api.paging import Cursor, cursor_id, cursor_time, decode_cursor, encode_cursor
from api.state import State
from core.errors import Forbidden, NotFound
from core.vocabulary import Role

BASE = f"{API}/fhir/R4"
COUNT_MAX = 500
_TIES = 64
"""Readings of one moment are never divided between two pages: so many more are fetched to see them all."""


class FhirJson(JSONResponse):
    """JSON under the name that FHIR gives it."""

    media_type = "application/fhir+json"


router = APIRouter(prefix=BASE, tags=["fhir"], default_response_class=FhirJson)
READERS = (*STAFF, Role.FAMILY)
Count = Annotated[int, Query(alias="_count", ge=1, le=COUNT_MAX)]
Subject = Annotated[str, Query(max_length=100, examples=["Patient/018f3c5e-0000-7000-8000-00000000000a"])]
FLAG_STATES = {"active": ["open", "acknowledged", "on_site"], "inactive": ["resolved"]}


@router.get("/metadata", summary="能力声明 · CapabilityStatement", dependencies=[PUBLIC])
def fhir_metadata(state: State) -> dict[str, Any]:
    """What can be read and searched."""
    return resources.capability(version(), state.clock.now())


@router.get("/Patient/{resident_id}", summary="老人 · Patient", dependencies=[require(*STAFF)])
def fhir_patient(resident_id: UUID, tx: Tx, audit: Audit) -> dict[str, Any]:
    """A resident."""
    row = tx.one("residents.get", resident=resident_id)
    audit.record("read_fhir", "resident", resident_id)
    return resources.patient(row)


@router.get("/Patient", summary="查找老人 · Find patients", dependencies=[require(*STAFF)])
def fhir_patients(
    request: Request, tx: Tx, audit: Audit, identifier: Annotated[UUID | None, Query(alias="_id")] = None,
    count: Count = 50, page: Cursor = None,
) -> dict[str, Any]:  # fmt: skip
    """Residents of the institution, in the order in which they came."""
    after, after_id = decode_cursor(page, cursor_time, cursor_id)
    if identifier is not None:
        row = tx.first("residents.get", resident=identifier)
        rows = [row] if row else []
    else:
        rows = tx.all(
            "residents.list",
            after=after,
            after_id=after_id,
            limit=count + 1,
            q=None,
            room=None,
            status=None,
            viewer=None,
        )
    shown = rows[:count]
    following = encode_cursor((shown[-1]["created_at"], shown[-1]["id"])) if len(rows) > count else None
    audit.record("list_fhir", "resident", "", ids=[str(row["id"]) for row in shown])
    return _bundle(request, [resources.patient(row) for row in shown], following)


@router.get("/Device/{device_ref}", summary="设备 · Device", dependencies=[require(*STAFF)])
def fhir_device(device_ref: Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,64}$")], tx: Tx) -> dict[str, Any]:
    """A device; underscores of its id are full stops here."""
    return resources.device(tx.one("devices.get", id=resources.device_of(device_ref)))


@router.get("/Observation", summary="生命体征 · Observations", dependencies=[require(*READERS)])
def fhir_observations(
    request: Request,
    caller: Caller,
    tx: Tx,
    state: State,
    audit: Audit,
    subject: Subject,
    code: Annotated[str | None, Query(max_length=500, examples=["http://loinc.org|8867-4"])] = None,
    dates: Annotated[list[str] | None, Query(alias="date", max_length=4, examples=[["ge2026-01-01"]])] = None,
    count: Count = 100,
    page: Cursor = None,
) -> dict[str, Any]:
    """A resident's readings that have a LOINC code, newest first."""
    resident = search.resident_of(subject)
    scopes = resident_scopes(tx, caller, resident)
    allowed = set(open_metrics(scopes))
    metrics = [metric for metric in search.metrics_of(code) if metric in allowed]
    if not metrics:
        raise Forbidden("there is no consent to see this data of this resident")
    start, end = search.span_of(dates or [], state.clock.now())
    (before,) = decode_cursor(page, cursor_time)
    rows = tx.all(
        "fhir.observations", resident=resident, metrics=metrics, start=start, end=min(before, end) if before else end,
        limit=count + _TIES,
    )  # fmt: skip
    shown = [row for row in rows if len(rows) <= count or row["time"] >= rows[count - 1]["time"]]
    following = encode_cursor((shown[-1]["time"],)) if len(shown) < len(rows) else None
    audit.record("read_fhir_observations", "resident", resident)
    return _bundle(request, resources.observations(resident, shown), following)


@router.get("/Flag", summary="报警 · Flags", dependencies=[require(*READERS)])
def fhir_flags(
    request: Request,
    caller: Caller,
    tx: Tx,
    audit: Audit,
    subject: Subject,
    status: Annotated[str | None, Query(pattern="^(active|inactive)$")] = None,
    count: Count = 50,
    page: Cursor = None,
) -> dict[str, Any]:
    """A resident's alerts, newest first; false ones are marked as entered in error."""
    resident = search.resident_of(subject)
    if "alerts" not in resident_scopes(tx, caller, resident):
        raise NotFound("there is no such resident")
    before, before_id = decode_cursor(page, cursor_time, cursor_id)
    rows = tx.all(
        "fhir.flags", resident=resident, states=FLAG_STATES.get(status or ""), before=before, before_id=before_id,
        limit=count + 1,
    )  # fmt: skip
    shown = rows[:count]
    following = encode_cursor((shown[-1]["opened_at"], shown[-1]["id"])) if len(rows) > count else None
    audit.record("read_fhir_flags", "resident", resident)
    return _bundle(request, [resources.flag(row) for row in shown], following)


def _bundle(request: Request, found: list[resources.Resource], following: str | None) -> dict[str, Any]:
    base = str(request.base_url).rstrip("/") + BASE
    link = f"{base}{request.url.path.removeprefix(BASE)}"
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "page"]
    here = f"{link}?{urlencode(kept)}"
    then = f"{link}?{urlencode([*kept, ('page', following)])}" if following else None
    return resources.bundle(base, here, found, then)
