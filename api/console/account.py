"""The own account: what is owed enters; forms for the password, the second factor and the language leave.

An account that must set its own password or a second factor is led here and gets no further, as at the API.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from html import escape
from typing import Any, Final

from nicegui import ui

from api.console.client import ConsoleError
from api.console.entry import box, entry, field, refuse
from api.console.frame import ACCOUNT, View, html, languages, screen
from api.console.services import when

Thing = dict[str, Any]
EVERYONE: Final = ("admin", "caregiver", "family", "provider", "regulator", "platform")
PASSWORD_CHARS_MAX: Final = 1024
Fields = tuple[tuple[str, str, str], ...]
"""(name in the body, key of its label, attributes)."""
CURRENT: Final = f"type=password autocomplete=current-password maxlength={PASSWORD_CHARS_MAX} required"
NEW: Final = f"type=password autocomplete=new-password minlength=8 maxlength={PASSWORD_CHARS_MAX} required"
CODE: Final = "type=text autocomplete=one-time-code minlength=6 maxlength=64 required"


@screen(ACCOUNT, "account.title", roles=EVERYONE)
async def account(view: View) -> None:
    """What is owed first, then what may be changed."""
    await view.console.gateway.look_again(view.session)
    speech, me = view.speech, view.session.me
    html(
        f"<h1>{escape(speech('account.title'))}</h1><p>{escape(str(me['name'] or ''))} · {escape(me['username'])}</p>",
        "div",
    )
    for owed in view.session.owes:
        html(f"<p class='notice bad' role='alert'>⚠ {escape(speech(f'account.owes.{owed}'))}</p>", "div")
    with ui.element("div").classes("narrow"):
        _password(view)
        with _fold(view, "account.otp", opened="otp" in view.session.owes):
            await SecondFactor(view).draw()
        with _fold(view, "account.screen"):
            label = f"<span>{escape(speech('frame.language'))}</span>{languages(speech)}"
            html(f"<label class='field'>{label}</label>", "div").classes("hint")


def _fold(view: View, key: str, *, opened: bool = False) -> ui.element:
    fold = ui.element("details").classes("action").props("open" if opened else "")
    with fold:
        html(escape(view.speech(key)), "summary")
    return fold


def _form(view: View, fields: Fields, submit: str, do: Callable[[Thing], Awaitable[None]]) -> None:
    typed: Thing = {}

    def draw() -> Callable[[], Thing]:
        for name, label, props in fields:
            with field(view.speech(label)):
                box(props, "", partial(typed.__setitem__, name))
        return lambda: dict(typed)

    entry(view, draw, view.speech(submit), do)


def _password(view: View) -> None:
    with _fold(view, "account.password", opened="password" in view.session.owes):
        html(f"<p>{escape(view.speech('account.hint'))}</p>", "div").classes("hint")
        problem = ui.element("div").props("role=alert").classes("hint")

        async def change(typed: Thing) -> None:
            problem.clear()
            if typed["new"] != typed.pop("repeat"):
                refuse(problem, view.speech("account.differ"))
                return
            await view.send("POST", "/me/password", typed)
            # Every token given out before has ended with the old password, ours too: the next request finds that out.
            ui.navigate.to("/signin?changed=1")

        fields: Fields = (
            ("current", "account.current", CURRENT),
            ("new", "account.new", NEW),
            ("repeat", "account.repeat", NEW),
        )
        _form(view, fields, "account.password", change)


class SecondFactor:
    """A second factor from its first code to its recovery codes, and its end."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._place = ui.element("div")

    async def draw(self) -> None:
        """Where it stands, and what may be done."""
        view, speech = self._view, self._view.speech
        state = await view.get("/me/otp")
        self._place.clear()
        with self._place:
            if not state["enrolled"]:
                html(f"<p>○ {escape(speech('account.otp_off'))}</p>", "div").classes("hint")
                _form(view, (("password", "account.current", CURRENT),), "account.begin", self._begin)
                return
            told = speech("account.otp_on", time=when(state["confirmed_at"], view), n=state["recovery_codes_left"])
            html(f"<p>✓ {escape(told)}</p>", "div").classes("hint")
            proof: Fields = (("password", "account.current", CURRENT), ("code", "account.any_code", CODE))
            with _fold(view, "account.renew"):
                _form(view, proof, "account.renew", self._renew)
            if state["demanded"]:
                html(f"<p>{escape(speech('account.demanded'))}</p>", "div").classes("hint")
                return
            with _fold(view, "account.remove"):
                _form(view, proof, "account.remove", self._remove)

    async def _begin(self, typed: Thing) -> None:
        view, speech = self._view, self._view.speech
        made = await view.send("POST", "/me/otp", typed)
        # As a picture, not as markup: what draws it is not this page.
        picture = base64.b64encode(made["qr_svg"].encode()).decode()
        self._place.clear()
        with self._place:
            html(
                f"<p>{escape(speech('account.scan'))}</p><div class='secret'>"
                f"<img alt='{escape(speech('account.picture'))}' src='data:image/svg+xml;base64,{picture}'>"
                f"<code>{escape(made['secret'])}</code></div>",
                "div",
            ).classes("hint")
            _form(view, (("code", "account.code", CODE),), "account.confirm", self._confirm)

    async def _confirm(self, typed: Thing) -> None:
        done = await self._view.send("POST", "/me/otp/confirm", typed)
        # Nothing more is owed when the codes are seen; should this fail, they are shown all the same, being there once.
        with contextlib.suppress(ConsoleError):
            await self._view.console.gateway.look_again(self._view.session)
        self._codes(done["recovery_codes"])

    async def _renew(self, typed: Thing) -> None:
        self._codes((await self._view.send("POST", "/me/otp/recovery-codes", typed))["recovery_codes"])

    async def _remove(self, typed: Thing) -> None:
        await self._view.send("POST", "/me/otp/remove", typed)
        await self.draw()

    def _codes(self, codes: list[str]) -> None:
        speech = self._view.speech
        lines = "".join(f"<li><code>{escape(one)}</code></li>" for one in codes)
        self._place.clear()
        with self._place:
            html(
                f"<p class='notice calm'>✓ {escape(speech('account.codes'))}</p><ol class='codes'>{lines}</ol>"
                f"<p><a class='button primary' href='{ACCOUNT}'>{escape(speech('account.kept'))}</a></p>",
                "div",
            ).classes("hint")
