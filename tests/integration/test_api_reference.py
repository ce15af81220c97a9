"""The reference for people works without the internet."""

from __future__ import annotations

import re

from tests.integration.conftest import Api


def test_docs_need_nothing_from_elsewhere(api: Api) -> None:
    page = api.anonymous.get("/docs")
    assert page.status_code == 200
    addresses = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
    assert addresses
    for address in addresses:
        assert address.startswith("/docs/assets/"), address
        assert api.anonymous.get(address).status_code == 200
    assert "//" not in page.headers["content-security-policy"].replace("://", "")
