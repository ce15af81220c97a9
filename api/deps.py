"""What an endpoint may ask for: `Caller`, `Tx`, `Audit`, `State`, and the rule who may call it.

Every route states its rule: `dependencies=[require(Role.ADMIN, ...)]` or `dependencies=[PUBLIC]`; a test fails for a
route without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Header, Request
from fastapi.security import OAuth2PasswordBearer
from starlette.concurrency import run_in_threadpool

from api.auth.accounts import Account
from api.errors import OtpEnrolmentRequired, PasswordChangeRequired, TooManyRequests, Unauthenticated
from api.limits import is_limited
from api.state import State
from core.clock import Clock
from core.errors import BadInput, Forbidden
from core.settings import Settings
from core.vocabulary import PURPOSES_OF_ROLE, Role
from db.pool import Connection, Pool
from db.tenant import Transaction, tenant_transaction

API: Final = "/api/v1"
STAFF: Final = (Role.ADMIN, Role.CAREGIVER)
EVERYONE: Final = (Role.ADMIN, Role.CAREGIVER, Role.FAMILY, Role.PROVIDER, Role.REGULATOR, Role.PLATFORM)

_bearer = OAuth2PasswordBearer(
    tokenUrl=f"{API}/auth/token",
    auto_error=False,
    scheme_name="anhu",
    description="用户名和密码换取访问令牌 · username and password give an access token",
)


async def current_caller(request: Request, state: State, token: Annotated[str | None, Depends(_bearer)]) -> Account:
    """Who is calling.

    Raises Unauthenticated for a missing, foreign, expired or outdated token, TooManyRequests for one too often here.
    """
    if not token:
        raise Unauthenticated("no token was sent")
    claims = state.tokens.read(token)
    known, account = state.accounts.cached(claims.user_id)
    if not known:
        account = await run_in_threadpool(state.accounts.load, claims.user_id)
    if account is None or account.disabled or account.token_version != claims.version:
        raise Unauthenticated("the token is no longer valid")
    wait = state.callers.take(str(account.id)) if is_limited(request.url.path) else 0
    if wait:
        state.metrics.limited.labels("caller").inc()
        raise TooManyRequests("too many requests of this account", retry_after_seconds=wait)
    return account


Caller = Annotated[Account, Depends(current_caller)]


class RequestTransaction(Transaction):
    """The caller's tenant transaction; it begins with the first query.

    Late, because a request that held a connection while waiting for a thread, and threads that wait for a connection,
    could stop each other: so both are held together only while the endpoint runs.
    """

    def __init__(self, pool: Pool, tenant: UUID | None, actor: UUID) -> None:
        self._pool = pool
        self._tenant = tenant
        self._actor = actor
        self._stack = ExitStack()
        self._opened: Transaction | None = None

    @property
    def connection(self) -> Connection:  # type: ignore[override]  # the base sets it at once, here it comes late
        if self._opened is None:
            self._opened = self._stack.enter_context(tenant_transaction(self._pool, self._tenant, self._actor))
        return self._opened.connection

    def __enter__(self) -> RequestTransaction:
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)


def _request_transaction(state: State, caller: Caller) -> Iterator[Transaction]:
    with RequestTransaction(state.pool, caller.institution_id, caller.id) as transaction:
        yield transaction


# Scope "function": committed before the answer leaves, so that an answer never promises what is not yet there.
Tx = Annotated[Transaction, Depends(_request_transaction, scope="function")]


def client_address(request: Request) -> str:
    """Where the request comes from, as the server saw it."""
    return request.client.host[:64] if request.client else ""


class AuditTrail:
    """Writes audit rows into the request's own transaction: what was done and its record stand or fall together."""

    def __init__(
        self, tx: Transaction, caller: Account, clock: Clock, request_id: str, address: str, purpose: str = ""
    ) -> None:
        self._purpose = purpose or PURPOSES_OF_ROLE[caller.role][0]
        self._tx = tx
        self._caller = caller
        self._clock = clock
        self._request_id = request_id
        self._address = address

    def record(self, action: str, object_type: str, object_id: object = "", **detail: Any) -> None:
        """One row: the caller did `action` to the object; `detail` holds no health values."""
        self._tx.run(
            "audit.append",
            tenant=self._caller.institution_id,
            now=self._clock.now(),
            user=self._caller.id,
            username=self._caller.username,
            role=self._caller.role.value,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            detail=detail,
            request_id=self._request_id,
            address=self._address,
            success=True,
            purpose=self._purpose,
        )


Purpose = Annotated[
    Literal["care", "emergency", "management", "family", "service", "supervision", "rights", "technical"] | None,
    Header(
        alias="X-Purpose", description="用途，记入审计日志 · what the data is used for, if not what the role is for"
    ),
]


def _audit(state: State, caller: Caller, tx: Tx, request: Request, purpose: Purpose = None) -> AuditTrail:
    possible = PURPOSES_OF_ROLE[caller.role]
    if purpose is not None and purpose not in possible:
        raise BadInput(f"the purpose {purpose} is not one of the role {caller.role.value}: {', '.join(possible)}")
    return AuditTrail(
        tx, caller, state.clock, request.state.request_id, client_address(request), purpose or possible[0]
    )


Audit = Annotated[AuditTrail, Depends(_audit, scope="function")]


class RoleRule:
    """Lets through callers with one of the roles. Raises Forbidden for others, Unauthenticated for nobody.

    An account that owes a new password or a second factor gets no further than the routes that settle it.
    """

    def __init__(self, *roles: Role, settles: bool = False) -> None:
        if not roles:
            raise ValueError("a rule names at least one role")
        self.roles = frozenset(roles)
        self.settles = settles

    async def __call__(self, caller: Caller, state: State) -> None:
        if caller.role not in self.roles:
            raise Forbidden(f"this is not for the role {caller.role.value}")
        if self.settles:
            return
        if caller.must_change_password:
            raise PasswordChangeRequired
        if owes_factor(caller, state.settings):
            raise OtpEnrolmentRequired


def owes_factor(caller: Account, settings: Settings) -> bool:
    """Whether a second factor is demanded of this account and it has none."""
    return not caller.has_otp and (caller.otp_demanded or caller.role in settings.otp_required_role_set)


async def open_to_all() -> None:
    """The rule of the few routes that need no token."""


PUBLIC: Final = Depends(open_to_all)


def require(*roles: Role, settles: bool = False) -> Any:
    """The rule of a route: a token of an account with one of these roles.

    settles: open also to an account that must first set its own password or a second factor.
    """
    return Depends(RoleRule(*roles, settles=settles))
