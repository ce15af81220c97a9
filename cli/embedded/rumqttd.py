"""The process around the embedded broker: the path of its TOML file enters; it runs until its starter goes away."""

from __future__ import annotations

import os
import sys
import threading

from iotcore import IotCoreBroker


def main() -> None:
    """Serve until standard input, a pipe held by the starter, is closed, or a signal ends the process."""
    broker = IotCoreBroker(config_path=sys.argv[1])
    threading.Thread(target=_leave_with_starter, daemon=True).start()
    broker.run_forever()


def _leave_with_starter() -> None:
    try:
        sys.stdin.buffer.read()
    finally:
        os._exit(0)  # the broker's threads know no other end


if __name__ == "__main__":
    main()
