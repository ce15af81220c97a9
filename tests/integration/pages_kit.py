"""What the tests of the pages share: a browser without a screen that keeps cookies and sends the forms it was given."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

from tests.fixtures.world import PASSWORD


class Browser:
    """Follows links and sends forms as a browser without scripts does."""

    def __init__(self, client: TestClient, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    def get(self, path: str = "", **given: Any) -> Any:
        return self.client.get(f"{self.prefix}{path}", follow_redirects=True, **given)

    def send(self, path: str, *, headers: dict[str, str] | None = None, **fields: str) -> Any:
        """Send a form of the page at this path, with the proof that the page holds."""
        proof = proof_in(self.get(path).text)
        return self.post(path, headers=headers, proof=proof, **fields)

    def post(self, path: str, *, headers: dict[str, str] | None = None, **fields: str) -> Any:
        return self.client.post(
            f"{self.prefix}{path}", data=fields, headers=headers or {}, follow_redirects=True
        )  # fmt: skip

    def sign_in(self, username: str, password: str = PASSWORD, **more: str) -> Any:
        return self.send("/sign-in", username=username, password=password, **more)


def proof_in(html: str) -> str:
    """The proof in the first form of a page."""
    found = re.search(r'name="proof" value="([0-9a-f]{64})"', html)
    assert found, html
    return found[1]


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.ids: set[str] = set()
        self.wants: set[str] = set()
        self.inputs: list[dict[str, str | None]] = []
        self.forms: list[list[str]] = []
        self._depth_label = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "label":
            self._depth_label += 1
            if given.get("for"):
                self.wants.add(str(given["for"]))
        if "style" in given or any(name.startswith("on") for name in given):
            self.problems.append(f"<{tag}> has a style or a handler of its own")
        if tag == "style" or (tag == "script" and "src" not in given):
            self.problems.append(f"<{tag}> inline")
        for name in ("src", "href", "action"):
            if (given.get(name) or "").startswith(("http:", "https:", "//")):
                self.problems.append(f"<{tag} {name}> leads elsewhere")
        if given.get("id"):
            if given["id"] in self.ids:
                self.problems.append(f"two elements have the id {given['id']}")
            self.ids.add(str(given["id"]))
        if tag == "form":
            self.forms.append([str(given.get("method", "get"))])
        if tag in ("input", "textarea", "select"):
            if self.forms:
                self.forms[-1].append(str(given.get("name")))
            if given.get("type") != "hidden" and not self._depth_label:
                self.inputs.append(given)

    def handle_endtag(self, tag: str) -> None:
        self._depth_label -= tag == "label"


def check(answer: Any) -> str:
    """The manners that every page keeps; its text."""
    html, policy = answer.text, answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) <= 60_000
    assert '<html lang="zh-CN">' in html
    assert len(re.findall("<main", html)) == 1
    assert re.search(r"<title>\s*\S", html)
    checker = _Checker()
    checker.feed(html)
    checker.problems += [f"no label for {one}" for one in checker.inputs if str(one.get("id")) not in checker.wants]
    checker.problems += [f"no proof in {form}" for form in checker.forms if form[0] == "post" and "proof" not in form]
    assert checker.problems == []
    assert "<h1" in html
    return html
