"""The routes of a kind of record: its declaration enters, typed endpoints with their rules leave.

For each kind: make, list, read, history, and one endpoint per action of its lifecycle, each with the body and the roles
that the lifecycle names. Annotations here are real classes, made for each kind, so they are not put off.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.deps import API, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_number, cursor_time, decode_cursor, page
from api.residents.routes import IdempotencyKey
from api.schemas import Instant
from api.services.engine import records
from api.services.engine.kind import HOUSE, RecordKind, sight
from api.services.engine.machine import SAME, Move
from api.services.engine.schemas import Record, RecordEvent, seen, view
from api.state import State
from api.versions import IfMatch, etag


def router_of(kinds: tuple[RecordKind, ...]) -> APIRouter:
    """Every route of these kinds of one service."""
    prefixes = {kind.prefix for kind in kinds}
    if len(prefixes) != 1:
        raise ValueError(f"a router serves one service, not {sorted(prefixes)}")
    prefix = prefixes.pop()
    router = APIRouter(prefix=f"{API}{prefix}", tags=["services" if prefix.startswith("/services") else HOUSE])
    for kind in kinds:
        _make(router, kind)
        _list(router, kind)
        _read(router, kind)
        _history(router, kind)
        for move in kind.machine.moves:
            _act(router, kind, move)
    return router


def _slug(kind: RecordKind) -> str:
    return f"{kind.service}_{kind.code}".replace("-", "_")


def _make(router: APIRouter, kind: RecordKind) -> None:
    body_type, answer = kind.create, Record[kind.detail]

    def create(
        body: body_type, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
        idempotency_key: IdempotencyKey = None,
    ) -> Any:  # fmt: skip
        row, made = records.create(tx, state.clock, audit, caller, kind, body, idempotency_key)
        response.status_code = 201 if made else 200
        response.headers["ETag"] = etag(row["version"])
        response.headers["Location"] = f"{API}{kind.prefix}/{kind.path}/{row['id']}"
        return view(kind, row, caller)

    router.add_api_route(
        f"/{kind.path}",
        create,
        methods=["POST"],
        status_code=201,
        response_model=answer,
        responses={200: {"model": answer, "description": "made before, by the same Idempotency-Key"}},
        name=f"create_{_slug(kind)}",
        summary=f"登记{kind.names.zh} · Make: {kind.names.en}",
        description="A repeated request with the same Idempotency-Key answers 200 with what the first one made.",
        dependencies=[require(*kind.creators)],
    )


def _list(router: APIRouter, kind: RecordKind) -> None:
    def listing(
        caller: Caller,
        tx: Tx,
        audit: Audit,
        state: Annotated[str | None, Query(pattern="^[a-z_]{1,32}$", description="only in this state")] = None,
        resident: Annotated[UUID | None, Query()] = None,
        provider: Annotated[UUID | None, Query()] = None,
        worker: Annotated[UUID | None, Query()] = None,
        unfinished: Annotated[bool | None, Query(description="true: still running; false: ended")] = None,
        due_before: Annotated[Instant | None, Query(description="running and due before this time")] = None,
        starts_from: Annotated[Instant | None, Query()] = None,
        starts_to: Annotated[Instant | None, Query()] = None,
        limit: Limit = LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Any:
        after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
        rows = tx.all(
            "records.list", after=after, after_id=after_id, state=state, resident=resident, provider=provider,
            worker=worker, unfinished=unfinished, due_before=due_before, starts_from=starts_from, starts_to=starts_to,
            limit=limit + 1, **sight(kind, caller),
        )  # fmt: skip
        shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
        audit.record("list", f"{kind.service}/{kind.code}", "", ids=[str(row["id"]) for row in shown])
        return {"items": [view(kind, row, caller) for row in shown], "next": following}

    router.add_api_route(
        f"/{kind.path}",
        listing,
        methods=["GET"],
        response_model=Page[Record[kind.detail]],
        name=f"list_{_slug(kind)}",
        summary=f"{kind.names.zh}列表 · List: {kind.names.en}",
        description="Newest first. Staff see the institution's, family those of residents who consented, providers "
        "those given to them.",
        dependencies=[require(*kind.readers)],
    )


def _read(router: APIRouter, kind: RecordKind) -> None:
    def read(record_id: UUID, caller: Caller, tx: Tx, audit: Audit, response: Response) -> Any:
        row = records.get(tx, caller, kind, record_id)
        audit.record("read", f"{kind.service}/{kind.code}", record_id)
        response.headers["ETag"] = etag(row["version"])
        return view(kind, row, caller)

    router.add_api_route(
        f"/{kind.path}/{{record_id}}",
        read,
        methods=["GET"],
        response_model=Record[kind.detail],
        name=f"get_{_slug(kind)}",
        summary=f"{kind.names.zh}详情 · One: {kind.names.en}",
        description="`actions` names what the caller may do now; the ETag holds the version.",
        dependencies=[require(*kind.readers)],
    )


def _history(router: APIRouter, kind: RecordKind) -> None:
    def history(
        record_id: UUID, caller: Caller, tx: Tx, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
    ) -> Any:
        records.get(tx, caller, kind, record_id)
        after = decode_cursor(cursor, cursor_number)[0] or 0
        rows = tx.all("records.events", record=record_id, after=after, limit=limit + 1)
        shown, following = page(rows, limit, lambda row: (row["seq"],))
        audit.record("read_history", f"{kind.service}/{kind.code}", record_id)
        items = [row | {"detail": seen(kind, row["detail"], caller)} for row in shown]
        return {"items": items, "next": following}

    router.add_api_route(
        f"/{kind.path}/{{record_id}}/history",
        history,
        methods=["GET"],
        response_model=Page[RecordEvent],
        name=f"history_{_slug(kind)}",
        summary=f"{kind.names.zh}经过 · History: {kind.names.en}",
        description="Who did what, oldest first.",
        dependencies=[require(*kind.readers)],
    )


def _act(router: APIRouter, kind: RecordKind, move: Move) -> None:
    body_type = move.body

    def act(
        record_id: UUID, body: body_type, caller: Caller, tx: Tx, state: State, audit: Audit, response: Response,
        if_match: IfMatch = None,
    ) -> Any:  # fmt: skip
        row = records.act(tx, state.clock, audit, caller, kind, record_id, move.action, body, if_match)
        response.headers["ETag"] = etag(row["version"])
        return view(kind, row, caller)

    goes = "stays in its state" if move.target == SAME else f"becomes `{move.target}`"
    router.add_api_route(
        f"/{kind.path}/{{record_id}}/{move.action.replace('_', '-')}",
        act,
        methods=["POST"],
        response_model=Record[kind.detail],
        name=f"{move.action}_{_slug(kind)}",
        summary=f"{kind.names.zh}：{move.names.zh} · {kind.names.en}: {move.names.en}",
        description=f"From {', '.join(f'`{one}`' for one in sorted(move.sources))}; the record {goes}. Else: "
        "409 with what is possible instead.",
        dependencies=[require(*sorted(move.roles))],
    )
