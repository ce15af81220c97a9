"""Signing in and out of a set of pages: a form enters, a session leaves; a refused form keeps what was typed.

Brakes, second factors and audit rows are those of the API. A password is never written back into a page.
"""

from __future__ import annotations

from typing import Any, Final

import httpx
from fastapi import APIRouter
from starlette.responses import Response

from api.deps import PUBLIC
from api.pages.client import OTP_REQUIRED, Api, Refused
from api.pages.session import Session, Site
from api.pages.visit import Visit, page_of
from api.state import app_state

_WRONG: Final = ("用户名或密码不正确，请核对后再试", "The username or the password is not right")
_CODE: Final = ("请再输入密码和动态验证码", "Enter the password again with the code of your authenticator")
_BRAKED: Final = ("尝试次数过多，请几分钟后再试", "Too many attempts; wait a few minutes")
_AWAY: Final = ("暂时无法登录，请稍后再试", "Signing in is not possible at the moment; try again soon")
_BOTH: Final = ("请填写现在的密码和新密码", "Fill in the present password and the new one")
_UNLIKE: Final = ("两次输入的新密码不一致", "The two new passwords differ")
_POLICY: Final = "未能保存：请确认现在的密码正确；新密码至少 12 个字符，不能是常用密码，也不能包含用户名"
_EMPTY: Final = ("请填写用户名和密码", "Fill in the username and the password")


def add_door(router: APIRouter, site: Site, *, title: tuple[str, str], elsewhere: tuple[str, str]) -> None:
    """Add `/sign-in`, `/password` and `/sign-out` below the site's prefix.

    title: of the pages. elsewhere: what an account of another role is told.
    """

    async def show(visit: Visit) -> Response:
        """The form; who is signed in goes on."""
        if visit.session is not None:
            return visit.go(visit.query("next", site.prefix))
        return visit.page("sign_in.html", title=title, following=visit.query("next", site.prefix), ask_code=False)

    async def enter(visit: Visit) -> Response:
        """Sign in, or say what is wrong."""
        following = visit.form.get("next", site.prefix)
        name, password = visit.form.get("username", "").strip(), visit.form.pop("password", "")
        code = visit.form.pop("otp", "").strip()

        def again(status: int, problem: tuple[str, str], *, ask_code: bool = False) -> Response:
            words: dict[str, Any] = {"title": title, "following": following, "ask_code": ask_code or bool(code)}
            return visit.page("sign_in.html", status, problem=problem, **words)

        if not name or not password:
            return again(422, _EMPTY)
        try:
            extra = {"otp": code} if code else {}
            pair = await visit.api.post("/auth/token", username=name, password=password, **extra)
        except Refused as refused:
            if refused.word == OTP_REQUIRED:
                return again(401, _CODE, ask_code=True)
            told = {401: _WRONG, 422: _WRONG, 429: _BRAKED}.get(refused.status, _AWAY)
            return again(refused.status, told)
        session = Session.of(pair, app_state(visit.request).clock)
        inside = Api(visit.api.app, visit.api.address, visit.api.request_id, session.access)
        if (await inside.get("/me"))["role"] not in site.roles:
            await inside.post("/auth/logout", {"refresh_token": session.refresh})
            return again(403, elsewhere)
        visit.enter(session)
        return visit.go(following)

    async def leave(visit: Visit) -> Response:
        """End the sign-in, here and for every copy of it."""
        if visit.session is not None:
            await visit.api.post("/auth/logout", {"refresh_token": visit.session.refresh})
        visit.enter(None)
        return visit.go(f"{site.prefix}/sign-in")

    add(router, site, "/sign-in", show, open_=True)
    add(router, site, "/sign-in", enter, method="POST", open_=True)
    _add_password(router, site, title)
    add(router, site, "/sign-out", leave, method="POST", open_=True)


def _add_password(router: APIRouter, site: Site, title: tuple[str, str]) -> None:
    """Add `/password` below the site's prefix."""

    async def show_password(visit: Visit) -> Response:
        """The form for a password of one's own; whoever owes one is led here from every page."""
        return visit.page("password.html", title=title)

    async def change_password(visit: Visit) -> Response:
        """Change it and sign in anew with it, since every token of before is worth nothing then."""
        current, new, again = (visit.form.pop(name, "") for name in ("current", "new", "again"))
        if not current or not new:
            return visit.page("password.html", 422, title=title, problem=_BOTH)
        if new != again:
            return visit.page("password.html", 422, title=title, problem=_UNLIKE)
        try:
            await visit.api.post("/me/password", {"current": current, "new": new})
        except Refused as refused:
            if refused.status not in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.TOO_MANY_REQUESTS):
                raise
            told = _BRAKED if refused.status == httpx.codes.TOO_MANY_REQUESTS else (_POLICY, refused.told[1])
            return visit.page("password.html", refused.status, title=title, problem=told)
        visit.enter(None)
        return visit.go(f"{site.prefix}/sign-in")

    add(router, site, "/password", show_password)
    add(router, site, "/password", change_password, method="POST")


def add(
    router: APIRouter, site: Site, path: str, handler: Any, *, method: str = "GET", open_: bool = False
) -> None:  # fmt: skip
    """A handler under a path of the site. Who may see it is decided by the token it brings to the API."""
    router.add_api_route(
        f"{site.prefix}{path}",
        page_of(site, open_=open_)(handler),
        methods=[method],
        dependencies=[PUBLIC],
        include_in_schema=False,  # pages for people, not a part of the API
        response_model=None,
    )


def add_not_found(router: APIRouter, site: Site) -> None:
    """What is left below the prefix: a page that says so, in place of a problem for programs. To be added last."""

    async def nothing(visit: Visit) -> Response:
        """There is no such page."""
        del visit
        raise Refused(404, {})

    add(router, site, "/{rest:path}", nothing, open_=True)
