"""Starts the HTTP side: settings enter, one process serves until SIGTERM, which lets running requests finish."""

from __future__ import annotations

import importlib
import logging
import signal
import sys
import threading

import uvicorn
from starlette.types import ASGIApp

from api.app import create_app
from core.clock import SystemClock
from core.errors import Misconfigured
from core.logging import configure, get
from core.settings import Settings, load_settings

GRACE_SECONDS = 8


def main(settings: Settings | None = None) -> None:
    """Serve until told to stop. Raises Misconfigured when a key or the database URL is not set."""
    settings = settings or load_settings()
    configure("api", level=settings.log_level, json=settings.log_json)
    server_class = uvicorn.Server
    api = create_app(settings, SystemClock())
    # Seconds of work that would hold up everybody if it were done when the first one asks.
    threading.Thread(target=api.openapi, name="openapi", daemon=True).start()
    app: ASGIApp = api
    if settings.api_console:
        # Imported when wanted: who runs the console as a role of its own needs none of its libraries here.
        module = importlib.import_module("api.console.app")
        app = module.Front(app, module.create_console(settings, SystemClock()))
        server_class = module.Server
    server = server_class(
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
        )
    )
    # When it has stopped, uvicorn raises the signal once more for whoever handled it before; by then all is done.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    get("api").info("listening", host=settings.api_host, port=settings.api_port)
    server.run()


if __name__ == "__main__":
    try:
        main()
    except Misconfigured as error:
        sys.exit(str(error))
