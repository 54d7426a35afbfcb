"""Other web sites, other names and browsers' own habits: SECURITY R04, R05, R06 and R16."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.store import logins

from ..builders import Api, unique
from ..conftest import TOKEN, InProcess, serving
from .routes import raw

PATHS = ("/", "/api/models", "/api/health", "/login", "/static/x", "/nothing", "/api/openapi.json",
         "/api/sessions/x/stream")  # fmt: skip
EVIL_HOSTS = (
    "evil.example", "127.0.0.1.evil.com", "localhost.evil.com", "evil.com:80", "localhost.",
    "user@127.0.0.1", "127.0.0.1/evil", "127.0.0.1:port", "[::1", "2130706433", "0.0.0.0", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def visitor(studio: InProcess) -> Iterator[Api]:
    """Logged in by cookie, as a visitor is."""
    database = studio.app.state.services.database
    cookie = database.write_now(lambda c: logins.create(c, "owner"))
    api = Api(studio.url, None)
    api.http.headers["cookie"] = f"studio_session={cookie}"
    yield api
    api.http.close()


@pytest.mark.parametrize("host", EVIL_HOSTS)
def test_the_studio_answers_to_no_other_name(studio: InProcess, host: str) -> None:
    for path in PATHS:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {TOKEN}"]
        answer = raw(studio.url, lines)
        assert answer.status in (421, 400), (path, answer)
        assert b'"items"' not in answer.body
        body = b'{"name": "x"}'
        lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {TOKEN}",
                 "Content-Type: application/json", f"Content-Length: {len(body)}"]  # fmt: skip
        assert raw(studio.url, lines, body).status in (421, 400)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.com"])
def test_a_wrong_name_is_421(studio: InProcess, host: str) -> None:
    for path in PATHS:
        assert raw(studio.url, [f"GET {path} HTTP/1.1", f"Host: {host}"]).status == 421


def test_a_missing_or_doubled_host_is_refused(studio: InProcess) -> None:
    good = f"Host: {studio.url.partition('//')[2]}"
    secret = f"Authorization: Bearer {TOKEN}"
    for lines in (["GET /api/models HTTP/1.1", secret], ["GET /api/models HTTP/1.0", secret]):
        assert raw(studio.url, lines).status in (421, 400)
    for hosts in ([good, "Host: evil.example"], ["Host: evil.example", good]):
        assert raw(studio.url, ["GET /api/models HTTP/1.1", *hosts, secret]).status in (421, 400)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_names_of_this_machine_are_good(studio: InProcess, host: str) -> None:
    port = studio.url.rpartition(":")[2]
    for name in (host, f"{host}:{port}"):
        lines = ["GET /api/models HTTP/1.1", f"Host: {name}", f"Authorization: Bearer {TOKEN}"]
        assert raw(studio.url, lines).status == 200


def test_an_allowed_host_and_the_public_address_are_names_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, allowed_hosts="Studio.Example", public_url="https://team.example/x") as api:
        for host, status in (("studio.example", 200), ("team.example", 200), ("other", 421)):
            lines = ["GET /api/models HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {TOKEN}"]
            assert raw(api.url, lines).status == status


EVIL_ORIGINS: tuple[dict[str, str], ...] = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1"},  # another port is another site
    {"origin": "http://127.0.0.1.evil.com"},
    {"origin": "http://[::1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    {"sec-fetch-site": "anything"},
)


@pytest.mark.parametrize("headers", EVIL_ORIGINS)
def test_other_sites_cannot_write_with_a_visitors_cookie(
    studio: InProcess, visitor: Api, headers: dict[str, str]
) -> None:
    agent = studio.create("agents")
    path = f"/api/agents/{agent['id']}"
    body = {"name": unique("evil"), "kind": "assistant"}
    for method, target, given in (
        ("POST", "/api/agents", body), ("PUT", path, body), ("DELETE", path, None),
        ("PATCH", "/api/sessions/x", {}), ("POST", "/api/sessions/x/stop", None),
        ("PUT", f"{path}/draft", {"a": 1}), ("POST", "/login", None),
    ):  # fmt: skip
        answer = visitor.http.request(method, target, json=given, headers=headers)
        assert answer.status_code == 403, (method, target, answer.text)
    assert studio.get(f"agents/{agent['id']}") == agent


@pytest.mark.parametrize("headers", EVIL_ORIGINS)
def test_other_sites_cannot_read_the_api_or_a_stream(
    studio: InProcess, visitor: Api, headers: dict[str, str]
) -> None:
    one = studio.start(studio.pair(studio.scripted("Hi", "Hi")))
    studio.wait(one)
    for path in (f"/api/sessions/{one}/stream", f"/api/sessions/{one}/events", "/api/models"):
        answer = visitor.http.get(path, headers=headers)
        assert answer.status_code == 403, path
        assert b"session_started" not in answer.content


def test_a_preflight_from_elsewhere_gets_no_permission(studio: InProcess) -> None:
    for origin in ("https://evil.example", f"{studio.url}.evil.example"):
        for path in ("/api/models", "/api/sessions/x/stream"):
            headers = {"origin": origin, "access-control-request-method": "POST"}
            answer = studio.http.options(path, headers=headers)
            assert answer.status_code >= 400
            assert "access-control-allow-origin" not in answer.headers


def test_our_own_pages_may(studio: InProcess, visitor: Api) -> None:
    for headers in ({"origin": studio.url}, {"sec-fetch-site": "same-origin"},
                    {"origin": studio.url, "sec-fetch-site": "same-origin"}, {}):  # fmt: skip
        body = {"name": unique("mine"), "kind": "assistant"}
        assert visitor.http.post("/api/agents", json=body, headers=headers).status_code == 201
        assert visitor.http.get("/api/agents", headers=headers).status_code == 200


def test_a_link_on_another_site_may_lead_to_a_page_but_not_into_the_api(visitor: Api) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert visitor.http.get("/api/models", headers=headers).status_code == 403
    assert visitor.http.get("/login", headers=headers).status_code != 403


def test_a_bearer_token_needs_no_origin(studio: InProcess) -> None:
    studio.create("agents")
    assert "origin" not in studio.http.headers


def test_every_answer_carries_the_headers_that_protect_browsers(
    studio: InProcess, visitor: Api
) -> None:
    stranger = Api(studio.url, None)
    one = studio.start(studio.pair(studio.scripted("Hi", "Hi")))
    studio.wait(one)
    answers = [
        stranger.http.get("/api/models"), stranger.http.get("/"), stranger.http.get("/api/health"),
        studio.http.get("/api/models"), studio.http.get("/api/nothing"),
        studio.http.get(f"/api/sessions/{one}/stream"), studio.http.post("/api/agents", json=1),
        visitor.http.get("/api/models", headers={"origin": "https://evil.example"}),
        studio.http.get("/api/models", headers={"host": "evil.example"}),
        studio.http.put("/api/models", content=b"x" * 5_000_000),
    ]  # fmt: skip
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        for rule in ("default-src 'self'", "script-src 'self'", "object-src 'none'",
                     "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
                     "img-src 'self' data:"):  # fmt: skip
            assert rule in policy.split("; "), (answer.url, policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] in ("no-store", "no-cache"), answer.url
        assert "access-control-allow-origin" not in answer.headers
    stranger.http.close()
