"""The pictures of the menu: a name enters, a small drawing in the colour of the text around it leaves."""

from __future__ import annotations

from typing import Final


def _icon(*shapes: str) -> str:
    return (
        '<svg class="i" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round">{"".join(shapes)}</svg>'
    )


def _path(d: str) -> str:
    return f'<path d="{d}"/>'


def _box(x: int, y: int, width: int, height: int, radius: int = 1) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


ICONS: Final = {
    "heart": _icon(
        _path("M12 20s-7-4.6-9-9a5 5 0 0 1 9-4 5 5 0 0 1 9 4c-2 4.4-9 9-9 9z"), _path("M6 12h3l2-3 2 5 1-2h4")
    ),
    "board": _icon(_box(3, 4, 7, 7), _box(14, 4, 7, 7), _box(3, 14, 7, 6), _box(14, 14, 7, 6)),
    "bell": _icon(_path("M6 16V11a6 6 0 0 1 12 0v5l2 2H4z"), _path("M10 21h4")),
    "device": _icon(_box(7, 3, 10, 18, 2), _path("M11 18h2")),
    "chart": _icon(_path("M4 20V4M4 20h16M8 16v-5M12 16V8M16 16v-3")),
    "person": _icon('<circle cx="12" cy="8" r="4"/>', _path("M4 21c1-5 5-6 8-6s7 1 8 6")),
    "people": _icon(
        '<circle cx="9" cy="8" r="3.5"/>',
        _path("M2 20c1-4.5 4-5.5 7-5.5s6 1 7 5.5M15 4.8a3.5 3.5 0 0 1 0 6.4M18 15c2 .6 3.4 2 4 5"),
    ),
    "list": _icon(_path("M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01")),
    "house": _icon(_path("M3 11l9-7 9 7v9h-6v-6h-6v6H3z")),
    "calendar": _icon(_box(4, 5, 16, 16, 2), _path("M4 10h16M9 3v4M15 3v4")),
    "moon": _icon(_path("M20 14A8 8 0 1 1 10 4a6.5 6.5 0 0 0 10 10z")),
}
