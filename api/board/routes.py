"""Routes of the board: every resident at a glance, in pages and live."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from api.board import service, stream
from api.board.schemas import BoardPage
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, cursor_id, cursor_text, decode_cursor, page
from api.state import State

router = APIRouter(prefix=API, tags=["residents"])


@router.get("/board", summary="看板 · The board", dependencies=[require(*STAFF)])
def get_board(
    caller: Caller, tx: Tx, state: State, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> BoardPage:
    """Each resident with state, newest vital signs with their trend, where last seen, and unresolved alerts."""
    now = state.clock.now()
    caller.tenant  # noqa: B018 -- an account of no institution has no board
    after = decode_cursor(cursor, cursor_text, cursor_text, cursor_text, cursor_id)
    known = [str(part) for part in after] if cursor else None
    rows, following = page(service.residents(tx, after=known, limit=limit + 1), limit, service.key)
    ids: list[UUID] = [row["id"] for row in rows]
    found = service.cards(tx, rows, now, service.trends(tx, ids, now))
    audit.record("read_board", "resident", "", residents=len(rows), first=str(ids[0]) if ids else "")
    return BoardPage(items=found, next=following, trend_step_seconds=int(service.TREND_STEP.total_seconds()))


@router.get(
    "/board/stream",
    summary="看板实时流 · The board, live",
    dependencies=[require(*STAFF)],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
def stream_board(caller: Caller, state: State, audit: Audit, request: Request) -> StreamingResponse:
    """Server-sent events: `cards` lists of residents as `GET /board` shows them, `complete` once all were told,
    `gone` the ids of those who have left. A new connection begins with everybody."""
    tenant = caller.tenant
    pictures = getattr(request.app.state, "board_pictures", None)
    if pictures is None:
        pictures = request.app.state.board_pictures = stream.Pictures(state.pool, state.clock)

    def still_welcome() -> bool:
        known, account = state.accounts.cached(caller.id)
        if not known:
            account = state.accounts.load(caller.id)
        return account is not None and not account.disabled and account.token_version == caller.token_version

    audit.record("stream_board", "resident", "")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    body = stream.events(pictures, tenant, still_welcome)
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)
