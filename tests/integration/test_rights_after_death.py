"""Whose wish counts after a death: what was noted, what the agreement of the stay says, and who asks: every pair."""

from __future__ import annotations

from itertools import product

import psycopg
import pytest
from psycopg.types.json import Jsonb

from core.ids import new_id
from tests.integration.conftest import Api

KINDS = ("statutory", "agreed", "agent", "relative")
NOTED = (None, "relatives", "named", "nobody")
AGREED = (None, "relatives", "nobody")


def wish_of(noted: str | None, agreed: str | None) -> str:
    """The stricter of the two; close relatives where nothing was arranged (PIPL 49)."""
    if "nobody" in (noted, agreed):
        return "nobody"
    return "named" if noted == "named" else "relatives"


def acts(wish: str, kind: str) -> bool:
    """Who acts for somebody who has died."""
    return kind in {"relatives": ("relative",), "named": ("agreed", "agent"), "nobody": ()}[wish]


@pytest.mark.parametrize(("noted", "agreed"), list(product(NOTED, AGREED)))
def test_one_rule_for_every_wish_and_everybody_who_asks(
    api: Api, database_url: str, noted: str | None, agreed: str | None
) -> None:
    admin, family = api.as_user("admin"), api.as_user("family")
    resident, now = api.world.a.residents[0], api.clock.now()
    path = f"/api/v1/residents/{resident}"
    wish = wish_of(noted, agreed)
    if noted is not None:
        assert admin.put(f"{path}/legal", json={"after_death": noted}).status_code == 200
    with psycopg.connect(database_url, autocommit=True) as connection:
        for order, said in enumerate(("nobody" if agreed == "relatives" else "relatives", agreed)):
            # An older stay, whose wish the newer agreement replaces.
            if said is not None and agreed is not None:
                connection.execute(
                    "INSERT INTO service_records (id, institution_id, service, kind, state, final, resident_id, detail,"
                    " created_at, updated_at) VALUES (%s, %s, 'institution', 'stay', 'discharged', true, %s, %s,"
                    " %s + make_interval(secs => %s), %s)",
                    (new_id(api.clock), api.world.a.institution_id, resident,
                     Jsonb({"agreement": f"AH-{order}", "after_death": said}), now, order, now),
                )  # fmt: skip
        before = {row["scope"] for row in admin.get(f"{path}/consents").json()["items"] if not row["withdrawn_at"]}
        assert {"alerts", "health"} <= before
        assert admin.patch(path, json={"status": "deceased"}).status_code == 200
        seen = family.get(path)
        scopes = set(seen.json()["scopes"]) if seen.status_code == 200 else set()
        assert scopes == (before - {"location", "activity"} if wish == "relatives" else set()), f"{noted} {agreed}"
        asked = {"kind": "access", "requested_by": "王丽"}
        for kind in KINDS:
            connection.execute("DELETE FROM resident_guardians")
            words = {"kind": kind, "name": "王丽", "ground": "公证书", "powers": ["access", "consent_health"],
                     "valid_from": "2020-01-01", "user_id": str(api.world.a.users["family"].id)}  # fmt: skip
            made = admin.post(f"{path}/guardians", json=words)
            assert made.status_code == 201, made.text
            answer = family.post(f"{path}/rights-requests", json=asked)
            assert (answer.status_code == 201) is acts(wish, kind), f"{noted} {agreed} {kind}: {answer.text}"
            connection.execute("DELETE FROM rights_requests")
            consent = {"user_id": words["user_id"], "scope": "health", "granted_by": "王丽",
                       "guardian_id": made.json()["id"]}  # fmt: skip
            given = admin.post(f"{path}/consents", json=consent)
            assert (given.status_code in (200, 201)) is acts(wish, kind), f"{noted} {agreed} {kind}: {given.text}"
            connection.execute("UPDATE consents SET withdrawn_at = now(), guardian_id = NULL WHERE resident_id = %s",
                               (resident,))  # fmt: skip
        bare = {"user_id": str(api.world.a.users["family"].id), "scope": "health", "granted_by": "本人"}
        assert admin.post(f"{path}/consents", json=bare).status_code == 422, "nobody consents in the name of the dead"


def test_who_was_named_reads_on_and_nobody_else(api: Api) -> None:
    admin, family = api.as_user("admin"), api.as_user("family")
    path = f"/api/v1/residents/{api.world.a.residents[0]}"
    assert admin.put(f"{path}/legal", json={"after_death": "named"}).status_code == 200
    words = {"kind": "agreed", "name": "王丽", "ground": "意定监护协议", "powers": ["access"],
             "valid_from": "2020-01-01", "user_id": str(api.world.a.users["family"].id)}  # fmt: skip
    assert admin.post(f"{path}/guardians", json=words).status_code == 201
    assert admin.patch(path, json={"status": "deceased"}).status_code == 200
    assert {"alerts", "health"} <= set(family.get(path).json()["scopes"])
