"""Route of what is overdue in the house itself: records past their time enter, the oldest leave first."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.institution.kinds import KINDS
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_id, cursor_time, decode_cursor, page
from api.services.schemas import AgendaItem
from api.state import State

router = APIRouter(prefix=f"{API}/institution", tags=["institution"])


@router.get("/overdue", summary="机构逾期事项 · What is overdue in the house", dependencies=[require(*STAFF)])
def list_house_overdue(
    caller: Caller, tx: Tx, state: State, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Page[AgendaItem]:
    """Stays, bills, incidents whose time is over, complaints for the administration; the oldest first."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    kinds = [kind.code for kind in KINDS if caller.role in kind.readers]
    rows = tx.all(
        "records.overdue", house=True, kinds=kinds, now=state.clock.now(), after=after, after_id=after_id,
        limit=limit + 1,
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["due_at"], row["id"]))
    audit.record("list", "institution/overdue", "", ids=[str(row["id"]) for row in shown])
    return Page(items=[AgendaItem.of(row) for row in shown], next=following)
