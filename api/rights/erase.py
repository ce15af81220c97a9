"""Erasure as a job: granted requests enter, erased persons and a receipt for each leave.

What is not kept goes at the first run; the record of care is closed to everybody meanwhile (the restriction that came
with the decision) and goes once its time, a setting of the operator, is over. The receipt says both, and who decided.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

import psycopg

from core.clock import Clock
from core.logging import get
from core.vocabulary import Names
from db.pool import Pool
from db.tenant import Transaction, service_transaction

log = get(__name__)
_DUTY: Final = Names(
    "机构设定的养老服务档案保存期未满；期间限制查阅，期满自动删除",
    "the time for which the house keeps records of care is not over; it is closed meanwhile and goes by itself then",
)
_AUDIT: Final = Names("审计日志依法保存，只含编号", "the audit log is kept by law; it holds a number, no name")
_AGE: Final = Names("到期自动删除，不能按人查找", "goes with its age; it cannot be found by person")
_COUNTS: Final = Names("仅余无个人信息的计数与账目", "only what counts and accounts need is left, of nobody")

WHILE_KEPT: Final = (
    "residents", "alerts", "alert_entries", "service_records", "service_events", "vital_limits", "resident_clinical",
    "consents", "bindings", "resident_changes", "resident_legal", "resident_guardians", "rights_requests", "silences",
    "hour_accounts", "resident_groups", "care_task_marks", "nursing_notes", "account_entries",
)  # fmt: skip
"""Closed until the time of the record is over; `erase_record` of the database empties or deletes each."""
KEPT_FOR_GOOD: Final = {
    "audit_log": _AUDIT,
    "rejections": _AGE,
    "feed": _AGE,
    "bed_uses": _COUNTS,
    "subsidy_uses": _COUNTS,
    "resident_fees": _COUNTS,
    "resident_restrictions": Names("限制查阅的标记本身", "the mark of the restriction itself"),
}


def erase_due(pool: Pool, clock: Clock) -> int:
    """Carry out what is due, each in a transaction of its own; how many."""
    now, done = clock.now(), 0
    with service_transaction(pool) as tx:
        due = [row["id"] for row in tx.all("rights.due_erasures", now=now)]
    for request in due:
        try:
            with service_transaction(pool) as tx:
                row = tx.first("rights.take_erasure", id=request, now=now)
                if row is not None:
                    _erase(tx, row, now)
                    done += 1
        except psycopg.Error:  # one that cannot be carried out does not stop the others
            log.exception("erasure failed", request=str(request))
    return done


def _erase(tx: Transaction, row: dict[str, Any], now: datetime) -> None:
    everything = row["keep_until"] <= now
    erased = [
        {"what": one["what"], "action": one["action"], "rows": one["touched"]}
        for one in tx.all("rights.erase", resident=row["resident_id"], everything=everything)
    ]
    receipt = {
        "request_id": str(row["id"]),
        "at": now.isoformat(),
        "complete": everything,
        "decided_by": row["decided_by"],
        "confirmed_by": row["confirmed_by"],
        "erased": erased,
        "kept": _kept(everything, row["keep_until"]),
    }
    tx.run(
        "rights.finish_erasure",
        id=row["id"],
        state="done" if everything else "waiting",
        done_at=now if everything else None,
        receipt=receipt,
        text=canonical(receipt),
    )


def _kept(everything: bool, keep_until: datetime) -> list[dict[str, Any]]:  # noqa: FBT001 -- the one fact that decides
    kept: dict[str, tuple[Names, str | None]] = {name: (ground, None) for name, ground in KEPT_FOR_GOOD.items()}
    if everything:
        kept |= dict.fromkeys(("residents", "alerts", "service_records"), (_COUNTS, None))
    else:
        kept |= dict.fromkeys(WHILE_KEPT, (_DUTY, keep_until.isoformat()))
    return [
        {"what": name, "ground_zh": ground.zh, "ground_en": ground.en, "until": until}
        for name, (ground, until) in kept.items()
    ]


def canonical(receipt: dict[str, Any]) -> str:
    """The text that the hash of a receipt is of: keys in order, no blanks, UTF-8."""
    return json.dumps(receipt, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
