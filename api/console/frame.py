"""The frame of every page: a builder with its path and roles enters, a page with menu, alarm and line watch leaves.

A page is a function `async def page(view: View, ...)` under `@screen(...)`. It reads and writes through `view` alone,
which is the public API as the person who is signed in.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import app, ui

from api.console.client import Away, ConsoleError, Gateway, Refused, SignedOut
from api.console.house import House, Houses, Listener
from api.console.icons import ICONS
from api.console.sessions import COOKIE, STAFF, Session
from api.console.texts import LANGUAGES, Speech, language_of
from core.settings import Settings

STATIC: Final = Path(__file__).with_name("static")
LANGUAGE_COOKIE: Final = "anhu_lang"
DARK_COOKIE: Final = "anhu_dark"
HOME: Final = {"admin": "/", "caregiver": "/", "family": "/family", "regulator": "/inspector", "platform": "/inspector"}
"""Where an account begins."""
ACCOUNT: Final = "/account"
"""Where it settles what it owes, a new password or a second factor; until then nothing else is open."""


@dataclass(frozen=True, slots=True)
class Console:
    """What all pages of this process share; `nicegui.app.state.anhu`."""

    settings: Settings
    gateway: Gateway
    houses: Houses


def console() -> Console:
    """The console that runs in this process."""
    one: Console = app.state.anhu
    return one


@dataclass(frozen=True, slots=True)
class Screen:
    """A page of the menu, or one that pages lead to (`order` 0)."""

    path: str
    title: str
    roles: tuple[str, ...]
    icon: str = ""
    order: int = 0


SCREENS: Final[dict[str, Screen]] = {}


@dataclass(slots=True, eq=False)
class View:
    """One open page of one person."""

    console: Console
    session: Session
    speech: Speech
    request: Request
    house: House | None
    listeners: list[Listener] = field(default_factory=list)

    async def get(self, path: str, **params: Any) -> Any:
        """Read below `/api/v1`. Raises ConsoleError."""
        return await self.console.gateway.call(self.session, "GET", path, params=params)

    async def pages(self, path: str, *, most: int = 500, **params: Any) -> list[dict[str, Any]]:
        """All items of a list, `most` at most."""
        return await self.console.gateway.pages(self.session, path, most=most, **params)

    async def send(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        """Write below `/api/v1`; a header's underscores are hyphens (`if_match=...`). Raises ConsoleError."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.console.gateway.call(self.session, method, path, json=body, headers=given)

    def listen(self, listener: Listener) -> None:
        """Be told of the house's news while this page is open."""
        if self.house is not None:
            self.listeners.append(listener)
            self.house.join(listener)

    def close(self) -> None:
        """The page was closed."""
        if self.house is not None:
            for listener in self.listeners:
                self.house.leave(listener)
        self.listeners.clear()

    def explain(self, error: ConsoleError) -> str:
        """What a person is told about an error, with what to do."""
        if isinstance(error, Away):
            return self.speech("error.away")
        if isinstance(error, SignedOut):
            return self.speech("signin.ended")
        if isinstance(error, Refused):
            problem = error.problem
            title = self.speech.pair(str(problem.get("title_zh") or problem.get("title", "")), str(problem["title"]))
            fields = "; ".join(str(one["message"]) for one in problem.get("errors") or [])
            return " · ".join(part for part in (title, str(problem.get("detail") or ""), fields) if part)
        return self.speech("error.refused")


Builder = Callable[..., Awaitable[None]]


def screen(
    path: str, title: str, *, roles: tuple[str, ...] = STAFF, icon: str = "", order: int = 0
) -> Callable[[Builder], Builder]:
    """Register a page.

    path: as FastAPI writes it; its parameters are the builder's, after the view. title: a key of the texts, also the
    word of the menu. icon: a name of ICONS. order: place in the menu; 0 keeps it out.
    """

    def register(build: Builder) -> Builder:
        one = SCREENS[path] = Screen(path, title, roles, icon, order)
        known = inspect.signature(build, eval_str=True)

        async def page(request: Request, **parameters: Any) -> Response | None:
            return await _open(one, build, request, parameters)

        own = [parameter for name, parameter in known.parameters.items() if name != "view"]
        first = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
        page.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]  # read by the router
        ui.page(path, response_timeout=10.0)(page)
        return build

    return register


async def _open(one: Screen, build: Builder, request: Request, parameters: dict[str, Any]) -> Response | None:
    shared = console()
    session = shared.gateway.sessions.find(request.cookies.get(COOKIE))
    if session is None:
        return RedirectResponse(f"/signin?next={quote(_here(request))}", 303)
    if session.role not in one.roles and one.path == "/" and (home := HOME.get(session.role, "/")) != "/":
        return RedirectResponse(home, 303)
    if session.owes and one.path != ACCOUNT:
        return RedirectResponse(ACCOUNT, 303)
    house = shared.houses.of(session) if session.role in STAFF and not session.owes else None
    view = View(shared, session, Speech(language_of(request.cookies.get(LANGUAGE_COOKIE))), request, house)
    client = ui.context.client
    client.on_delete(view.close)
    _head(one, view)
    _shell(one, view)
    with ui.element("main").props('id=main tabindex="-1"'):
        if session.role not in one.roles:
            message(view.speech("error.forbidden"))
            return None
        try:
            await build(view, **parameters)
        except SignedOut:
            return RedirectResponse(f"/signin?next={quote(_here(request))}&ended=1", 303)
        except ConsoleError as error:
            if session.owes and one.path != ACCOUNT:
                return RedirectResponse(ACCOUNT, 303)
            message(view.explain(error))
    return None


def message(text: str) -> None:
    """A sentence in place of content."""
    with ui.element("p").classes("notice").props("role=status"):
        html(escape(text))


def html(content: str, tag: str = "span") -> ui.html:
    """Markup that was built here; whatever comes from outside must have gone through `html.escape`."""
    return ui.html(content, sanitize=False, tag=tag)


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def asset(name: str) -> str:
    """The address of a static file; it changes with the file, so that browsers may keep it."""
    if name not in _ASSETS:
        _ASSETS[name] = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/console/static/{name}?v={_ASSETS[name]}"


_ASSETS: dict[str, str] = {}


def _head(one: Screen, view: View) -> None:
    speech = view.speech
    ui.page_title(f"{speech(one.title)} · {speech('brand')}")
    ui.context.client.page.language = "en-US" if speech.language == "en" else "zh-CN"
    ui.add_head_html(
        f'<link rel="stylesheet" href="{asset("anhu.css")}">'
        f'<script defer src="{asset("line.js")}"></script><script defer src="{asset("anhu.js")}"></script>'
    )
    dark = view.request.cookies.get(DARK_COOKIE)
    ui.dark_mode(value={"1": True, "0": False}.get(dark or ""))


def _shell(one: Screen, view: View) -> None:
    speech = view.speech
    # Quasar's page is a `main` of its own around everything; ours is the content alone.
    around = ui.context.client.content.parent_slot
    if around is not None:
        around.parent.props("role=presentation")
    html(f'<a class="skip" href="#main">{escape(speech("frame.skip"))}</a>')
    line = ui.element("anhu-line")
    line.props["texts"] = speech.many("line.")
    with ui.element("header").classes("top"):
        html(
            f'<a class="brand" href="/">{ICONS["heart"]}<b>{escape(speech("brand"))}</b></a>'
            f'<nav aria-label="{escape(speech("menu.label"))}">{_menu(one, view)}</nav>',
            "div",
        ).classes("top-left")
        with ui.element("div").classes("top-right"):
            _alarm(view)
            html(_preferences(view), "div").classes("prefs")


def _menu(one: Screen, view: View) -> str:
    entries = sorted((item for item in SCREENS.values() if item.order), key=lambda item: item.order)
    links = [
        f'<a href="{item.path}"{" aria-current=page" if item is one else ""}>{ICONS.get(item.icon, "")}'
        f"<span>{_stacked(item.title, view.speech)}</span></a>"
        for item in entries
        if view.session.role in item.roles and not view.session.owes
    ]
    return "".join(links)


def _stacked(key: str, speech: Speech) -> str:
    """A word of the menu; English stands below Chinese, so that all of the menu finds room on one line."""
    if speech.language != "both":
        return escape(speech(key))
    return f"{escape(Speech('zh')(key))} <small>{escape(Speech('en')(key))}</small>"


def _alarm(view: View) -> None:
    """Sound and title for emergencies nobody has answered, on every page of the house."""
    if view.house is None or view.session.role not in STAFF:
        return
    alarm = ui.element("anhu-alarm")
    alarm.props["texts"] = view.speech.many("alarm.") | {"label": view.speech("frame.sound")}
    alarm.props["waiting"] = waiting(view.house.alerts)

    def ring(alerts: list[dict[str, Any]]) -> None:
        alarm.run_method("ring", waiting(alerts))

    view.listen(Listener(on_alerts=ring))


def waiting(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The urgent alerts that nobody has answered, as little as the alarm needs."""
    return [
        {"id": one["id"], "severity": one["severity"], "n": one["occurrences"]}
        for one in alerts
        if one["state"] == "open" and one["severity"] in ("critical", "high") and not one["test"]
    ]


def languages(speech: Speech) -> str:
    """The choice of the language; the page's script keeps it."""
    options = "".join(
        f'<option value="{one}"{" selected" if one == speech.language else ""}>'
        f"{escape(speech(f'frame.language.{one}'))}</option>"
        for one in LANGUAGES
    )
    return f'<select data-pref="{LANGUAGE_COOKIE}">{options}</select>'


def _preferences(view: View) -> str:
    speech = view.speech
    name = view.session.me.get("name") or view.session.me["username"]
    role = speech.name(view.session.me.get("role_name"))
    return (
        f'<label class="pref"><span class="sr">{escape(speech("frame.language"))}</span>{languages(speech)}</label>'
        f'<button class="icon" type="button" data-dark="{DARK_COOKIE}" aria-label="{escape(speech("frame.dark"))}" '
        f'title="{escape(speech("frame.dark"))}">{ICONS["moon"]}</button>'
        f'<a class="who" href="{ACCOUNT}" title="{escape(speech("account.title"))}">{ICONS["person"]}'
        f"<span><b>{escape(str(name))}</b><small>{escape(role)}</small></span></a>"
        f'<form method="post" action="/signout"><button type="submit">{escape(speech("frame.sign_out"))}</button>'
        "</form>"
    )
