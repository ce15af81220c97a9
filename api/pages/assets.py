"""The pages' own files: an application enters, style, script and icon are served below each set of pages."""

from __future__ import annotations

from importlib import resources
from typing import Final

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.pages.render import ASSETS

# A file's address changes with its content.
_CACHE: Final = "public, max-age=31536000, immutable"


class _Kept(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _CACHE
        return response


def mount(app: FastAPI, *prefixes: str) -> None:
    """Serve the files below each prefix; before the routes of the pages, which answer everything else there."""
    directory = str(resources.files("api.pages").joinpath(ASSETS))
    for prefix in prefixes:
        app.mount(f"{prefix}/{ASSETS}", _Kept(directory=directory), name=f"{prefix.strip('/')}-assets")
