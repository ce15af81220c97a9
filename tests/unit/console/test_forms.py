"""Forms from the API's description: every field that a record can ask for has a name, and references are followed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.console.forms import MONEY, Schemas, pruned
from api.console.record import way_of
from api.services.registry import KINDS
from core.clock import ManualClock
from core.settings import Settings

CONSOLE = Path(__file__).parents[3] / "api" / "console"


class NoPool:
    """Describing needs no database."""


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    keys: dict[str, Any] = {"token_key": "t" * 40, "device_key": "d" * 40}
    return Schemas(create_app(Settings(**keys), ManualClock(), NoPool()).openapi())  # type: ignore[arg-type]  # unused


def bodies(schemas: Schemas) -> dict[str, dict[str, Any]]:
    found = {}
    for kind in KINDS.values():
        base = f"/api/v1{kind.prefix}/{kind.path}"
        found[base] = schemas.body_of("POST", base)
        for move in kind.machine.moves:
            path = f"{base}/{{record_id}}/{way_of(move.action)}"
            found[path] = schemas.body_of("POST", path)
    return found


def test_every_field_of_every_form_has_a_name_in_both_languages(schemas: Schemas) -> None:
    named = json.loads((CONSOLE / "fields.json").read_text(encoding="utf-8"))
    asked = set().union(*(schemas.names(body) for body in bodies(schemas).values()))
    assert len(asked) > 100
    shown = set().union(*(kind.detail.model_fields for kind in KINDS.values()))
    assert (asked | shown) - named.keys() == set(), "fields without a name in api/console/fields.json"


def test_every_choice_has_a_name_in_both_languages(schemas: Schemas) -> None:
    named = json.loads((CONSOLE / "values.json").read_text(encoding="utf-8"))
    asked: set[str] = set()

    def walk(schema: dict[str, Any]) -> None:
        for field in schema.get("properties", {}).values():
            plain = schemas.follow(field)
            item = schemas.follow(plain.get("items", {}))
            asked.update(str(one) for part in (plain, item) for one in part.get("enum", ()))
            walk(plain)
            walk(item)

    for body in bodies(schemas).values():
        walk(body)
    assert len(asked) > 50
    assert asked - named.keys() == set(), "words without a name in api/console/values.json"


def test_money_goes_as_exact_text_and_null_means_left_out(schemas: Schemas) -> None:
    assess = schemas.body_of("POST", "/api/v1/services/daily-living/orders/{record_id}/assess")
    assert schemas.follow(assess["properties"]["price"])["format"] == MONEY
    order = schemas.body_of("POST", "/api/v1/services/daily-living/orders")
    assert schemas.follow(order["properties"]["starts_at"])["format"] == "date-time"
    assert "product_id" in schemas.names(schemas.body_of("POST", "/api/v1/services/goods/orders"))


def test_what_was_left_empty_is_left_out_and_nothing_else() -> None:
    given = {"a": "", "b": 0, "c": False, "d": [{"e": "", "f": None}, {"g": 1}], "h": {"i": ""}, "j": None}
    assert pruned(given) == {"b": 0, "c": False, "d": [{"g": 1}]}


def test_every_action_of_every_record_has_its_path(schemas: Schemas) -> None:
    paths = set(schemas.paths())
    for kind in KINDS.values():
        for move in kind.machine.moves:
            way = f"/api/v1{kind.prefix}/{kind.path}/{{record_id}}/{way_of(move.action)}"
            assert way in paths, way
