"""Who may see what of a resident: a caller and a resident enter, the open scopes leave; no scope is a 404.

Staff of the institution see everything. Family members see a resident while a consent to their account stands, and of
that resident only the parts consented. Nobody else sees residents at all.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from api.auth.accounts import Account
from core.errors import Forbidden, NotFound
from core.metrics import METRICS, Metric
from core.vocabulary import CONSENT_SCOPES, Role
from db.tenant import Transaction

ALL_SCOPES: Final = frozenset(CONSENT_SCOPES)
WHILE_RESTRICTED: Final = frozenset({"alerts"})
"""What stays open of somebody who lives here and has had their data restricted: a call is answered all the same."""
_NO_RESIDENT: Final = "there is no such resident"

_SCOPE_OF_KIND: Final[dict[str, str | None]] = {
    "vital": "health",
    "activity": "activity",
    "state": "activity",
    "environment": "activity",
    "location": "location",
    "device": None,
}
"""The scope that opens a kind of metric; a device's own battery and signal are open with any consent."""


def is_staff(caller: Account) -> bool:
    """Whether the caller works for the institution."""
    return caller.role in (Role.ADMIN, Role.CAREGIVER)


def resident_scopes(tx: Transaction, caller: Account, resident: UUID) -> frozenset[str]:
    """The scopes of this resident that are open to the caller now. Raises NotFound where there is none."""
    if is_staff(caller):
        found = tx.one("residents.exists_to_read", resident=resident)
        return WHILE_RESTRICTED if found["restricted"] else ALL_SCOPES
    scopes: frozenset[str] = frozenset()
    if caller.role is Role.FAMILY:
        scopes = frozenset(row["scope"] for row in tx.all("consents.scopes", resident=resident, user=caller.id))
    if scopes and tx.first("rights.restricted", resident=resident):
        scopes &= WHILE_RESTRICTED
    if not scopes:
        raise NotFound(_NO_RESIDENT)
    return scopes


def metric_open(metric: Metric, scopes: frozenset[str]) -> bool:
    """Whether these scopes open this metric."""
    scope = _SCOPE_OF_KIND[metric.kind]
    return scope is None or scope in scopes


def open_metrics(scopes: frozenset[str]) -> list[int]:
    """The ids of the metrics that these scopes open."""
    return [metric.id for metric in METRICS if metric_open(metric, scopes)]


def require_metric(metric: Metric, scopes: frozenset[str]) -> None:
    """Raises Forbidden, naming the consent that is missing or that the data is restricted."""
    if not metric_open(metric, scopes):
        raise Forbidden(
            f"there is no consent to see {_SCOPE_OF_KIND[metric.kind]} data of this resident, or it is restricted"
        )
