"""create_app: the composition root. Nothing else wires the parts of the studio together."""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from . import __version__
from .assets import asset_dir
from .config import Settings
from .runner.local_model import BuiltInModel
from .runner.runner import Runner
from .store import secrets
from .store.catalog import Catalog
from .store.database import Database
from .store.samples import install_samples
from .store.secrets import Vault
from .store.tables import OWNER
from .streaming.bus import Bus
from .web import errors, openapi
from .web.api import (
    agents,
    bundles,
    files,
    mcp,
    models,
    preparations,
    sessions,
    skills,
    system,
    tokens,
    transcripts,
    workflows,
)
from .web.api import secrets as secrets_api
from .web.credentials import Credentials
from .web.dependencies import Services
from .web.login_limit import LoginLimit
from .web.pages import agents as agent_pages
from .web.pages import artifacts as artifact_pages
from .web.pages import home, login
from .web.pages import mcp as mcp_pages
from .web.pages import models as model_pages
from .web.pages import preparations as preparation_pages
from .web.pages import sessions as session_pages
from .web.pages import settings as settings_pages
from .web.pages import skills as skill_pages
from .web.pages import status as status_page
from .web.pages import workflows as workflow_pages
from .web.security import BodyLimit, HostGuard, OriginGuard, SecurityHeaders

API_ROUTERS = (
    models.router, skills.router, mcp.router, agents.router, workflows.router, sessions.router,
    transcripts.router, files.router, secrets_api.router, tokens.router, bundles.router,
    preparations.router, system.router,
)  # fmt: skip
PAGE_ROUTERS = (
    home.router, login.router, settings_pages.router, session_pages.router, artifact_pages.router,
    workflow_pages.router, agent_pages.router, model_pages.router, skill_pages.router,
    preparation_pages.router, status_page.router, mcp_pages.router,
)  # fmt: skip


def make_services(settings: Settings) -> Services:
    """Opens the data folder: database, vault, runner. Raises StudioError when it cannot."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.home.chmod(0o700)
    key = settings.secret_key.get_secret_value() if settings.secret_key else None
    vault = Vault(secrets.load_keys(settings.home, key, settings.secret_key_file))
    database = Database(settings.database, settings.sqlite_synchronous)
    bus = Bus()
    local = BuiltInModel(settings.home)
    return Services(
        settings=settings,
        database=database,
        vault=vault,
        bus=bus,
        runner=Runner(settings, database, bus, vault, local),
        catalog=Catalog(database, vault),
        local=local,
        login_token=random_secrets.token_urlsafe(24),
        login_limit=LoginLimit(),
    )


def create_app(settings: Settings, local_token: str | None = None) -> FastAPI:
    """The web application. `local_token` lets the studio's own commands in."""
    services = make_services(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if settings.gallery:
            await install_samples(services.catalog, OWNER)
        await services.runner.secrets.mask(OWNER)  # known from now on to the log as well
        await services.runner.recover()
        yield
        await services.runner.close()
        services.database.close()

    app = FastAPI(
        title="Roundtable Studio",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = services
    for router in (*API_ROUTERS, *PAGE_ROUTERS):
        # not include_router: that reads every route's signature a second time, at the first request
        app.router.routes.extend(router.routes)
    app.mount("/static", StaticFiles(directory=asset_dir("static")), name="static")
    openapi.describe(app)
    errors.install(app)
    _guard(app, services, local_token)
    return app


def _guard(app: FastAPI, services: Services, local_token: str | None) -> None:
    """Middleware, innermost first."""
    settings = services.settings
    known = {}
    if settings.token is not None:
        known[settings.token.get_secret_value()] = "STUDIO_TOKEN"
    if local_token:
        known[local_token] = "command line"

    app.add_middleware(BodyLimit)
    app.add_middleware(Credentials, database=services.database, tokens=known)
    app.add_middleware(OriginGuard)
    app.add_middleware(HostGuard, settings=settings)
    app.add_middleware(SecurityHeaders, failed=errors.unexpected)
