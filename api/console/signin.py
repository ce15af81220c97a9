"""Signing in and out of the console: a form enters, a cookie leaves. Plain HTML, so that it works before any script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from api.console.client import Away, Refused
from api.console.frame import ACCOUNT, HOME, LANGUAGE_COOKIE, asset, console
from api.console.sessions import COOKIE, IDLE_SECONDS_MAX, STAFF
from api.console.texts import Speech, language_of

router = APIRouter(include_in_schema=False)
_TEXT_CHARS_MAX = 1024
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
)


@router.get("/signin")
def form(
    request: Request,
    next: str = "/",  # noqa: A002 -- query words, always named
    ended: bool = False,  # noqa: FBT001, FBT002
    changed: bool = False,  # noqa: FBT001, FBT002
) -> Response:
    """The form; somebody who is signed in goes on, unless the password has just changed."""
    if not changed and console().gateway.sessions.find(request.cookies.get(COOKIE)) is not None:
        return RedirectResponse(_inside(next), 303)
    return _page(request, next, error="signin.ended" if ended else "", told="signin.changed" if changed else "")


@router.post("/signin")
async def sign_in(
    request: Request,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    otp: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 -- the field's name
) -> Response:
    """A cookie and on to the page that was asked for, or the form again with what was typed but the password."""
    again: dict[str, Any] = {"username": username[:64], "status": 401}
    if max(len(username), len(password), len(otp)) > _TEXT_CHARS_MAX:
        return _page(request, next, error="signin.wrong", **again)
    address = request.client.host[:64] if request.client else ""
    gateway = console().gateway
    old = gateway.sessions.find(request.cookies.get(COOKIE))
    try:
        cookie, session = await gateway.sign_in(username.strip(), password, otp.strip(), address)
    except Refused as error:
        if error.kind == "otp-required":
            # The password is asked for again with the code: it is kept nowhere in between.
            told = "signin.wrong" if otp else "signin.otp_hint"
            return _page(request, next, error=told, wants_otp=True, **again)
        kind = "signin.busy" if error.status == 429 else "signin.wrong"
        return _page(request, next, error=kind, wants_otp=bool(otp), **again)
    except Away:
        return _page(request, next, error="signin.away", **again | {"status": 503})
    if old is not None:
        await gateway.sign_out(old)
    target = _inside(next)
    begin = ACCOUNT if session.owes else HOME.get(session.role, "/") if target == "/" else target
    answer = RedirectResponse(begin, 303)
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=IDLE_SECONDS_MAX,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
    return answer


@router.post("/signout")
async def sign_out(request: Request) -> Response:
    """End the sign-in here and at the API."""
    gateway = console().gateway
    session = gateway.sessions.find(request.cookies.get(COOKIE))
    if session is not None:
        await gateway.sign_out(session)
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return answer


@router.get("/pulse")
def pulse(request: Request) -> Response:
    """Asked by every open page each few seconds: whether what it shows is alive. 401 once the sign-in is over."""
    shared = console()
    session = shared.gateway.sessions.find(request.cookies.get(COOKIE))
    if session is None:
        return JSONResponse({"signed_in": False}, 401)
    house = shared.houses.of(session) if session.role in STAFF else None
    up, since = (house.up, house.since.isoformat()) if house is not None else (True, None)
    return JSONResponse({"api": up, "since": since}, headers={"cache-control": "no-store"})


def _page(
    request: Request, target: str, *, error: str = "", told: str = "", username: str = "", wants_otp: bool = False,
    status: int = 200,
) -> Response:  # fmt: skip
    speech = Speech(language_of(request.cookies.get(LANGUAGE_COOKIE)))
    text = _PAGES.get_template("signin.html").render(
        speech=speech,
        target=_inside(target),
        error=error,
        told=told,
        username=username,
        wants_otp=wants_otp,
        asset=asset,
    )
    return HTMLResponse(text, status)


def _inside(target: str) -> str:
    """The path to go on to; anything that would lead elsewhere is the beginning."""
    parts = urlsplit(target)
    plain = not parts.scheme and not parts.netloc and target.startswith("/") and "\\" not in target
    return target if plain and not target.startswith("//") and target.isprintable() else "/"
