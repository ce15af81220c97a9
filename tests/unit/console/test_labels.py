"""Codes of labels give a device; what a gateway says of a device gives a proposal, and nothing where it is unclear."""

from __future__ import annotations

import pytest

from api.console.bind import device_of
from api.console.found import proposed_id, proposed_room


@pytest.mark.parametrize(
    ("code", "device"),
    [
        ("https://console.example/devices/bind?site=demo&device=wb-0001", ("demo", "wb-0001")),
        ("http://10.0.0.2:8081/devices/bind?device=wb-0001", ("", "wb-0001")),
        (" wb-0001\n", ("", "wb-0001")),
        ("https://elsewhere.example/?id=4", None),
        ("https://console.example/devices/bind?device=a/../b", None),
        ("https://[broken", None),
        ("", None),
        ("x" * 65, None),
    ],
)
def test_a_code_gives_its_device(code: str, device: tuple[str, str] | None) -> None:
    assert device_of(code) == device


def test_a_room_is_proposed_only_where_it_stands_alone_and_alone() -> None:
    rooms = {"202", "2", "20"}
    assert proposed_room("room 202/smoke", rooms) == "202"
    assert proposed_room("0x2021", rooms) == ""
    assert proposed_room("between 2 and 20", rooms) == ""


def test_an_id_is_proposed_in_our_own_form() -> None:
    assert proposed_id("room 202/烟感 smoke") == "room-202-smoke"
    assert len(proposed_id("a" * 100)) == 64
