"""SECURITY R01: nothing but login, health and static files answers without credentials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from studio.store import logins

from ..builders import Api
from ..conftest import TOKEN, InProcess
from .routes import raw, routes

ALLOWED = ("/login", "/api/health")
ALLOWED_PREFIX = "/static/"
STRANGERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "a wrong token": {"authorization": "Bearer " + "x" * len(TOKEN)},
    "no token": {"authorization": "Bearer"},
    "the token's beginning": {"authorization": f"Bearer {TOKEN[:-1]}"},
    "another scheme": {"authorization": f"Basic {TOKEN}"},
    "a made-up cookie": {"cookie": "studio_session=letmein"},
    "the token as a cookie": {"cookie": f"studio_session={TOKEN}"},
    "a wrong token and a page": {"authorization": "Bearer x", "accept": "text/html"},
}


def _is_public(path: str) -> bool:
    return path in ALLOWED or path.startswith(ALLOWED_PREFIX)


def _is_refused(path: str, answer: Any) -> bool:
    if path.startswith("/api/"):
        return bool(answer.status_code == 401)
    return bool(
        answer.status_code == 401
        or (answer.status_code == 303 and answer.headers["location"].startswith("/login"))
    )


@pytest.fixture(scope="module")
def stranger(studio: InProcess) -> Iterator[Api]:
    api = Api(studio.url, None)
    yield api
    api.http.close()


@pytest.mark.parametrize("who", STRANGERS)
def test_every_route_refuses_strangers(studio: InProcess, stranger: Api, who: str) -> None:
    before = [len(studio.everything(n)) for n in ("models", "agents", "workflows", "sessions")]
    found = [r for r in routes(studio.app) if not _is_public(r.path)]
    assert len(found) > 40, "the sweep has lost its routes"
    for route in found:
        answer = stranger.http.request(route.method, route.filled(), headers=STRANGERS[who])
        assert _is_refused(route.path, answer), (route, answer.status_code, answer.text[:200])
        assert "set-cookie" not in answer.headers
    after = [len(studio.everything(n)) for n in ("models", "agents", "workflows", "sessions")]
    assert after == before


def test_the_sweep_sees_the_same_routes_as_a_client(studio: InProcess) -> None:
    """Guards the sweep: it must not go blind when FastAPI changes how it keeps routes."""
    found = {(r.method, r.path) for r in routes(studio.app)}
    assert {
        ("GET", "/api/models"), ("POST", "/api/sessions"), ("GET", "/api/sessions/{one}/stream"),
        ("DELETE", "/api/agents/{one}/draft"), ("GET", "/api/openapi.json"), ("GET", "/static/x"),
    } <= found  # fmt: skip
    without_schema = {p for _, p in found} - set(studio.app.openapi()["paths"])
    assert {"/api/openapi.json", "/static/x"} <= without_schema


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/api/nothing", "/docs", "/redoc", "/openapi.json", "/api/health/x",
     "/api/healthz", "/loginx", "/statics/x", "/models"],
)  # fmt: skip
def test_unknown_paths_tell_strangers_nothing(stranger: Api, path: str) -> None:
    assert _is_refused(path, stranger.http.get(path))


@pytest.mark.parametrize(
    "target",
    ["/static/../api/models", "/static/..%2fapi/models", "/static//../../api/models",
     "/static/%2e%2e/%2e%2e/etc/passwd", "//api/models", "/api//models", "/login/../api/models",
     "/api/health/../models", "/api/health%2f..%2fmodels", "/API/models", "/static/..%5cstudio.db",
     "/api/models?path=/login", "/api/models;/login", "/api/models%00", "/static/%00"],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_a_stranger_in(studio: InProcess, target: str) -> None:
    host = studio.url.partition("//")[2]
    answer = raw(studio.url, [f"GET {target} HTTP/1.1", f"Host: {host}"])
    assert answer.status in (303, 401, 400, 404), answer
    assert b'"items"' not in answer.body
    assert b"root:" not in answer.body


def test_health_is_public_and_says_nothing_else(stranger: Api) -> None:
    assert stranger.get("health") == {"status": "ok"}


def test_a_cookie_works_until_it_is_removed(studio: InProcess, stranger: Api) -> None:
    database = studio.app.state.services.database
    cookie = database.write_now(lambda c: logins.create(c, "owner"))
    headers = {"cookie": f"studio_session={cookie}"}
    assert stranger.http.get("/api/models", headers=headers).status_code == 200
    database.write_now(lambda c: logins.remove(c, cookie))
    assert stranger.http.get("/api/models", headers=headers).status_code == 401


def test_a_cookie_cannot_be_read_from_the_database(studio: InProcess) -> None:
    database = studio.app.state.services.database
    cookie = database.write_now(lambda c: logins.create(c, "owner"))
    on_disk = b"".join(p.read_bytes() for p in studio.home.iterdir() if p.is_file())
    assert cookie.encode() not in on_disk
    assert TOKEN.encode() not in on_disk


def test_a_bad_header_is_not_saved_by_a_good_cookie(studio: InProcess, stranger: Api) -> None:
    """Who sends a token means it: falling back to the cookie would hide a revoked token."""
    database = studio.app.state.services.database
    cookie = database.write_now(lambda c: logins.create(c, "owner"))
    headers = {"cookie": f"studio_session={cookie}", "authorization": "Bearer wrong"}
    assert stranger.http.get("/api/models", headers=headers).status_code == 401
