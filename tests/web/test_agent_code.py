"""The part of an agent's form about code, and the secrets that it lets its skills use."""

from __future__ import annotations

import pytest

from ..builders import Json, unique
from ..conftest import InProcess
from .html_forms import Form, check_draft_and_failed_save, check_untouched, opened, save, send

CODE: Json = {
    "executor": "docker", "image": "python:3.12-slim", "timeout": 90, "last_n_messages": 3,
    "approval": "always", "network": {"hosts": ["a.example", "*.b.example:8443"]},
    "packages": ["pandas>=2,<3", "matplotlib"],
}  # fmt: skip
BODIES: dict[str, Json] = {
    "all of it": {"code_execution_config": CODE},
    "the usual": {"code_execution_config": {}},
    "an open network": {"code_execution_config": {"network": "open", "executor": "sandbox"}},
    "no host": {"code_execution_config": {"network": {"hosts": []}}},
    "off": {"code_execution_config": False},
    "secrets that no skill asks for": {"secrets": ["B_KEY", "A_KEY"]},
}


@pytest.fixture(scope="module")
def skills(studio: InProcess) -> list[str]:
    source = "def f{n}(a: int) -> int:\n    return a\n"
    return [
        studio.create("skills", source=source.format(n=n), secrets=secrets)["id"]
        for n, secrets in enumerate(([], ["FIRST_KEY", "SHARED"], ["SHARED", "LAST_KEY"]))
    ]


@pytest.mark.parametrize("name", BODIES)
def test_an_untouched_form_changes_nothing(studio: InProcess, name: str) -> None:
    check_untouched(studio, "agents", BODIES[name])
    check_draft_and_failed_save(studio, "agents", BODIES[name], "ask", "No spaces please")


def test_chosen_skills_and_secrets_keep_their_order(studio: InProcess, skills: list[str]) -> None:
    body = {"skills": skills[::-1], "secrets": ["SHARED", "FIRST_KEY", "GONE"]}
    check_untouched(studio, "agents", body)


def test_what_is_typed_is_what_is_stored(studio: InProcess) -> None:
    one = studio.assistant()
    form = opened(studio, f"/agents/{one}")
    config = {k: str(v) for k, v in CODE.items() if k not in ("network", "packages")}
    typed = {f"code_execution_config.{k}": v for k, v in config.items()} | {
        "runs_code": "true", "code.network": "hosts",
        "code.hosts": "a.example\r\n\r\n *.B.example:8443 ",
        "code.packages": "pandas>=2,<3\r\nmatplotlib",
    }  # fmt: skip
    controls = {k.replace(".", "__"): v for k, v in typed.items()}
    made = save(studio, "agents", one, form.but(**controls))
    assert made["code_execution_config"] == CODE
    emptied = opened(studio, f"/agents/{one}").but(
        code__packages="", code__network="none", code_execution_config__image="",
        code_execution_config__timeout="", code_execution_config__executor="auto",
        code_execution_config__approval="never", code_execution_config__last_n_messages="",
    )  # fmt: skip
    made = save(studio, "agents", one, emptied)
    assert made["code_execution_config"] == {
        "executor": "auto", "image": None, "timeout": 60, "last_n_messages": "auto",
        "approval": "never", "network": "none", "packages": [],
    }  # fmt: skip
    off = opened(studio, f"/agents/{one}").but(runs_code="false")
    assert save(studio, "agents", one, off)["code_execution_config"] is False


@pytest.mark.parametrize(
    ("controls", "place", "words"),
    [
        ({"code.packages": "numpy\n--index-url=http://x"}, "code.packages",
         "--index-url=http://x: "),
        ({"code.packages": "numpy\nhttps://x.example/a.whl"}, "code.packages", "a.whl: "),
        ({"code.packages": "x.whl"}, "code.packages", "by name, like pandas"),
        ({"code.network": "hosts", "code.hosts": "a.example\nhttps://b.example/"}, "code.hosts",
         "https://b.example/: "),
        ({"code.network": "hosts", "code.hosts": "a.example\na.example"}, "code.hosts", "twice"),
        ({"code_execution_config.timeout": "0"}, "code_execution_config.timeout", "At least 1"),
    ],
)  # fmt: skip
def test_a_fault_stands_at_its_control(
    studio: InProcess, controls: Json, place: str, words: str
) -> None:
    one = studio.assistant()
    given = {"runs_code": "true", **controls}
    form = opened(studio, f"/agents/{one}")
    sent = form.but(**{k.replace(".", "__"): v for k, v in given.items()})
    answer = send(studio, f"/agents/{one}", sent)
    assert answer.status_code == 422
    errors = Form(answer.text).errors
    assert list(errors) == [place]
    assert words in errors[place], errors


def test_secrets_of_the_chosen_skills_are_ticked_one_by_one(
    studio: InProcess, skills: list[str]
) -> None:
    one = studio.create("agents", skills=skills[1:], secrets=["SHARED"])["id"]
    page = studio.http.get(f"/agents/{one}").text
    assert 'value="SHARED" checked' in page
    assert 'value="FIRST_KEY">' in page
    assert 'value="LAST_KEY">' in page
    form = opened(studio, f"/agents/{one}")
    more = [*form.sent, ("secrets[]", "LAST_KEY")]
    send(studio, f"/agents/{one}/autosave", more)
    assert 'value="LAST_KEY" checked' in studio.http.get(f"/agents/{one}").text
    assert save(studio, "agents", one, more)["secrets"] == ["SHARED", "LAST_KEY"]
    none = [(k, v) for k, v in opened(studio, f"/agents/{one}").sent if k != "secrets[]" or not v]
    send(studio, f"/agents/{one}/autosave", none)
    assert 'value="SHARED">' in studio.http.get(f"/agents/{one}").text, "the draft has none"
    assert save(studio, "agents", one, none)["secrets"] == []
    form = opened(studio, f"/agents/{one}")
    bare = [(k, v) for k, v in form.sent if k != "skills[]" or not v]
    assert save(studio, "agents", one, bare)["skills"] == []


def test_secrets_appear_as_skills_are_chosen(studio: InProcess, skills: list[str]) -> None:
    def part(*controls: tuple[str, str]) -> str:
        return str(send(studio, "/agents/parts/secrets", list(controls)).text)

    assert "fieldset" not in part(("skills[]", skills[0]))
    shown = part(("skills[]", skills[1]), ("skills[]", skills[2]), ("secrets[]", "SHARED"))
    assert shown.count("SHARED") == 1 + 1
    assert 'value="SHARED" checked' in shown
    assert "FIRST_KEY" in shown
    assert "<b>" not in part(("secrets[]", "<b>"))
    assert part(("skills[]", "gone")).strip().startswith("<div")


def test_the_interface_takes_no_options_and_no_odd_names(studio: InProcess) -> None:
    wrong = [["-r x"], ["--pre"], ["a b"], ["a;b"], ["./x"], ["a @ http://x"], [""], ["x.zip"],
             ["a" * 101], ["é"], ["a\n"], [1], "pandas", ["a"] * 51]  # fmt: skip
    for packages in wrong:
        body = {"name": unique("a"), "code_execution_config": {"packages": packages}}
        problem = studio.refused("POST", "agents", body)
        assert problem["errors"][0]["loc"][:2] == ["code_execution_config", "packages"], packages
    for secret in ("lower", "A-B", "1A", "A" * 65, ""):
        studio.refused("POST", "agents", {"name": unique("a"), "secrets": [secret]})
