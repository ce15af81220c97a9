"""The console as an ASGI application: settings and a clock enter, pages on the public HTTP API leave.

It runs as its own role (`anhu run console`), or in the api's process in front of the api (`Front`), where `anhu up`
shows it at `/`. NiceGUI keeps one application for a process, so there is one console in a process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI
from nicegui import app as pages
from nicegui import core, ui
from pydantic import BaseModel
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from api.console import kpi, rota, signin
from api.console.client import ConsoleError, Gateway
from api.console.frame import SCREENS, STATIC, Console
from api.console.house import Houses
from api.console.sessions import Sessions
from api.console.shield import Shield
from core.clock import Clock
from core.settings import Settings

SCREEN_MODULES: Final = (
    "api.console.board",
    "api.console.desk",
    "api.console.devices",
    "api.console.found",
    "api.console.rejected",
    "api.console.bind",
    "api.console.services",
    "api.console.record",
    "api.console.resident",
    "api.console.rota",
    "api.console.plans",
    "api.console.institution",
    "api.console.kpi",
    "api.console.account",
)
"""The pages, in the order of import; each registers itself with `@screen`."""

DOCUMENT_AGAIN_SECONDS: Final = 1.0
RECONNECT_SECONDS: Final = 10.0
"""How long a page that lost its socket is kept, to go on where it was."""
MESSAGES_KEPT_MAX: Final = 200


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


def create_console(settings: Settings, clock: Clock) -> FastAPI:
    """The console. `settings.api_url` says where the API is."""
    gateway = Gateway(settings.console_api_url, Sessions(clock, settings.console_sessions_file), clock)
    shared = Console(settings, gateway, Houses(gateway))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reading = asyncio.create_task(_read_document(gateway), name="console document")
        yield
        reading.cancel()
        shared.houses.close()
        await gateway.close()

    console = FastAPI(title="Anhu console", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    for module in SCREEN_MODULES:
        import_module(module)
    pages.state.anhu = shared
    console.include_router(signin.router)
    console.include_router(kpi.router)
    console.include_router(rota.router)

    @console.get("/healthz", include_in_schema=False)
    async def healthz() -> Alive:
        return Alive()

    console.mount("/console/static", _Kept(directory=STATIC), name="console static")
    ui.run_with(
        console,
        title="安护 Anhu",
        favicon="🧡",
        dark=None,
        language="zh-CN",
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT_SECONDS,
        message_history_length=MESSAGES_KEPT_MAX,
        gzip_middleware_factory=None,
        tailwind=False,
        show_welcome_message=False,
    )
    console.add_middleware(Shield)
    console.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)
    return console


async def _read_document(gateway: Gateway) -> None:
    """Read what the forms are drawn from before anybody wants one."""
    while True:
        try:
            await gateway.document()
        except ConsoleError:
            await asyncio.sleep(DOCUMENT_AGAIN_SECONDS)
        else:
            return


class _Kept(StaticFiles):
    """Static files whose address changes with their content."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                message["headers"] = [
                    *message["headers"],  # type: ignore[misc]  # ASGI: a list of pairs
                    (b"cache-control", b"public, max-age=31536000, immutable"),
                ]
            await send(message)

        await super().__call__(scope, receive, send_on)  # type: ignore[arg-type]  # a MutableMapping is what it sends


def stop_reading() -> None:
    """Let go of the API's streams, which would otherwise hold up the end of the process. Any thread may call it."""
    shared: Console | None = getattr(pages.state, "anhu", None)
    if shared is not None and core.loop is not None and core.loop.is_running():
        core.loop.call_soon_threadsafe(shared.houses.close)


class Server(uvicorn.Server):
    """A server that lets go of what the console reads before it waits for the requests that still run."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        stop_reading()
        super().handle_exit(sig, frame)


class Front:
    """The api and the console behind one address: what the console has is the console's, all else is the api's."""

    def __init__(self, api: ASGIApp, console: ASGIApp) -> None:
        self._api = api
        self._console = console
        first = {screen.path.split("/")[1] for screen in SCREENS.values()}
        self._words = {*first, "signin", "signout", "pulse", "console", "_nicegui", "_nicegui_ws", "favicon.ico"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _both(self._console, self._api, receive, send)
            return
        mine = scope["path"].split("/", 2)[1:2] or [""]
        await (self._console if mine[0] in self._words else self._api)(scope, receive, send)


async def _both(console: ASGIApp, api: ASGIApp, receive: Receive, send: Send) -> None:
    """One lifespan for two applications."""
    router_of_console, router_of_api = console.router, api.router  # type: ignore[attr-defined]  # FastAPI applications
    await receive()
    try:
        async with router_of_api.lifespan_context(api), router_of_console.lifespan_context(console):
            await send({"type": "lifespan.startup.complete"})
            await receive()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.shutdown.complete"})
