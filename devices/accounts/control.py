"""Commands of Mosquitto's dynamic-security plugin enter, its answers leave; one MQTT connection of the keeper.

The control API is JSON on `$CONTROL/dynamic-security/v1` (mosquitto.org, documentation of the plugin): a list of
commands in, a list of answers out, each with the correlation data of its command. The plugin of Mosquitto 2.0 writes
its whole file after every command, on the broker's only thread: commands go out few at a time, with as long a pause
after each as they took, so that no press of a button waits for a fleet that is being registered.
"""

from __future__ import annotations

import json
import queue
import ssl
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from core.broker import BrokerAddress
from core.clock import Clock
from core.errors import Misconfigured, Unavailable
from core.ids import new_id
from devices.accounts.rights import CONTROL_TOPIC, RESPONSE_TOPIC

ANSWER_SECONDS_MAX: Final = 30.0
CONNECT_SECONDS_MAX: Final = 10.0
COMMANDS_MAX: Final = 8
PAUSE_SECONDS_MAX: Final = 2.0
KEEPALIVE_SECONDS: Final = 30

Command = dict[str, Any]


class Control:
    """A connection to the plugin, as a context manager.

    watch: called from another thread with topic and payload of everything heard below $SYS/broker.
    """

    def __init__(
        self,
        address: BrokerAddress,
        clock: Clock,
        *,
        watch: Callable[[str, bytes], None] | None = None,
        client_id: str = "anhu-accounts",
    ) -> None:
        self._address = address
        self._clock = clock
        self._watch = watch
        self._client_id = client_id
        self._answers: queue.Queue[list[Command]] = queue.Queue()
        self._ready = threading.Event()
        self._refusal = ""
        self._client = self._make_client()

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def __enter__(self) -> Control:
        try:
            self._client.connect(self._address.host, self._address.port, KEEPALIVE_SECONDS)
        except OSError as error:
            raise Unavailable(f"the broker cannot be reached at {self._where()}: {error}") from error
        self._client.loop_start()
        if not self._ready.wait(CONNECT_SECONDS_MAX):
            self.close()
            raise Unavailable(f"the broker at {self._where()} does not answer")
        if self._refusal:
            self.close()
            raise Misconfigured(f"the broker refuses the account {self._address.username}: {self._refusal}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Sign off."""
        self._client.disconnect()
        self._client.loop_stop()

    def run(self, commands: Sequence[Command]) -> list[Command]:
        """Carry out commands in order; their answers in the same order. One that fails has an "error".

        Raises Unavailable where the broker is away or silent.
        """
        answers: list[Command] = []
        for begin in range(0, len(commands), COMMANDS_MAX):
            started = self._clock.monotonic()
            answers += self._ask(commands[begin : begin + COMMANDS_MAX])
            if begin + COMMANDS_MAX < len(commands):
                self._clock.sleep(min(PAUSE_SECONDS_MAX, self._clock.monotonic() - started))
        return answers

    def _ask(self, commands: Sequence[Command]) -> list[Command]:
        tag = str(new_id(self._clock))
        named = [{**command, "correlationData": f"{tag} {n}"} for n, command in enumerate(commands)]
        while not self._answers.empty():  # of a question that was given up
            self._answers.get_nowait()
        self._client.publish(CONTROL_TOPIC, json.dumps({"commands": named}), qos=1)
        found: dict[str, Command] = {}
        deadline = self._clock.monotonic() + ANSWER_SECONDS_MAX
        while len(found) < len(named):
            try:
                answers = self._answers.get(timeout=min(1.0, max(0.01, deadline - self._clock.monotonic())))
            except queue.Empty:
                if self._clock.monotonic() < deadline and self.connected:
                    continue
                raise Unavailable("the broker's access control does not answer") from None
            found.update({one.get("correlationData", ""): one for one in answers if _is_of(one, tag)})
        return [found[command["correlationData"]] for command in named]

    def _make_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._client_id, reconnect_on_failure=False)
        client.username_pw_set(self._address.username, self._address.password)
        if self._address.tls:
            ca = str(self._address.ca_file) if self._address.ca_file else None
            client.tls_set_context(ssl.create_default_context(cafile=ca))
        client.on_connect = self._handle_connect
        client.on_subscribe = self._handle_subscribe
        client.on_message = self._handle_message
        return client

    def _handle_connect(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            self._ready.set()
            return
        topics = [(RESPONSE_TOPIC, 1), *([("$SYS/broker/#", 0)] if self._watch else [])]
        client.subscribe(topics)

    def _handle_subscribe(self, _client: Client, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
        if codes[0].is_failure:
            self._refusal = "it may not manage accounts, or the plugin is not loaded"
        self._ready.set()

    def _handle_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if message.topic == RESPONSE_TOPIC:
            self._answers.put(json.loads(message.payload)["responses"])
        elif self._watch is not None:
            self._watch(message.topic, bytes(message.payload))

    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"


def _is_of(answer: Command, tag: str) -> bool:
    return str(answer.get("correlationData", "")).startswith(f"{tag} ")
