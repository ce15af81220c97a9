"""Starts the HTTP side: settings enter, one process serves until SIGTERM, which lets running requests finish."""

from __future__ import annotations

import gc
import importlib
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from api.app import create_app, end_streams
from core.clock import SystemClock
from core.errors import Misconfigured
from core.logging import configure, get
from core.settings import Settings, load_settings

GRACE_SECONDS = 8


class Server(uvicorn.Server):
    """A server that lets go of what would hold up its end, before it waits for the requests that still run."""

    def __init__(self, config: uvicorn.Config, release: Sequence[Callable[[], None]]) -> None:
        super().__init__(config)
        self._release = release

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        for release in self._release:
            # In a thread: a signal comes in the middle of anything, also of what holds a lock that is needed here.
            threading.Thread(target=release, daemon=True).start()
        super().handle_exit(sig, frame)


def main(settings: Settings | None = None) -> None:
    """Serve until told to stop. Raises Misconfigured when a key or the database URL is not set."""
    settings = settings or load_settings()
    configure("api", level=settings.log_level, json=settings.log_json)
    api = create_app(settings, SystemClock())
    # Seconds of work that would hold up everybody if it were done when the first one asks.
    threading.Thread(target=api.openapi, name="openapi", daemon=True).start()
    app: ASGIApp = api
    release: list[Callable[[], None]] = [partial(end_streams, api)]
    if settings.api_console:
        # Imported when wanted: who runs the console as a role of its own needs none of its libraries here.
        module = importlib.import_module("api.console.app")
        app = module.Front(app, module.create_console(settings, SystemClock()))
        release.append(module.stop_reading)
    server = Server(
        uvicorn.Config(
            app,
            host=settings.api_host,
            port=settings.api_port,
            # The app writes one structured line per request itself.
            access_log=False,
            log_config=None,
            log_level=logging.WARNING,
            server_header=False,
            date_header=True,
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
        release,
    )
    # When it has stopped, uvicorn raises the signal once more for whoever handled it before; by then all is done.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    get("api").info("listening", host=settings.api_host, port=settings.api_port)
    server.run()
    # All is done. The interpreter would search all that still lives, for seconds, before it ends: there is no need.
    gc.freeze()


if __name__ == "__main__":
    try:
        main()
    except Misconfigured as error:
        sys.exit(str(error))
