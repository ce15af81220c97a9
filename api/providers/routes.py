"""Routes of providers and workers: the institution's administrator keeps them, staff and the provider itself read."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.providers.schemas import (
    Block,
    Certificate,
    CertificateIn,
    CertificateList,
    Member,
    MemberList,
    Provider,
    ProviderIn,
    Rating,
    ServiceCode,
    Worker,
    WorkerIn,
)
from api.state import State
from api.versions import IfMatch, check_version
from core.days import local_day
from core.errors import BadInput, Conflict, NotFound
from core.ids import new_id
from core.vocabulary import Role

router = APIRouter(prefix=API, tags=["providers"])


@router.get("/providers", summary="服务商列表 · List providers", dependencies=[require(*STAFF)])
def list_providers(
    tx: Tx, service: Annotated[ServiceCode | None, Query()] = None, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Page[Provider]:
    """Those of the institution, perhaps only of one service."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("providers.list", service=service, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return Page[Provider](items=[Provider(**row) for row in shown], next=following)


@router.post("/providers", summary="服务商入驻 · Add a provider", status_code=201, dependencies=[require(Role.ADMIN)])
def create_provider(body: ProviderIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Provider:
    """A provider's name is unique in the institution."""
    provider = new_id(state.clock)
    if not tx.run("providers.insert", id=provider, tenant=caller.tenant, now=state.clock.now(), **body.model_dump()):
        raise Conflict("there is a provider of this name")
    audit.record("create", "provider", provider)
    return Provider(**tx.one("providers.get", id=provider))


@router.get("/providers/{provider_id}", summary="服务商详情 · One provider", dependencies=[require(*STAFF)])
def get_provider(provider_id: UUID, tx: Tx) -> Provider:
    """Licence, services, and whether it is blocked."""
    return Provider(**tx.one("providers.get", id=provider_id))


@router.get("/providers/{provider_id}/rating", summary="服务商评价 · Rating", dependencies=[require(*STAFF)])
def get_rating(provider_id: UUID, tx: Tx) -> Rating:
    """Stars of finished work, and complaints."""
    tx.one("providers.get", id=provider_id)
    row = tx.one("complaints.rating", provider=provider_id)
    return Rating(**row | {"stars": None if row["stars"] is None else round(float(row["stars"]), 2)})


@router.put("/providers/{provider_id}", summary="修改服务商 · Change a provider", dependencies=[require(Role.ADMIN)])
def change_provider(
    provider_id: UUID, body: ProviderIn, tx: Tx, state: State, audit: Audit, if_match: IfMatch = None
) -> Provider:
    """Everything anew; what is under way stays with it. With If-Match, 412 where somebody was quicker."""
    check_version(if_match, tx.one("providers.lock", id=provider_id)["version"])
    tx.run("providers.update", id=provider_id, now=state.clock.now(), **body.model_dump())
    audit.record("update", "provider", provider_id)
    return Provider(**tx.one("providers.get", id=provider_id))


@router.post("/providers/{provider_id}/block", summary="停用服务商 · Block", dependencies=[require(Role.ADMIN)])
def block_provider(provider_id: UUID, body: Block, tx: Tx, state: State, audit: Audit) -> Provider:
    """From now on it gets no new work."""
    tx.one("providers.lock", id=provider_id)
    now = state.clock.now()
    tx.run("providers.block", id=provider_id, at=now, reason=body.reason, now=now)
    audit.record("block", "provider", provider_id)
    return Provider(**tx.one("providers.get", id=provider_id))


@router.post("/providers/{provider_id}/unblock", summary="恢复服务商 · Unblock", dependencies=[require(Role.ADMIN)])
def unblock_provider(provider_id: UUID, tx: Tx, state: State, audit: Audit) -> Provider:
    """It may get work again."""
    tx.one("providers.lock", id=provider_id)
    tx.run("providers.block", id=provider_id, at=None, reason="", now=state.clock.now())
    audit.record("unblock", "provider", provider_id)
    return Provider(**tx.one("providers.get", id=provider_id))


@router.get(
    "/providers/{provider_id}/members", summary="服务商账号 · Accounts of a provider", dependencies=[require(*STAFF)]
)
def list_members(provider_id: UUID, tx: Tx) -> MemberList:
    """Who acts for it."""
    tx.one("providers.get", id=provider_id)
    return MemberList(items=[Member(**row) for row in tx.all("providers.members", provider=provider_id)])


@router.put(
    "/providers/{provider_id}/members/{user_id}",
    summary="绑定账号 · Let an account act for it",
    status_code=204,
    dependencies=[require(Role.ADMIN)],
)
def add_member(provider_id: UUID, user_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """The account must have the role provider; again changes nothing."""
    tx.one("providers.get", id=provider_id)
    if tx.one("users.get", id=user_id)["role"] != Role.PROVIDER.value:
        raise BadInput("only an account with the role provider acts for a provider")
    tx.run("providers.add_member", tenant=caller.tenant, provider=provider_id, user=user_id, now=state.clock.now())
    audit.record("add_member", "provider", provider_id, user=str(user_id))


@router.delete(
    "/providers/{provider_id}/members/{user_id}",
    summary="解绑账号 · No longer",
    status_code=204,
    dependencies=[require(Role.ADMIN)],
)
def remove_member(provider_id: UUID, user_id: UUID, tx: Tx, audit: Audit) -> None:
    """From the next request on, the account sees nothing of the provider's work."""
    if not tx.run("providers.remove_member", provider=provider_id, user=user_id):
        raise NotFound("this account does not act for it")
    audit.record("remove_member", "provider", provider_id, user=str(user_id))


@router.get("/workers", summary="服务人员 · Workers", dependencies=[require(*STAFF)])
def list_workers(
    tx: Tx,
    provider: Annotated[UUID | None, Query()] = None,
    active: Annotated[bool | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Page[Worker]:
    """Of the institution and its providers."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all(
        "providers.workers", provider=provider, active=active, after=after, after_id=after_id, limit=limit + 1
    )
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return Page[Worker](items=[Worker(**row) for row in shown], next=following)


@router.post("/workers", summary="登记人员 · Add a worker", status_code=201, dependencies=[require(Role.ADMIN)])
def create_worker(body: WorkerIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Worker:
    """Somebody of the institution, or of a provider."""
    if body.provider_id is not None:
        tx.one("providers.get", id=body.provider_id)
    if body.user_id is not None:
        tx.one("users.get", id=body.user_id)
    worker = new_id(state.clock)
    tx.run("providers.insert_worker", id=worker, tenant=caller.tenant, now=state.clock.now(), **body.model_dump())
    audit.record("create", "worker", worker)
    return Worker(**tx.one("providers.worker", id=worker))


@router.post("/workers/{worker_id}/leave", summary="离岗 · Leaves", dependencies=[require(Role.ADMIN)])
def worker_leaves(worker_id: UUID, tx: Tx, state: State, audit: Audit) -> Worker:
    """Gets no more work."""
    return _set_active(worker_id, tx, state, audit, active=False)


@router.post("/workers/{worker_id}/return", summary="返岗 · Returns", dependencies=[require(Role.ADMIN)])
def worker_returns(worker_id: UUID, tx: Tx, state: State, audit: Audit) -> Worker:
    """May get work again."""
    return _set_active(worker_id, tx, state, audit, active=True)


def _set_active(worker: UUID, tx: Tx, state: State, audit: Audit, *, active: bool) -> Worker:
    tx.one("providers.worker", id=worker)
    now = state.clock.now()
    tx.run("providers.set_worker_active", id=worker, active=active, now=now, today=None if active else local_day(now))
    audit.record("set_active", "worker", worker, active=active)
    return Worker(**tx.one("providers.worker", id=worker))


@router.get("/workers/{worker_id}/certificates", summary="证书 · Certificates", dependencies=[require(*STAFF)])
def list_certificates(worker_id: UUID, tx: Tx) -> CertificateList:
    """Newest first; the share of certified workers is an indicator of the plan."""
    tx.one("providers.worker", id=worker_id)
    rows = tx.all("providers.certificates", worker=worker_id)
    return CertificateList(items=[Certificate(**row) for row in rows])


@router.post(
    "/workers/{worker_id}/certificates",
    summary="登记证书 · Add a certificate",
    status_code=201,
    dependencies=[require(Role.ADMIN)],
)
def add_certificate(
    worker_id: UUID, body: CertificateIn, caller: Caller, tx: Tx, state: State, audit: Audit
) -> Certificate:
    """With its term."""
    tx.one("providers.worker", id=worker_id)
    certificate = new_id(state.clock)
    tx.run(
        "providers.add_certificate", id=certificate, tenant=caller.tenant, worker=worker_id, now=state.clock.now(),
        **body.model_dump(),
    )  # fmt: skip
    audit.record("add_certificate", "worker", worker_id)
    return Certificate(id=certificate, **body.model_dump())
