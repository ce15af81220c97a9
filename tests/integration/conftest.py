"""The application on a real database, and people signed in to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from fastapi import FastAPI

from api.app import create_app
from core.clock import ManualClock
from core.settings import Settings
from db.pool import DbRole, Pool
from tests.fixtures.world import World, WorldInstitution, WorldUser

with warnings.catch_warnings():
    # Starlette would rather have the successor of httpx; the project depends on httpx itself.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

TOKEN_KEY = "token-key-of-the-tests-0123456789abcdef"
DEVICE_KEY = "device-key-of-the-tests-0123456789abcdef"


@dataclass(slots=True)
class Api:
    """The app, a client without a token, and clients of people of the world."""

    app: FastAPI
    clock: ManualClock
    world: World
    anonymous: TestClient
    _clients: list[TestClient] = field(default_factory=list)

    def sign_in(self, user: WorldUser) -> dict[str, Any]:
        """The token pair of an account."""
        answer = self.anonymous.post("/api/v1/auth/token", data={"username": user.username, "password": user.password})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def as_user(self, role: str, at: WorldInstitution | None = None) -> TestClient:
        """A client with the token of the account that has this role, at institution a unless named."""
        token = self.sign_in((at or self.world.a).users[role])["access_token"]
        client = TestClient(self.app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {token}"})
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in (*self._clients, self.anonymous):
            client.close()


@pytest.fixture
def settings() -> Settings:
    """Settings with keys and nothing else."""
    return Settings(token_key=TOKEN_KEY, device_key=DEVICE_KEY, log_level="ERROR")


@pytest.fixture
def api(make_pool_for: Callable[[DbRole], Pool], clock: ManualClock, world: World, settings: Settings) -> Iterator[Api]:
    """The application on the test's own database."""
    before = structlog.get_config()
    # Plain tracebacks to nowhere: the pretty ones of an unconfigured structlog take seconds.
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)],
        logger_factory=structlog.testing.ReturnLoggerFactory(),
    )
    app = create_app(settings, clock, make_pool_for("api"))
    one = Api(app, clock, world, TestClient(app, raise_server_exceptions=False))
    yield one
    one.close()
    structlog.configure(**before)
