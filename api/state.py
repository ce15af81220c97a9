"""What the app holds for all requests: settings, clock, pool, figures, and the small caches of signing in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from api.auth.accounts import Accounts
from api.auth.throttle import Throttle
from api.auth.tokens import Tokens
from api.limits import RateLimit, WrongGuesses
from api.middleware import RequestMetrics
from core.clock import Clock
from core.settings import Settings
from db.pool import Pool


@dataclass(frozen=True, slots=True)
class AppState:
    """One per app; `app.state.anhu`."""

    settings: Settings
    clock: Clock
    pool: Pool
    metrics: RequestMetrics
    tokens: Tokens
    accounts: Accounts
    throttle: Throttle
    callers: RateLimit
    link_guesses: WrongGuesses


def app_state(request: Request) -> AppState:
    """The state of the app that serves this request."""
    return cast("AppState", request.app.state.anhu)


State = Annotated[AppState, Depends(app_state)]
