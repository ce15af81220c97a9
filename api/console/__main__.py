"""Starts the console as a role of its own: settings enter, one process serves pages until SIGTERM."""

from __future__ import annotations

import gc
import logging
import signal
import sys

import uvicorn

from api.console.app import Server, create_console
from core.clock import SystemClock
from core.errors import Misconfigured
from core.logging import configure, get
from core.settings import Settings, load_settings

GRACE_SECONDS = 3


def main(settings: Settings | None = None) -> None:
    """Serve until told to stop. Needs nothing but ANHU_API_URL."""
    settings = settings or load_settings()
    configure("console", level=settings.log_level, json=settings.log_json)
    server = Server(
        uvicorn.Config(
            create_console(settings, SystemClock()),
            host=settings.console_host,
            port=settings.console_port,
            access_log=False,
            log_config=None,
            log_level=logging.WARNING,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    # When it has stopped, uvicorn raises the signal once more for whoever handled it before; by then all is done.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    get("console").info(
        "listening", host=settings.console_host, port=settings.console_port, api=settings.console_api_url
    )
    server.run()
    # All is done. The interpreter would search all that still lives, for seconds, before it ends: there is no need.
    gc.freeze()


if __name__ == "__main__":
    try:
        main()
    except Misconfigured as error:
        sys.exit(str(error))
