"""The two things that people want of agents that act: code that fetches and draws, and a skill of
one's own; each asked about first, in a real page, in both kinds of boxes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.boxes import KINDS, needed
from tests.browser.conftest import PHONE
from tests.browser.test_pages import violations
from tests.builders import Json
from tests.conftest import InProcess, serving
from tests.runner.conftest import finance as finance

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
# A PNG by hand: the line of each share, rising or falling from the middle.
PLOT = r"""# filename: compare.py
import csv, struct, urllib.error, urllib.request, zlib

gains = {}
for share in ("META", "TSLA"):
    with urllib.request.urlopen(f"http://HOST/{share}.csv") as answer:
        rows = list(csv.DictReader(answer.read().decode().splitlines()))
    gains[share] = [float(row["close"]) / float(rows[0]["close"]) - 1 for row in rows]
try:
    urllib.request.urlopen("http://news.example/today")
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
with open("gains.csv", "w") as file:
    print("day,META,TSLA", file=file)
    for day, both in enumerate(zip(gains["META"], gains["TSLA"])):
        print(day, *(f"{value:.4f}" for value in both), sep=",", file=file)
wide, high = 320, 120
rows = [bytearray(b"\xff\xff\xff" * wide) for _ in range(high)]
for share, colour in (("META", b"\x30\x50\xe0"), ("TSLA", b"\xd0\x30\x30")):
    for x in range(wide):
        value = gains[share][x * len(gains[share]) // wide]
        y = int(high / 2 - value * 800)
        for thick in range(-1, 2):
            if 0 <= y + thick < high:
                rows[y + thick][3 * x:3 * x + 3] = colour
def chunk(kind, data):
    whole = kind + data
    return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))
pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
with open("gains.png", "wb") as file:
    header = struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0)
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header))
    file.write(chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
print({share: f"{values[-1]:+.1%}" for share, values in gains.items()})
"""
TASK = "What date is today? Compare the year-to-date gain for META and TESLA."
SKILL = '''def convert(amount: float, rate: float = 1.1) -> float:
    """Convert dollars to euros.

    amount: dollars
    """
    print("converting", amount)
    return round(amount / rate, 2)
'''


@pytest.fixture(scope="module", params=KINDS)
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InProcess]:
    home = tmp_path_factory.mktemp("boxed") / "home"
    with serving(home, boxes=needed(request.param), allowed_hosts="localhost") as api:
        yield api


def pair(studio: InProcess, host: str) -> str:
    code = PLOT.replace("HOST", host)
    model = studio.scripted(f"I fetch both.\n\n```python\n{code}```", "META wins. TERMINATE")
    writer = studio.assistant(model, name="Assistant")
    runner = studio.stand_in(
        name="User", default_auto_reply="", max_consecutive_auto_reply=10,
        is_termination_msg={"kind": "endswith"},
        code_execution_config={"network": {"hosts": [host]}},
    )  # fmt: skip
    given = {"kind": "two_agent", "initiator": runner, "recipient": writer}
    return str(studio.create("workflows", name="Shares", **given)["id"])


def saved(studio: InProcess, one: str) -> dict[str, Json]:
    items = studio.get(f"sessions/{one}/artifacts")["items"]
    return {item["name"]: item for item in items}


def test_the_pair_fetches_draws_and_its_files_are_seen_and_taken_home(
    studio: InProcess, browse: Callable[..., Page], finance: str, tmp_path: Path
) -> None:
    one = studio.start(pair(studio, finance), TASK)
    page = browse(studio)
    page.goto(f"{studio.url}/sessions/{one}")
    card = page.locator(".ask-card")
    card.get_by_text("May code of User reach the network?").wait_for()
    expect(card.locator(".hosts code")).to_have_text([finance])
    assert violations(page) == []
    card.get_by_role("button", name="Allow for this workflow").click()
    page.locator("#bar").get_by_text("Finished").wait_for()

    turn = page.locator(".turn", has_text="Code output: 403 news.example")
    turn.get_by_text("3 network requests, 1 refused").wait_for()
    expect(turn.locator(".requests")).to_contain_text("news.example is not among")
    picture = turn.locator("figure.artifact img[alt='gains.png']")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 320)
    page.get_by_role("tab", name="Artifacts").click()
    page.locator(".file").get_by_role("link", name="gains.csv").click()
    expect(page.locator("tbody tr")).to_have_count(20)
    expect(page.locator("thead")).to_contain_text("TSLA")

    files = saved(studio, one)
    assert sorted(files) == ["compare.py", "gains.csv", "gains.png"]
    for name, item in files.items():
        page.goto(f"{studio.url}/sessions/{one}/artifacts/{item['id']}")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").first.click()
        kept = tmp_path / name
        download.value.save_as(kept)
        assert download.value.suggested_filename == name
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == item["sha256"]
    asked = [e for e in studio.events(one) if e["kind"] == "network_used"]
    assert [(e["host"], e["allowed"]) for e in asked] == [
        ("localhost", True), ("localhost", True), ("news.example", False),
    ]  # fmt: skip


def call(**arguments: Any) -> Json:
    return {"tool_calls": [{"name": "convert", "arguments": arguments}]}


def group(studio: InProcess, skill: str) -> str:
    """A stand-in, an agent with the skill and one without, in a group chat."""
    replies = [call(amount=110), call(amount=220), call(amount=220), "200 euros. TERMINATE"]
    model = studio.create("models", provider="scripted", replies=replies)
    banker = studio.assistant(model["id"], name="Banker", skills=[skill])
    critic = studio.assistant(studio.scripted("Is that right?"), name="Critic")
    admin = studio.stand_in(name="Admin")
    return str(studio.create(
        "workflows", name="Bank", kind="group_chat", initiator=admin,
        agents=[admin, banker, critic], speaker_selection_method="round_robin", max_round=12,
        is_termination_msg={"kind": "endswith"},
    )["id"])  # fmt: skip


def test_a_skill_of_ones_own_is_called_after_an_approval_in_the_page(
    studio: InProcess, browse: Callable[..., Page]
) -> None:
    """Written and tested in the browser; approved, changed arguments ask again, refused."""
    page = browse(studio)
    page.goto(f"{studio.url}/skills/new")
    page.get_by_label("Name", exact=True).fill("Exchange")
    page.get_by_role("textbox", name="Python source").fill(SKILL)
    page.keyboard.press("Control+s")
    page.get_by_text("Created.").wait_for()
    page.get_by_label("amount * number").fill("11")
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_label("Result").first).to_have_text("10.0")
    skill = page.url.rpartition("/")[2].partition("?")[0]

    one = studio.start(group(studio, skill), "How many euros are 220 dollars?")
    page = browse(studio, "dark", PHONE)
    page.goto(f"{studio.url}/sessions/{one}")
    card = page.locator(".ask-card")
    card.get_by_text("Banker calls convert").wait_for()
    expect(card.locator("code").first).to_contain_text('"amount": 110')
    assert violations(page) == []
    card.get_by_role("button", name="Approve").click()
    expect(page.locator(".ask-card code").first).to_contain_text('"amount": 220')
    page.get_by_label("Reason").fill("Ask for less")
    page.get_by_role("button", name="Reject").click()
    page.locator(".judged", has_text="rejected: Ask for less").wait_for()
    page.locator(".ask-card summary", has_text="Change it").click()
    editor = page.locator(".cm-content")  # it comes a moment after its fold was opened
    arguments = page.get_by_role("textbox", name="Arguments").and_(editor)
    arguments.fill('{"amount": ')
    page.get_by_role("button", name="Run what I changed").click()
    page.get_by_text("Write a JSON object").wait_for()
    expect(arguments).to_have_text('{"amount": ')
    assert violations(page) == []
    arguments.fill('{"amount": 22}')
    page.keyboard.press("Control+Enter")
    page.locator("#bar").get_by_text("Finished").wait_for()
    returned = [e["content"] for e in studio.events(one) if e["kind"] == "tool_returned"]
    assert returned == [
        "100.0",
        "Error: convert was refused by a person: Ask for less",
        '(A person changed the arguments to {"amount": 22})\n20.0',
    ]
    expect(page.locator(".judged")).to_have_count(3)
