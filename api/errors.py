"""The one place that turns errors into answers: any exception enters, an RFC 9457 problem leaves.

Every answer from 400 up is `application/problem+json` with a stable `type` (a URN), a title in English and Chinese, and
the request's id. What the caller sent is never echoed: it may be a password or somebody's health data.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from core import errors
from core.logging import get

_log = get("api.errors")
PROBLEM_MEDIA = "application/problem+json"
RETRY_SECONDS = 5


class Unauthenticated(errors.AnhuError):
    """Sign in first: no token, or one that is not valid."""


class OtpRequired(Unauthenticated):
    """The password was right; a one-time code is needed too."""


class PasswordChangeRequired(errors.Forbidden):
    """Set a password of your own first: POST /me/password."""


class OtpEnrolmentRequired(errors.Forbidden):
    """A second factor is demanded of this account; set one up first: POST /me/otp."""


class TooManyRequests(errors.AnhuError):
    """Too many attempts; wait a little."""

    retryable = True

    def __init__(self, message: str | None = None, *, retry_after_seconds: int = RETRY_SECONDS) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class PreconditionFailed(errors.AnhuError):
    """It has changed since you read it; read it again."""


class FieldError(BaseModel):
    """One thing that is wrong with the input."""

    pointer: str = Field(examples=["/body/birth_date"])
    message: str = Field(examples=["Input should be a valid date"])
    code: str = Field(examples=["date_from_datetime_parsing"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:anhu:problem:not-found"])
    title: str = Field(examples=["Not found"])
    title_zh: str = Field(examples=["未找到"])
    status: int = Field(examples=[404])
    detail: str = Field(default="", examples=["there is no such resident"])
    instance: str = Field(default="", examples=["urn:anhu:request:6f1c0a52b0d44a0f"])
    errors: list[FieldError] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem."""

    status: int
    word: str
    title: str
    title_zh: str

    @property
    def urn(self) -> str:
        return f"urn:anhu:problem:{self.word}"


BAD_REQUEST = Kind(400, "bad-request", "Bad request", "请求无效")
UNAUTHENTICATED = Kind(401, "unauthenticated", "Sign in first", "请先登录")
OTP_REQUIRED = Kind(401, "otp-required", "A one-time code is needed", "请输入动态验证码")
PASSWORD_CHANGE = Kind(403, "password-change-required", "Set a password of your own first", "请先修改密码")
OTP_ENROLMENT = Kind(403, "otp-enrolment-required", "Set up a second factor first", "请先设置动态验证码")
FORBIDDEN = Kind(403, "forbidden", "Not allowed", "没有权限")
NOT_FOUND = Kind(404, "not-found", "Not found", "未找到")
METHOD = Kind(405, "method-not-allowed", "Method not allowed", "不支持的请求方法")
CONFLICT = Kind(409, "conflict", "Conflict", "状态冲突")
BAD_TRANSITION = Kind(409, "bad-transition", "Not possible in this state", "当前状态不允许此操作")
PRECONDITION = Kind(412, "precondition-failed", "Changed in the meantime", "数据已被他人修改")
TOO_LARGE = Kind(413, "too-large", "Request too large", "请求内容过大")
INVALID = Kind(422, "invalid", "Input is not valid", "输入内容无效")
TOO_MANY = Kind(429, "too-many-requests", "Too many attempts", "操作过于频繁")
INTERNAL = Kind(500, "internal", "Something went wrong here", "服务器内部错误")
MISCONFIGURED = Kind(503, "misconfigured", "Not set up yet", "服务尚未配置")
UNAVAILABLE = Kind(503, "unavailable", "Not available at the moment", "服务暂不可用")

KINDS: dict[str, Kind] = {
    kind.word: kind
    for kind in (
        BAD_REQUEST, UNAUTHENTICATED, OTP_REQUIRED, FORBIDDEN, PASSWORD_CHANGE, OTP_ENROLMENT, NOT_FOUND, METHOD,
        CONFLICT, BAD_TRANSITION, PRECONDITION, TOO_LARGE, INVALID, TOO_MANY, INTERNAL, MISCONFIGURED, UNAVAILABLE,
    )
}  # fmt: skip
_BY_STATUS = {kind.status: kind for kind in reversed(KINDS.values())}

# The most specific class first.
_MAPPING: tuple[tuple[type[Exception], Kind], ...] = (
    (OtpRequired, OTP_REQUIRED),
    (Unauthenticated, UNAUTHENTICATED),
    (PasswordChangeRequired, PASSWORD_CHANGE),
    (OtpEnrolmentRequired, OTP_ENROLMENT),
    (TooManyRequests, TOO_MANY),
    (PreconditionFailed, PRECONDITION),
    (errors.BadTransition, BAD_TRANSITION),
    (errors.BadInput, INVALID),
    (errors.NotFound, NOT_FOUND),
    (errors.Conflict, CONFLICT),
    (errors.Forbidden, FORBIDDEN),
    (errors.Misconfigured, MISCONFIGURED),
    (errors.Unavailable, UNAVAILABLE),
)


def problem(
    kind: Kind, detail: str = "", *, headers: dict[str, str] | None = None, fields: list[dict[str, str]] | None = None
) -> JSONResponse:
    """The answer for one problem; the request's id is taken from the logging context."""
    body: dict[str, Any] = {
        "type": kind.urn,
        "title": kind.title,
        "title_zh": kind.title_zh,
        "status": kind.status,
        "detail": detail,
        "instance": f"urn:anhu:request:{structlog.contextvars.get_contextvars().get('request_id', '')}",
    }
    if fields is not None:
        body["errors"] = fields
    extra = dict(headers or {})
    if kind.status == HTTPStatus.UNAUTHORIZED:
        extra.setdefault("WWW-Authenticate", 'Bearer realm="anhu"')
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra.setdefault("Retry-After", str(RETRY_SECONDS))
    return JSONResponse(body, status_code=kind.status, headers=extra, media_type=PROBLEM_MEDIA)


def render(error: Exception) -> JSONResponse:
    """The answer for an exception; what nobody expected is logged and told without its text."""
    if isinstance(error, RequestValidationError):
        return problem(INVALID, "one or more fields are not valid", fields=[_field(one) for one in error.errors()])
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code, BAD_REQUEST if error.status_code < 500 else INTERNAL)
        detail = "" if error.detail == HTTPStatus(error.status_code).phrase else str(error.detail)
        return problem(kind, detail, headers=dict(error.headers or {}))
    if isinstance(error, psycopg.Error):
        return _render_database(error)
    for cls, kind in _MAPPING:
        if isinstance(error, cls):
            headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, TooManyRequests) else None
            return problem(kind, str(error), headers=headers)
    _log.error("unexpected error", exc_info=error)
    return problem(INTERNAL, "the error has been recorded under this request's id")


def _render_database(error: psycopg.Error) -> JSONResponse:
    """Constraints are the last line behind validation: their names say enough, their values are not told."""
    if isinstance(error, psycopg.OperationalError):
        return problem(UNAVAILABLE, "the database cannot be reached")
    if isinstance(error, psycopg.errors.UniqueViolation | psycopg.errors.ExclusionViolation):
        return problem(CONFLICT, "something with this key is already there")
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return problem(CONFLICT, "it refers to something that is not there")
    if isinstance(error, psycopg.DataError | psycopg.errors.CheckViolation):
        return problem(INVALID, "a value is out of bounds")
    _log.error("database error", exc_info=error)
    return problem(INTERNAL, "the error has been recorded under this request's id")


def _field(error: dict[str, Any]) -> dict[str, str]:
    path = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in error.get("loc", ()))
    return {"pointer": f"/{path}"[:200], "message": str(error.get("msg", ""))[:500], "code": str(error.get("type", ""))}


def install(app: FastAPI) -> None:
    """Let every exception that Starlette or FastAPI would render itself be rendered here."""

    async def handle(_: Request, error: Exception) -> JSONResponse:
        return render(error)

    for cls in (HTTPException, RequestValidationError, errors.AnhuError, psycopg.Error):
        app.add_exception_handler(cls, handle)
