"""Consents on the family's pages: who decides, what is open to whom, and when the account is told of what.

What a form wants enters, a few calls of the API and the page anew leave. A guardian gives and withdraws for the
resident what the paper names; everybody else gives up what was given to them, or has the home ask.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.responses import Response

from api.pages.client import Refused, plain_id
from api.pages.visit import Visit
from core.vocabulary import CONSENT_SCOPES

_DONE: Final = {
    "withdraw": ("已放弃或撤回，立即生效", "Given up or withdrawn, at once"),
    "give": ("已同意，立即生效", "Consented, at once"),
    "ask": ("已转交机构征求老人同意，请留意通知", "The home will ask; watch your notices"),
    "quiet": ("已保存", "Saved"),
}


async def consents(visit: Visit, status: int = 200, problem: tuple[str, str] | None = None) -> Response:
    """Who decides, what this account was given purpose by purpose, what it may decide, and its quiet hours."""
    path = f"/residents/{visit.id('resident')}"
    deciding, given, at_home, me = await asyncio.gather(
        visit.api.get(f"{path}/deciding"),
        visit.api.get(f"{path}/consents"),
        visit.api.get("/family/today"),
        visit.api.get("/me"),
    )
    standing = {(one["user_id"], one["scope"]): one for one in given["items"] if one["withdrawn_at"] is None}
    here = next((one for one in at_home["items"] if one["resident_id"] == deciding["resident_id"]), None)
    words = {
        "deciding": deciding,
        "scopes": [{**one, "consent": standing.get((me["id"], one["scope"]))} for one in deciding["items"]],
        "others": _others(deciding, standing, me["id"]),
        "contact": here and here["contact"],
        "mine": me["id"],
        "done": _DONE.get(visit.query("done")),
    }
    return visit.page("family_consents.html", status, problem=problem, **words)


def _others(deciding: dict[str, Any], standing: dict[tuple[str, str], Any], mine: str) -> list[dict[str, Any]]:
    """Other relatives with what a guardian may open to them."""
    may = [one for one in deciding["items"] if one["mine"]]
    return [
        {**person, "scopes": [{**one, "consent": standing.get((person["user_id"], one["scope"]))} for one in may]}
        for person in deciding["recipients"]
        if may and person["user_id"] != mine
    ]


async def change_consents(visit: Visit) -> Response:
    """Give, withdraw or ask for a purpose, or set the quiet hours."""
    resident, path, action = visit.id("resident"), visit.request.url.path, visit.form.get("action", "")
    change = {"withdraw": _withdraw, "give": _give, "ask": _ask, "quiet": _quiet}.get(action)
    if change is None:
        raise Refused(422, {})
    try:
        await change(visit, resident)
    except Refused as refused:
        if refused.status not in (409, 422):
            raise
        return await consents(visit, refused.status, refused.told)
    left = await _still_open(visit, resident)
    return visit.go(f"{path}?done={action}" if left else visit.site.prefix)


async def _still_open(visit: Visit, resident: str) -> bool:
    """Whether anything of the resident is left to this account after it gave something up."""
    try:
        await visit.api.get(f"/residents/{resident}/deciding")
    except Refused as refused:
        if refused.status == 404:
            return False
        raise
    return True


async def _withdraw(visit: Visit, resident: str) -> None:
    await visit.api.post(f"/residents/{resident}/consents/{plain_id(visit.form.get('consent', ''))}/withdraw")


async def _give(visit: Visit, resident: str) -> None:
    """The API takes it from a guardian alone, and notes which."""
    user, scope = plain_id(visit.form.get("user", "")), visit.form.get("scope", "")
    await visit.api.post(
        f"/residents/{resident}/consents", {"user_id": user, "scope": scope, "granted_by": "监护人"}
    )  # fmt: skip


async def _ask(visit: Visit, resident: str) -> None:
    """An enquiry to the house: only the person, or a guardian, can consent, and the staff notes it."""
    names = CONSENT_SCOPES.get(visit.form.get("scope", ""))
    if names is None:
        raise Refused(422, {})
    await visit.api.post(
        "/services/information/enquiries",
        {
            "title": f"申请查看：{names.zh}",
            "question": f"家属申请查看{names.zh}（{names.en}）。请向老人本人或监护人征求单独同意，并登记。",
            "topic": "other",
            "resident_id": resident,
        },
    )


async def _quiet(visit: Visit, resident: str) -> None:
    body = {
        "quiet_from": visit.form.get("quiet_from") or None,
        "quiet_to": visit.form.get("quiet_to") or None,
        "wants_updates": visit.form.get("wants_updates") == "yes",
    }
    contact = plain_id(visit.form.get("contact", ""))
    await visit.api.send("PUT", f"/residents/{resident}/contacts/{contact}/quiet-hours", json=body)
