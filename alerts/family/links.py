"""Links in pages: a page enters, a URL that answers it once leaves; a URL's token enters, whom it was made for leaves.

A token is 192 random bits; the database keeps its SHA-256. It is made at the moment of sending, so that no row ever
holds one that works. Reading the page behind it changes nothing, since mail filters and messengers open links by
themselves; using it acknowledges, once.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from core.clock import Clock
from db.pool import Pool
from db.tenant import Transaction, service_transaction

VALID_SECONDS = 24 * 3600.0
KEPT_SECONDS = 7 * 86_400.0
"""How long one that has expired is remembered, to say that it has."""
PATH = "/family/a/"


def fits(page: dict[str, Any], target: dict[str, Any]) -> bool:
    """Whether a page may hold a link: it goes to one person, and nobody else can read it or has to type it."""
    return page["recipient"].startswith(("user:", "contact:")) and not (target["is_public"] or target["is_voice"])


def make(tx: Transaction, clock: Clock, page: dict[str, Any], public_url: str) -> str:
    """A new link for one attempt of a page. Earlier ones stay good: the attempt before may have arrived after all."""
    token, now = secrets.token_urlsafe(24), clock.now()
    tx.run(
        "links.add",
        token_hash=digest(token),
        institution_id=page["institution_id"],
        outbox_id=page["id"],
        alert_id=page["alert_id"],
        recipient=page["recipient"],
        recipient_name=page["recipient_name"],
        now=now,
        expires_at=now + timedelta(seconds=VALID_SECONDS),
    )
    return f"{public_url}{PATH}{token}"


def drop_expired(pool: Pool, clock: Clock) -> int:
    """Forget links that expired long ago; how many."""
    with service_transaction(pool) as tx:
        return tx.run("links.drop_expired", before=clock.now() - timedelta(seconds=KEPT_SECONDS))


def digest(token: str) -> bytes:
    """What the database knows a token by."""
    return hashlib.sha256(token.encode()).digest()


def institution_of(tx: Transaction, token: str) -> UUID | None:
    """Whose house a token is for; None for one that was never given out. For transactions without a tenant."""
    found: UUID | None = tx.one("links.institution", token_hash=digest(token))["institution_id"]
    return found
