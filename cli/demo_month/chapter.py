"""Words that every chapter of the month shares: a story is its name and a function that tells it."""

from __future__ import annotations

from collections.abc import Callable

from cli.demo_month.house import Tale

Story = tuple[str, Callable[[Tale], None]]
"""The name stays the same from release to release: it is the mark of what was told."""
