"""The reference for people at `/docs`: the application enters, a page whose scripts come from ourselves is added.

The assets are those in the wheel `fastapi-offline`; a home without the internet sees the same page.
"""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from api.deps import PUBLIC

ASSETS = "/docs/assets"


def install(app: FastAPI) -> None:
    """Serve the reference and what it needs."""
    directory = str(resources.files("fastapi_offline").joinpath("static"))
    app.mount(ASSETS, StaticFiles(directory=directory), name="docs-assets")

    @app.get("/docs", include_in_schema=False, dependencies=[PUBLIC])
    def reference() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=app.openapi_url or "/openapi.json",
            title=f"{app.title} API",
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon.png",
        )
