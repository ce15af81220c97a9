"""A signed batch enters; its messages wait in the inbox for ingest, or an error says why they do not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from api.errors import Unauthenticated
from api.ingest_door.schemas import Taken, VendorBatch
from core.clock import Clock
from core.errors import Conflict, Unavailable
from db.pool import Pool
from db.tenant import Transaction, tenant_transaction
from devices import ingest_keys

INBOX_MESSAGES_MAX: Final = 50_000
"""Of one institution. More means that ingest is away; the vendor keeps the rest and tries again."""
REQUESTS_KEPT: Final = timedelta(days=1)
_REFUSED: Final = "the key or the signature is not right"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request shows of itself."""

    site: str
    key_id: str
    signature: str
    body: bytes


def authenticate(pool: Pool, clock: Clock, device_key: str, shown: Presented) -> UUID:
    """The institution whose key signed this. Raises Unauthenticated, alike for every reason."""
    with tenant_transaction(pool, None) as tx:
        row = tx.first("ingest_door.key_of_site", id=shown.key_id, site=shown.site)
    # Without a key the same work is done, so that time does not tell which keys there are.
    secret = ingest_keys.secret_of(device_key, row["salt"] if row else bytes(16), shown.key_id)
    if not ingest_keys.is_signed(secret, shown.signature, shown.body, clock.time()) or row is None:
        raise Unauthenticated(_REFUSED)
    return UUID(str(row["institution_id"]))


def take_in(
    pool: Pool, clock: Clock, institution: UUID, shown: Presented, batch: VendorBatch, request: str | None
) -> Taken:
    """Store a batch, once; committed when this returns.

    request: the sender's own name for the request; without one, its signature is. Raises Conflict where the name was
    used for another body, Unavailable while too many messages wait.
    """
    digest = hashlib.sha256(shown.body).digest()
    name = f"k:{request}" if request is not None else f"s:{hashlib.sha256(shown.signature.encode()).hexdigest()}"
    with tenant_transaction(pool, institution) as tx:
        claimed = tx.run(
            "ingest_door.claim_request",
            institution=institution,
            request=name,
            digest=digest,
            messages=len(batch.messages),
            now=clock.now(),
        )
        if not claimed:
            return _known(tx, institution, name, digest)
        if tx.one("ingest_door.waiting", limit=INBOX_MESSAGES_MAX)["n"] >= INBOX_MESSAGES_MAX:
            raise Unavailable("too many messages wait to be stored; send this again later")
        tx.run(
            "ingest_door.put",
            institution=institution,
            site=shown.site,
            devices=[one.device for one in batch.messages],
            channels=[one.channel for one in batch.messages],
            payloads=[json.dumps(one.payload, separators=(",", ":")).encode() for one in batch.messages],
            now=clock.now(),
        )
        tx.run("ingest_door.mark_used", id=shown.key_id, now=clock.now())
        tx.run("ingest_door.forget_requests", institution=institution, before=clock.now() - REQUESTS_KEPT)
    return Taken(messages=len(batch.messages), duplicate=False)


def _known(tx: Transaction, institution: UUID, name: str, digest: bytes) -> Taken:
    row = tx.one("ingest_door.request", institution=institution, request=name)
    if bytes(row["body_digest"]) != digest:
        raise Conflict("this Idempotency-Key was used for another body")
    return Taken(messages=row["messages"], duplicate=True)
