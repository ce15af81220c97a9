"""`docs/tour.md` walked as it stands, against a running `anhu up --demo`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.test_whole_way import CLOCK, Installation, home
from tests.acceptance.tour import Memory, Step, steps_of
from tests.fixtures.processes import until

__all__ = ["home"]
PAGE = Path(__file__).parents[2] / "docs" / "tour.md"
WAIT_SECONDS = 60
"""Generous against a loaded machine; what is waited for takes a second or two."""


class Walker:
    """Who walks: one client for each account, and what was learnt on the way."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.memory = Memory(CLOCK.now)
        self.clients: dict[str, httpx.Client] = {}
        self.passwords: dict[str, str] = {}

    def walk(self, step: Step) -> None:
        if step.kind == "mqtt":
            until(lambda: self._published(step), str(step), seconds=WAIT_SECONDS)
        elif step.until:
            until(lambda: self._holds(step), str(step), seconds=WAIT_SECONDS)
        else:
            self._ask(step)

    def _published(self, step: Step) -> bool:
        """The embedded broker starts anew when it learns of a new device: then once more, as a device would."""
        account = self.memory.known[step.actor]
        device = {"id": account["username"].split(".", 1)[1], **account}
        channel, _, payload = self.memory.fill(step.request).partition(" ")
        try:
            self.installation.publish(device, channel, json.loads(payload))
        except (OSError, RuntimeError, AssertionError):
            return False
        return True

    def _holds(self, step: Step) -> bool:
        try:
            self._ask(step)
        except AssertionError:
            return False
        return True

    def _ask(self, step: Step) -> None:
        method, path = self.memory.fill(step.request).split(" ", 1)
        body = json.loads(self.memory.fill(step.body)) if step.body else None
        answer = self._client(step.actor).request(method, path, json=body)
        right = answer.is_success if step.status is None else answer.status_code == step.status
        assert right, f"{step}: {answer.status_code} {answer.text}"
        if "password" in (body or {}):
            self.passwords[body["username"]] = body["password"]
        if step.expected or step.kept:
            self.memory.check(step, answer.json())

    def _client(self, name: str) -> httpx.Client:
        if name not in self.clients:
            if name in self.installation.demo["users"]:
                self.clients[name] = self.installation.sign_in(name)
            else:
                client = httpx.Client(base_url=f"{self.installation.demo['api']}/api/v1", timeout=10)
                form = {"username": name, "password": self.passwords[name]}
                token: dict[str, Any] = client.post("/auth/token", data=form).json()
                client.headers["Authorization"] = f"Bearer {token['access_token']}"
                self.clients[name] = client
        return self.clients[name]


def test_the_tour_can_be_walked(home: Installation) -> None:
    walker, steps = Walker(home), steps_of(PAGE)
    assert len(steps) >= 50
    try:
        for step in steps:
            walker.walk(step)
    finally:
        for client in walker.clients.values():
            client.close()
