"""Logging in and API tokens: SECURITY R06, R07, R08 (without passwords) and R09."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from studio.web.credentials import RECHECK_SECONDS

from ..builders import Api, Json, until
from ..conftest import TOKEN, InProcess, Launch, serving
from ..fake_openai import FakeOpenAI
from .routes import raw, routes


def _token(studio: InProcess, scope: str = "write", **fields: object) -> Json:
    made: Json = studio.post("tokens", {"name": "robot", "scope": scope, **fields}, 201)
    return made


@contextmanager
def _as(studio: InProcess, token: str) -> Iterator[Api]:
    api = Api(studio.url, token)
    yield api
    api.http.close()


@contextmanager
def _browser(studio: Api) -> Iterator[httpx2.Client]:
    """A visitor who has logged in with the token."""
    with httpx2.Client(base_url=studio.url, trust_env=False, timeout=15) as client:
        answer = client.post("/login", data={"token": TOKEN})
        assert answer.status_code == 303, answer.text
        yield client


# -- R09: API tokens


def test_a_token_is_shown_once_and_its_hash_only_is_kept(own_studio: InProcess) -> None:
    made = _token(own_studio)
    token = made["token"]
    assert token.startswith("rts_")
    assert len(token) > 40
    with _as(own_studio, token) as robot:
        assert robot.create("agents")["name"]
    listed = own_studio.get("tokens")["items"]
    assert listed[0]["last_used_at"]
    assert {k: v for k, v in listed[0].items() if k != "last_used_at"} == {
        k: v for k, v in made.items() if k not in ("token", "last_used_at")
    }
    page = own_studio.http.get("/settings").text
    assert "robot" in page
    on_disk = b"".join(p.read_bytes() for p in own_studio.home.rglob("*") if p.is_file())
    for told in (str(listed).encode(), page.encode(), on_disk):
        assert token.encode() not in told


def test_a_reading_token_reads_and_changes_nothing(studio: InProcess) -> None:
    agent = studio.create("agents")
    path = f"agents/{agent['id']}"
    with _as(studio, _token(studio, "read")["token"]) as reader:
        assert reader.get(path) == agent
        for route in routes(studio.app):
            if route.method in ("GET", "HEAD", "OPTIONS") or route.path == "/login":
                continue
            answer = reader.http.request(route.method, route.filled(one=agent["id"]), json={})
            assert answer.status_code == 403, (route, answer.status_code)
    assert studio.get(path) == agent


def test_a_revoked_token_is_refused_at_once(studio: InProcess) -> None:
    made = _token(studio)
    with _as(studio, made["token"]) as robot:
        robot.get("agents")
        assert studio.call("DELETE", f"tokens/{made['id']}").status_code == 204
        robot.refused("GET", "agents", status=401)
    studio.refused("DELETE", f"tokens/{made['id']}", status=404)


def test_an_expired_token_is_refused(own_studio: InProcess) -> None:
    made = _token(own_studio, expires_in_days=1)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    with _as(own_studio, made["token"]) as robot:
        robot.get("agents")
        with closing(sqlite3.connect(own_studio.home / "studio.db")) as database, database:
            database.execute("UPDATE api_token SET expires_at = ?", (past,))
        robot.refused("GET", "agents", status=401)


def test_a_token_cannot_make_or_revoke_access(studio: InProcess) -> None:
    """A stolen one could else make others that outlive it."""
    made = _token(studio)
    with _as(studio, made["token"]) as robot:
        robot.refused("POST", "tokens", {"name": "mine"}, 403)
        robot.refused("DELETE", f"tokens/{made['id']}", status=403)
        robot.refused("DELETE", "logins/0123456789abcdef", status=403)
        answer = robot.http.post("/settings/tokens", data={"name": "x", "scope": "write"})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": " "}, {"name": "x" * 65}, {"name": "x", "scope": "admin"},
     {"name": "x", "expires_in_days": 0}, {"name": "x", "expires_in_days": "soon"},
     {"name": "x", "token": "rts_mine"}],
)  # fmt: skip
def test_a_token_that_cannot_be(studio: InProcess, body: Json) -> None:
    before = studio.get("tokens")
    studio.refused("POST", "tokens", body)
    assert studio.get("tokens") == before


def test_events_carry_the_name_of_the_token(studio: InProcess) -> None:
    with _as(studio, _token(studio)["token"]) as robot:
        one = robot.start(studio.pair(studio.scripted("Hi", "Hi")))
        studio.wait(one)
        assert studio.events(one)[0]["by"] == "robot"


# -- R07: cookies


def test_a_login_gives_a_new_cookie_with_all_its_flags(studio: InProcess) -> None:
    with httpx2.Client(base_url=studio.url, trust_env=False) as client:
        client.cookies.set("studio_session", "planted-by-somebody-else")
        answer = client.post("/login", data={"token": TOKEN})
        flags = answer.headers["set-cookie"].lower()
    assert "planted" not in flags
    assert all(flag in flags for flag in ("httponly", "samesite=lax", "path=/"))
    assert "secure" not in flags


def test_behind_https_the_cookie_is_secure(own_studio: InProcess) -> None:
    with serving(own_studio.home.with_name("https"), public_url="https://team.example") as api:
        answer = httpx2.post(f"{api.url}/login", data={"token": TOKEN}, trust_env=False)
        assert "secure" in answer.headers["set-cookie"].lower()


def test_after_a_logout_the_cookie_is_worth_nothing(studio: InProcess) -> None:
    with _browser(studio) as client:
        cookie = {"cookie": f"studio_session={client.cookies['studio_session']}"}
        assert client.get("/api/agents").status_code == 200
        client.post("/logout")
        answer = httpx2.get(f"{studio.url}/api/agents", headers=cookie, trust_env=False)
        assert answer.status_code == 401


def test_another_browser_can_be_logged_out(studio: InProcess) -> None:
    with _browser(studio) as mine, _browser(studio) as other:
        other.get("/api/agents", headers={"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})
        newest = mine.get("/api/logins").json()["items"][0]
        assert mine.delete(f"/api/logins/{newest['id']}").status_code == 204
        assert mine.delete(f"/api/logins/{newest['id']}").status_code == 404
        assert other.get("/api/agents").status_code == 401
        assert mine.get("/api/agents").status_code == 200
        for one in ("%", "_" * 16, newest["id"][:4]):
            assert mine.delete(f"/api/logins/{one}").status_code in (404, 405)


# -- R08: guessing


def test_who_guesses_must_wait_whatever_it_says_of_itself(own_studio: InProcess) -> None:
    answers = []
    for i in range(20):
        headers = {"x-forwarded-for": f"10.0.0.{i}", "forwarded": f"for=10.0.0.{i}"}
        with httpx2.Client(base_url=own_studio.url, trust_env=False) as client:
            answers.append(client.post("/login", data={"token": f"no{i}"}, headers=headers))
    codes = [answer.status_code for answer in answers]
    assert codes[:10] == [401] * 10
    assert set(codes[10:]) == {429}
    assert 0 < int(answers[-1].headers["retry-after"]) <= 301
    assert own_studio.get("agents") == {"items": [], "next": None}
    right = httpx2.post(f"{own_studio.url}/login", data={"token": TOKEN}, trust_env=False)
    assert right.status_code == 429


def test_the_served_studio_believes_no_forwarded_address(launch: Launch) -> None:
    studio = launch()
    codes = [
        httpx2.post(f"{studio.url}/login", data={"token": "no"}, trust_env=False,
                    headers={"x-forwarded-for": f"10.0.0.{i}"}).status_code
        for i in range(12)
    ]  # fmt: skip
    assert codes[-1] == 429


# -- R06: streams


@pytest.mark.parametrize("how", ["logout", "revoke"])
def test_an_open_stream_ends_soon_after_its_login(
    studio: InProcess, fake: FakeOpenAI, how: str
) -> None:
    hang = fake.endpoint("hang")
    one = studio.start(studio.pair(studio.model(hang)))
    until(lambda: hang.requests)
    made = _token(studio)
    with _browser(studio) as client:
        headers = {"authorization": f"Bearer {made['token']}"} if how == "revoke" else {}
        path = f"/api/sessions/{one}/stream"
        with client.stream("GET", path, headers=headers, timeout=20) as stream:
            pieces = stream.iter_raw()
            assert next(pieces)
            began = time.monotonic()
            if how == "revoke":
                studio.call("DELETE", f"tokens/{made['id']}")
            else:
                cookie = {"cookie": f"studio_session={client.cookies['studio_session']}"}
                httpx2.post(f"{studio.url}/logout", headers=cookie, trust_env=False)
            for _ in pieces:
                pass
            assert time.monotonic() - began < RECHECK_SECONDS + 10
    studio.verb(one, "stop")


def test_a_stranger_gets_not_a_byte_of_a_stream(studio: InProcess) -> None:
    one = studio.start(studio.pair(studio.scripted("Hi", "Hi")))
    studio.wait(one)
    host = studio.url.partition("//")[2]
    for path in (f"/api/sessions/{one}/stream", f"/sessions/{one}/stream"):
        for extra in ([], ["Cookie: studio_session=x"], ["Origin: https://evil.example"]):
            answer = raw(studio.url, [f"GET {path} HTTP/1.1", f"Host: {host}", *extra])
            assert answer.status in (303, 401, 403)
            assert b"session_started" not in answer.body


# -- a failure of ours


def test_a_failure_of_ours_is_guarded_too(studio: InProcess) -> None:
    """The last resort: no traceback to the client, and the same headers as every answer."""

    async def broken() -> None:
        raise RuntimeError(f"the log may see {TOKEN}, the client nothing")

    studio.app.add_api_route("/api/broken", broken)
    answer = studio.call("GET", "broken")
    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert TOKEN not in answer.text
    assert "RuntimeError" not in answer.text
    studio.app.router.routes.pop()
