"""Routes for those who run the platform: does the process live, can it serve, what does it do. No token."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api.deps import PUBLIC
from api.state import State
from core.errors import Misconfigured, Unavailable
from core.limits import ROLE_SILENT_SECONDS
from core.vocabulary import WATCHED_ROLES
from db.migrate import migrations
from db.tenant import service_transaction

router = APIRouter(tags=["system"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class RoleHeartbeat(BaseModel):
    """A running role, as it last reported itself."""

    role: str = Field(examples=["ingest"])
    instance: str
    at: datetime
    age_seconds: float = Field(examples=[3.2])
    leading: bool | None = Field(description="whether this alerts process leads; null for other roles")


class Ready(BaseModel):
    """The database is there, at the schema of this release."""

    status: Literal["ready"] = "ready"
    schema_version: int = Field(examples=[6])
    database: Literal["plain", "timescale"]
    roles: list[RoleHeartbeat]
    missing: list[str] = Field(description="roles without a sign of life for 30 s: the api serves, but nobody watches")


@router.get("/healthz", summary="存活 · Does the process live", dependencies=[PUBLIC])
async def healthz() -> Alive:
    """Answers without asking anybody else."""
    return Alive()


@router.get("/readyz", summary="就绪 · Can it serve", dependencies=[PUBLIC])
def readyz(state: State) -> Ready:
    """503 while the database is away or its schema is not that of this release."""
    now = state.clock.now()
    with service_transaction(state.pool) as tx:
        row = tx.first("services.schema_version")
        beats = tx.all("services.heartbeats")
    if row is None:
        raise Misconfigured("the database has no schema yet; run `anhu migrate`")
    newest = migrations(row["flavour"])[-1].number
    if row["number"] != newest:
        raise Misconfigured(f"the schema is {row['number']}, this release needs {newest}; run `anhu migrate`")
    roles = [RoleHeartbeat(**one, age_seconds=round((now - one["at"]).total_seconds(), 1)) for one in beats]
    return Ready(schema_version=row["number"], database=row["flavour"], roles=roles, missing=_missing(roles))


def _missing(roles: list[RoleHeartbeat]) -> list[str]:
    alive = {one.role for one in roles if one.age_seconds <= ROLE_SILENT_SECONDS}
    return [role for role in WATCHED_ROLES if role not in alive]


@router.get(
    "/metrics", summary="运行指标 · Figures for Prometheus", response_class=PlainTextResponse, dependencies=[PUBLIC]
)
def metrics(state: State) -> Response:
    """Requests by method, route template and status; no ids in labels. Roles of which nothing is known are left out."""
    now = state.clock.now()
    try:
        with service_transaction(state.pool) as tx:
            beats = tx.all("services.heartbeats")
    except Unavailable:
        state.metrics.show_roles({})
    else:
        newest = {
            role: max((one["at"] for one in beats if one["role"] == role), default=None) for role in WATCHED_ROLES
        }
        ages = {role: (now - at).total_seconds() if at else math.inf for role, at in newest.items()}
        state.metrics.show_roles(ages)
    return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
