"""The process around the embedded broker: the path of its TOML file enters; it runs until its starter goes away."""

from __future__ import annotations

import logging
import os
import sys
import threading

from iotcore import IotCoreBroker

PANICKED_EXIT_CODE = 70


def main() -> None:
    """Serve until standard input, a pipe held by the starter, is closed, or a signal ends the process."""
    _end_on_panic()
    # rumqttd reports every packet it routes as an error span.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    broker = IotCoreBroker(config_path=sys.argv[1])
    threading.Thread(target=_leave_with_starter, daemon=True).start()
    broker.run_forever()


def _leave_with_starter() -> None:
    try:
        sys.stdin.buffer.read()
    finally:
        os._exit(0)  # the broker's threads know no other end


def _end_on_panic() -> None:
    """End the process when one of the broker's threads panics.

    Without its router thread rumqttd goes on accepting connections that it never answers. Ended, it is started again.
    """
    reading, writing = os.pipe()
    log = os.dup(2)
    os.dup2(writing, 2)
    os.close(writing)
    threading.Thread(target=_watch, args=(reading, log), daemon=True).start()


def _watch(reading: int, log: int) -> None:
    panicked = False
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            os.write(log, line)
            if panicked:  # the line after names the reason
                os._exit(PANICKED_EXIT_CODE)
            panicked = line.startswith(b"thread '") and b"panicked at" in line


if __name__ == "__main__":
    main()
