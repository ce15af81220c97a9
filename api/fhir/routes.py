"""Routes of FHIR R4: read and search, for staff, and for family what they may see; errors are problems as elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from alerts.service import NEWS2_MEASURED
from api.access import is_staff, open_metrics, resident_scopes
from api.auth.accounts import Account
from api.deps import API, PUBLIC, STAFF, Audit, AuditTrail, Caller, Tx, require
from api.fhir import resources, search
from api.fhir.news2 import news2_observation
from api.openapi import version
from api.paging import Cursor, cursor_id, cursor_time, decode_cursor, encode_cursor
from api.residents.news2 import score_of
from api.state import AppState, State
from core.errors import Forbidden, NotFound
from core.metrics import BY_CODE
from core.vocabulary import Role
from db.tenant import Transaction

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
    """A resident's readings that have a LOINC code, newest first.

    `code=88330-6` alone: the early warning score NEWS2 of this moment with the readings behind it, for staff.
    """
    resident = search.resident_of(subject)
    scopes = resident_scopes(tx, caller, resident)
    if search.is_news2(code):
        return _news2(request, caller, tx, state, audit, resident)
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


def _news2(
    request: Request, caller: Account, tx: Transaction, state: AppState, audit: AuditTrail, resident: UUID
) -> dict[str, Any]:
    if not is_staff(caller):
        raise Forbidden("the early warning score is for staff")
    audit.record("read_news2", "resident", resident)
    score = score_of(tx, resident, state.clock.now())
    metrics = [BY_CODE[code].id for code in (*NEWS2_MEASURED, "bp_dia")]
    rows = tx.all("readings.latest", resident=resident, metrics=metrics)
    found, sources = news2_observation(score, rows)
    return _bundle(request, [found], None, sources)


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


def _bundle(
    request: Request,
    found: list[resources.Resource],
    following: str | None,
    included: Sequence[resources.Resource] = (),
) -> dict[str, Any]:
    base = str(request.base_url).rstrip("/") + BASE
    link = f"{base}{request.url.path.removeprefix(BASE)}"
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "page"]
    here = f"{link}?{urlencode(kept)}"
    then = f"{link}?{urlencode([*kept, ('page', following)])}" if following else None
    return resources.bundle(base, here, found, then, included)
