"""Opening a form and pressing Save changes nothing, whatever the form does not show."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.builders import unique
from tests.conftest import StudioProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
SKILL = "def f(a: int) -> int:\n    return a\n"


def bodies(studio: StudioProcess) -> list[tuple[str, dict[str, Any]]]:
    """Definitions in which every field differs from its default."""
    model = studio.create(
        "models", provider="openai_compatible", model="x", base_url="http://127.0.0.1:1/v1",
        api_key="sk-12345678901234", parameters={"temperature": 0.5, "frequency_penalty": 0.5},
        price={"input": 1, "output": 2}, capabilities=["tools"], context_window=4096, size_b=3,
        timeout=50, word_delay=0.1, profile={"merge_roles": True},
    )  # fmt: skip
    other = studio.assistant(model["id"])
    pair = studio.create("workflows", kind="two_agent")
    skill = studio.create(
        "skills", source=SKILL, approval="once", network={"hosts": ["x.y"]},
        packages=["a", "b"], secrets=["K_1"], idempotent=True,
    )  # fmt: skip
    agent = studio.create(
        "agents", name=unique("A"), kind="assistant", system_message="hi", models=[model["id"]],
        skills=[skill["id"]], max_consecutive_auto_reply=3, default_auto_reply="x",
        is_termination_msg={"kind": "endswith", "text": "DONE"},
        code_execution_config={"executor": "docker", "image": "py:3", "timeout": 9,
                               "last_n_messages": 3, "approval": "always",
                               "network": {"hosts": ["a.b"]}},
        examples=[{"user": "u", "assistant": "a"}], history=3, ask="{task}",
        reply={"starts_with": ["a"], "kind": "json", "min_words": 2, "max_words": 9,
               "capitals": True, "schema": {"type": "object"}},
        parameters={"temperature": 0.1, "seed": 4}, cache_seed=7,
        context_variables={"a": 1},
        handoffs=[{"to": other, "when": "w"}], nested=[{"workflow": pair["id"]}],
    )  # fmt: skip
    team = [agent["id"], other]
    group = {
        "kind": "group_chat", "initiator": other, "agents": team, "max_round": 7,
        "speaker_selection_method": "auto", "models": [model["id"]], "limits": {"max_tokens": 500},
        "select_speaker_message_template": "x {roles}", "select_speaker_prompt_template": "y",
        "max_retries_for_selecting_speaker": 4, "summary_method": "reflection_with_llm",
        "summary_prompt": "s", "is_termination_msg": {"kind": "contains", "text": "Q"},
        "cache_seed": 9,
        "termination": {"text": "x"}, "context_variables": {"z": True},
    }  # fmt: skip
    allowed = {"allowed_or_disallowed_speaker_transitions": {agent["id"]: team, other: [other]},
               "speaker_transitions_type": "allowed"}  # fmt: skip
    one_way = studio.create("workflows", **group, **allowed)
    repeats = studio.create("workflows", **group, allow_repeat_speaker=[other])
    return [("models", model), ("skills", skill), ("agents", agent), ("workflows", one_way),
            ("workflows", repeats), ("workflows", pair)]  # fmt: skip


def test_saving_an_untouched_form_keeps_everything(
    launch: Callable[..., StudioProcess], browse: Callable[..., Page]
) -> None:
    studio = launch()
    page = browse(studio)
    lost = {}
    for noun, before in bodies(studio):
        page.goto(f"{studio.url}/{noun}/{before['id']}")
        page.get_by_role("button", name=re.compile("Save revision")).click()
        page.locator("#toasts .toast").wait_for()
        after = studio.get(f"{noun}/{before['id']}")
        for field in set(before) - {"revision", "updated_at"}:
            if after[field] != before[field]:
                lost[f"{noun} {field}"] = (before[field], after[field])
    assert lost == {}


def test_a_pair_is_made_by_form(
    launch: Callable[..., StudioProcess], browse: Callable[..., Page]
) -> None:
    studio = launch()
    model = studio.scripted("Hello.")
    names = [studio.get(f"agents/{studio.assistant(model)}")["name"] for _ in range(2)]
    page = browse(studio)
    page.goto(f"{studio.url}/workflows/new")
    page.get_by_label("Name", exact=True).fill("Two")
    page.get_by_label("Kind").select_option("two_agent")
    page.get_by_label("Initiator").select_option(label=names[0])
    page.get_by_label("Recipient").select_option(label=names[1])
    page.get_by_label("Turns at most").fill("2")
    page.get_by_role("button", name="Create workflow").click()
    page.wait_for_url(re.compile(r"/workflows/\w{20}"))
    made = studio.get(f"workflows/{page.url.rsplit('/', 1)[1].partition('?')[0]}")
    assert (made["kind"], made["max_turns"]) == ("two_agent", 2)
    assert None not in (made["initiator"], made["recipient"])
