"""The route of vendors' clouds: no account, a signature over the body instead."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyHeader
from pydantic import ValidationError

from api.deps import API, PUBLIC
from api.ingest_door import service
from api.ingest_door.schemas import IdempotencyKey, Taken, VendorBatch
from api.state import State

router = APIRouter(prefix=API, tags=["devices"])
KEY_CHARS_MAX = 64

_key = APIKeyHeader(
    name="X-Anhu-Key",
    auto_error=False,
    scheme_name="vendor",
    description="厂商密钥编号，与 X-Anhu-Signature 一起 · a vendor's key id, together with X-Anhu-Signature",
)


def _described_body() -> dict[str, Any]:
    """The body's schema in one piece: it is read as bytes here, so that FastAPI does not describe it itself."""
    schema = VendorBatch.model_json_schema()
    schema["properties"]["messages"]["items"] = schema.pop("$defs")["VendorMessage"]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def _raw_body(request: Request) -> bytes:
    # The bytes as they were signed; the size is bounded before they arrive here.
    return await request.body()


@router.post(
    "/ingest/{site}",
    summary="厂商云推送 · Messages from a vendor's cloud",
    status_code=202,
    # Not for accounts: the signature is the rule, checked before anything of the body is looked at.
    dependencies=[PUBLIC],
    responses={
        200: {"model": Taken, "description": "重复请求 · The same request again; nothing was added"},
    },
    openapi_extra=_described_body(),
)
def take_messages(
    site: Annotated[str, Path(max_length=200, description="机构代码 · the institution's code")],
    state: State,
    response: Response,
    body: Annotated[bytes, Depends(_raw_body)],
    # Without them the answer is 401, not 422: who shows no key learns nothing of what would be valid.
    key: Annotated[str | None, Depends(_key)],
    signature: Annotated[
        str, Header(alias="X-Anhu-Signature", max_length=512, description="t=<unix>,v1=<hex hmac-sha256 of t.body>")
    ] = "",
    request: Annotated[IdempotencyKey | None, Header(alias="Idempotency-Key")] = None,
) -> Taken:
    """Takes a batch in for good: 202 once it is committed. Sent again, it is answered 200 and not doubled.

    What each message says is checked as if the device had sent it by MQTT, a moment later and in the background.
    """
    shown = service.Presented(site, (key or "")[:KEY_CHARS_MAX], signature, body)
    institution = service.authenticate(state.pool, state.clock, state.settings.require_device_key(), shown)
    try:
        batch = VendorBatch.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error
    taken = service.take_in(state.pool, state.clock, institution, shown, batch, request)
    if taken.duplicate:
        response.status_code = 200
    return taken
