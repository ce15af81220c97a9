"""The subscriber over TLS: records of 16 KiB, a small socket buffer, and acknowledgements that arrive."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cli.embedded.broker import find_mosquitto
from core.broker import parse_broker_url
from core.clock import SystemClock
from core.errors import Misconfigured
from ingest.batch import Message, MessageQueue
from ingest.mqtt import Subscriber
from tests.fixtures.brokers import free_port
from tests.fixtures.processes import until

MESSAGES = 400
PAYLOAD = b"x" * 3000


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A Mosquitto with a plain and a TLS listener; its certificate is in tmp_path."""
    try:
        program = find_mosquitto()
    except Misconfigured as error:
        pytest.skip(str(error))
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    tmp_path.chmod(0o755)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    plain, tls = free_port(), free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(
        f"per_listener_settings false\nallow_anonymous true\nmax_inflight_messages 4000\nuser root\n"
        f"listener {plain} 127.0.0.1\n"
        f"listener {tls} 127.0.0.1\ncertfile {tmp_path / 'cert.pem'}\nkeyfile {tmp_path / 'key.pem'}\n"
    )
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", tls), timeout=0.5):
            return True
        return False

    until(listens, "mosquitto's TLS listener")
    yield plain, tls
    process.terminate()
    process.wait(10)


@pytest.mark.mosquitto
def test_a_burst_over_tls_arrives_whole_and_its_acknowledgements_do_too(ports: tuple[int, int], tmp_path: Path) -> None:
    plain, tls = ports
    clock = SystemClock()
    queue = MessageQueue(clock, messages_max=4000, bytes_max=10**8)
    subscriber = Subscriber(
        parse_broker_url(f"mqtts://127.0.0.1:{tls}", tmp_path / "cert.pem"),
        client_id="tls-test",
        topics=["anhu/v1/+/+/telemetry"],
        queue=queue,
        clock=clock,
        on_connection=lambda _: None,
    )

    def turn(work: int) -> list[Message]:
        """Serve one connection until that many messages were acknowledged; then let go of it."""
        stop = threading.Event()
        thread = threading.Thread(target=subscriber.run, args=(stop,))
        thread.start()
        until(lambda: subscriber.connected, "the TLS connection")
        clock.sleep(0.5)
        if not taken:
            for number in range(MESSAGES):
                device.publish("anhu/v1/home/band/telemetry", number.to_bytes(2) + PAYLOAD, qos=1)
        got: list[Message] = []
        end = clock.monotonic() + (20 if work else 1)
        while len(got) < max(1, work) and clock.monotonic() < end:
            batch = queue.take(size_max=100, linger_seconds=0, wait_seconds=0.2)
            got += batch
            subscriber.acknowledge(batch)
        clock.sleep(0.5)
        stop.set()
        thread.join(5)
        return got

    device = mqtt.Client(CallbackAPIVersion.VERSION2)
    device.max_inflight_messages_set(1000)
    device.connect("127.0.0.1", plain)
    device.loop_start()
    taken: list[Message] = []
    taken += turn(MESSAGES)
    device.disconnect()
    device.loop_stop()
    assert [message.payload for message in taken] == [n.to_bytes(2) + PAYLOAD for n in range(MESSAGES)]
    assert turn(0) == [], "the broker would send again what was not acknowledged"
