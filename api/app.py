"""The app factory: settings, a clock and perhaps a pool enter, a FastAPI application leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import errors, openapi, reference
from api.alerts.kpi_routes import router as alert_kpi_router
from api.alerts.motion import router as alert_motion_router
from api.alerts.restraint import router as restraint_router
from api.alerts.routes import router as alerts_router
from api.audit.routes import router as audit_router
from api.auth.accounts import Accounts
from api.auth.otp_routes import router as otp_router
from api.auth.routes import router as auth_router
from api.auth.throttle import Throttle
from api.auth.tokens import Tokens
from api.board.routes import router as board_router
from api.devices.checks import router as checks_router
from api.devices.discovered import router as discovered_router
from api.devices.routes import router as devices_router
from api.escalation.routes import router as escalation_router
from api.family.links import router as links_router
from api.family.reach import router as reach_router
from api.family.routes import router as family_router
from api.family.today import router as today_router
from api.fhir.routes import router as fhir_router
from api.ingest_door.routes import router as ingest_door_router
from api.institution.accounts import router as accounts_router
from api.institution.beds import router as beds_router
from api.institution.handover import router as handover_router
from api.institution.licences import router as licences_router
from api.institution.notes import router as notes_router
from api.institution.overdue import router as house_overdue_router
from api.institution.prices import router as prices_router
from api.institution.rules import router as rules_router
from api.institution.staff import router as staff_router
from api.institution.subsidies import router as subsidies_router
from api.institution.tasks import router as tasks_router
from api.limits import RateLimit, WrongGuesses
from api.middleware import Envelope, RequestMetrics
from api.notices.routes import router as notices_router
from api.pages import assets
from api.pages.family import router as family_pages_router
from api.pages.inspector import router as inspector_pages_router
from api.providers.routes import router as providers_router
from api.residents.fences import router as fences_router
from api.residents.limits import router as limits_router
from api.residents.news2 import router as news2_router
from api.residents.nights import router as nights_router
from api.residents.positions import router as positions_router
from api.residents.routes import router as residents_router
from api.residents.usual import router as usual_router
from api.residents.vitals import router as vitals_router
from api.retention.routes import router as retention_router
from api.rights.deciding import router as deciding_router
from api.rights.routes import desk as rights_desk
from api.rights.routes import router as rights_router
from api.rota.routes import router as rota_router
from api.services import registry
from api.services.routes import router as services_router
from api.silences.routes import router as silences_router
from api.state import AppState
from api.supervision.routes import router as supervision_router
from api.system.routes import router as system_router
from api.users.routes import router as users_router
from core.clock import Clock
from core.settings import Settings
from db.pool import Pool, make_pool

ROUTERS = (
    auth_router,
    board_router,
    otp_router,
    residents_router,
    fences_router,
    family_router,
    today_router,
    reach_router,
    rights_router,
    deciding_router,
    limits_router,
    nights_router,
    positions_router,
    usual_router,
    news2_router,
    vitals_router,
    # Before the devices: `checks` and `discovered` are no device's id.
    checks_router,
    discovered_router,
    devices_router,
    ingest_door_router,
    # Before the alerts: `load`, `throttles` and `kpi` are no alert's id.
    restraint_router,
    alert_kpi_router,
    alerts_router,
    alert_motion_router,
    silences_router,
    escalation_router,
    rota_router,
    links_router,
    services_router,
    *registry.routers(),
    providers_router,
    beds_router,
    staff_router,
    licences_router,
    prices_router,
    subsidies_router,
    accounts_router,
    rules_router,
    rights_desk,
    tasks_router,
    notes_router,
    handover_router,
    house_overdue_router,
    notices_router,
    supervision_router,
    fhir_router,
    users_router,
    audit_router,
    retention_router,
    system_router,
    # Last: what is left below /family and /inspector answers with a page.
    family_pages_router,
    inspector_pages_router,
)
POOL_SIZE_MAX = 20
POOL_WAIT_SECONDS = 5.0
LINK_MISSES_MAX = 30
LINK_WINDOW_SECONDS = 300.0


def end_streams(app: FastAPI) -> None:
    """End the open streams of an application, which the end of its process would wait for. From any thread."""
    for name in ("alert_hub", "board_pictures"):
        if (streams := getattr(app.state, name, None)) is not None:
            streams.close()


def create_app(settings: Settings, clock: Clock, pool: Pool | None = None) -> FastAPI:
    """The whole HTTP side.

    pool: connections in the role "api"; without one the app makes its own from the settings and closes it at the end.
    Raises Misconfigured when the token key (or, without a pool, the database URL) is not set.
    """
    tokens = Tokens(settings.require_token_key(), clock, access_seconds=settings.access_token_seconds)
    own = pool is None
    if pool is None:
        pool = make_pool(settings.require_database(), "api", size_max=POOL_SIZE_MAX)
        # People wait at the other end: an answer that the database is away beats a long silence.
        pool.timeout = POOL_WAIT_SECONDS
    metrics = RequestMetrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if own:
            pool.close()

    app = FastAPI(
        title="Anhu 安护",
        summary="智慧养老云平台 · backend of a smart elderly-care platform",
        description=openapi.DESCRIPTION,
        version=openapi.version(),
        openapi_tags=openapi.TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        separate_input_output_schemas=False,
        generate_unique_id_function=openapi.operation_id,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.anhu = AppState(
        settings=settings,
        clock=clock,
        pool=pool,
        metrics=metrics,
        tokens=tokens,
        accounts=Accounts(pool, clock),
        throttle=Throttle(clock),
        callers=RateLimit(clock, settings.rate_caller_per_minute),
        link_guesses=WrongGuesses(clock, misses_max=LINK_MISSES_MAX, window_seconds=LINK_WINDOW_SECONDS),
    )
    errors.install(app)
    assets.mount(app, "/family", "/inspector")
    for router in ROUTERS:
        app.include_router(router)
    addresses = RateLimit(clock, settings.rate_address_per_minute)
    app.add_middleware(Envelope, clock=clock, metrics=metrics, addresses=addresses)
    openapi.install(app)
    reference.install(app)
    return app
