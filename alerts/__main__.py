"""Settings enter, a running alerts role leaves: events, detectors, escalation, pages, the watch over them."""

from __future__ import annotations

import signal

from prometheus_client import start_http_server

from alerts.runtime import Runtime
from core import logging
from core.clock import SystemClock
from core.settings import load_settings


def main() -> None:
    """Run the alerts role until SIGTERM or Ctrl-C."""
    settings = load_settings()
    logging.configure("alerts", level=settings.log_level, json=settings.log_json)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.api_host)
    runtime = Runtime(settings, SystemClock())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runtime.stop())
    runtime.run()


if __name__ == "__main__":
    main()
