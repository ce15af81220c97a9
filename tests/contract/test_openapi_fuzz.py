"""The description keeps its word: requests made from it are answered as it says, and never with a 500."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings

from api.app import create_app
from core.clock import ManualClock
from core.settings import Settings
from db.pool import DbRole, Pool
from tests.fixtures.world import World

with warnings.catch_warnings():
    # Libraries of the test, on import.
    warnings.simplefilter("ignore")
    import schemathesis
    from fastapi.testclient import TestClient
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

EXAMPLES = 12
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
KEYS = {"token_key": "token-key-of-the-tests-0123456789ab", "device_key": "device-key-of-the-tests-0123456789"}
# Signing out and wrong passwords are tried elsewhere; here they would only shut the caller out. Streams do not end.
SKIPPED = {"/api/v1/me/password", "/api/v1/auth/token", "/metrics", "/api/v1/alerts/stream", "/api/v1/board/stream"}


def _real_ids(world: World) -> Callable[[str, random.Random], str | None]:
    """Ids of things that are there, so that requests reach past the 404."""
    choices = {
        "resident_id": [str(one) for one in world.a.residents],
        "device_id": [one.id for one in world.a.devices],
        "user_id": [str(world.a.users["family"].id)],
        "code": ["rescue", "goods"],
    }

    def choose(name: str, rng: random.Random) -> str | None:
        known = choices.get(name)
        return rng.choice(known) if known and rng.random() < 0.8 else None

    return choose


def test_answers_are_as_described(world: World, clock: ManualClock, make_pool_for: Callable[[DbRole], Pool]) -> None:
    app = create_app(Settings(**KEYS, log_level="ERROR"), clock, make_pool_for("api"))
    choose, rng = _real_ids(world), random.Random(5)
    with TestClient(app, raise_server_exceptions=False) as client:
        user = world.a.users["admin"]
        pair = client.post("/api/v1/auth/token", data={"username": user.username, "password": user.password}).json()
        schema = schemathesis.openapi.from_dict(app.openapi())
        tried, broken = 0, list[str]()
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path in SKIPPED:
                continue

            @seed(20_260_101)
            @settings(
                max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )  # fmt: skip
            @given(case=operation.as_strategy())
            def answer_as_described(case: schemathesis.Case) -> None:
                nonlocal tried
                for name in list(case.path_parameters or {}):
                    case.path_parameters[name] = choose(name, rng) or case.path_parameters[name]
                tried += 1
                if str(world.a.users["admin"].id) in case.formatted_path:
                    return
                kwargs = case.as_transport_kwargs(base_url="http://testserver")
                headers = {**dict(kwargs.pop("headers", {})), "Authorization": f"Bearer {pair['access_token']}"}
                kwargs.pop("cookies", None)
                if isinstance(kwargs.get("data"), str | bytes):
                    kwargs["content"] = kwargs.pop("data")
                answer = client.request(**kwargs, headers=headers)
                case.validate_response(schemathesis.Response.from_any(answer), checks=list(CHECKS))

            try:
                answer_as_described()
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 -- every broken word is told, not only the first
                broken.append(f"{operation.method.upper()} {operation.path}: {error!r}"[:500])
        assert tried > 200
        assert broken == []
