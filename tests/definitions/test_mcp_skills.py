"""Skills that are MCP servers: what may be written down, and what models are offered of it."""

from __future__ import annotations

from typing import Any

import psutil
import pytest

from studio.definitions.skills import (
    SKILL,
    McpSkillDefinition,
    OfferedTool,
    PythonSkillDefinition,
)

from ..builders import unique
from ..conftest import InProcess, serving

STDIO = {"kind": "stdio", "command": ["python3", "-m", "mcp_server_time"]}
HTTP = {"kind": "http", "url": "http://127.0.0.1:8931/mcp"}
ADD = {
    "name": "add", "description": "Adds.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
}  # fmt: skip


def mcp(**fields: Any) -> McpSkillDefinition:
    body = {"kind": "mcp", "name": "a server", "transport": STDIO, **fields}
    found = SKILL.validate_python(body)
    assert isinstance(found, McpSkillDefinition)
    return found


def test_a_skill_without_a_kind_is_python(studio: InProcess) -> None:
    old = {"name": "old", "source": "def f(a: int) -> int:\n    return a\n"}
    assert isinstance(SKILL.validate_python(old), PythonSkillDefinition)
    made = studio.create("skills", **(old | {"name": unique("old")}))
    assert made["kind"] == "python"
    assert [f["name"] for f in made["functions"]] == ["f"]


@pytest.mark.parametrize("transport", [STDIO, HTTP])
def test_the_least_that_is_needed_is_kept(studio: InProcess, transport: dict[str, Any]) -> None:
    children = psutil.Process().children(recursive=True)
    made = studio.create("skills", kind="mcp", name=unique("least"), transport=transport)
    assert (made["tools"], made["offered"], made["functions"]) == ([], [], [])
    assert (made["approval"], made["network"], made["idempotent"]) == ("always", "none", False)
    path = f"skills/{made['id']}"
    again = studio.put(path, studio.get(path))
    assert again["revision"] == 1
    studio.post(f"{path}/revisions/1/restore", status=200)
    assert psutil.Process().children(recursive=True) == children


def test_chosen_tools_are_offered_by_names_that_calls_allow(studio: InProcess) -> None:
    offered = [ADD, ADD | {"name": "say.it/back"}, ADD | {"name": "say it back"}]
    names = ["say it back", "add", "say.it/back", "never listed", "add"]
    made = studio.create(
        "skills", kind="mcp", name=unique("named"), transport=STDIO, offered=offered, tools=names
    )
    assert made["tools"] == names[:4]
    assert [f["name"] for f in made["functions"]] == ["say_it_back", "add", "say_it_back_2"]
    found = mcp(offered=offered, tools=names)
    assert found.by_function()["say_it_back_2"].name == "say.it/back"
    assert found.unlisted() == ["never listed"]
    long = [ADD | {"name": "n" * 70 + end} for end in "abc"]
    functions = [f.name for f in mcp(offered=long, tools=[t["name"] for t in long]).schemas()]
    assert len(set(functions)) == 3
    assert max(map(len, functions)) == 64


def test_packages_may_stand_beside_the_command() -> None:
    found = mcp(transport=STDIO | {"packages": ["mcp-server-time"]})
    assert found.packages == ["mcp-server-time"]
    found = mcp(transport=STDIO | {"packages": ["other"]}, packages=["mcp-server-time"])
    assert found.packages == ["mcp-server-time"]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"kind": "other"}, ["kind"]),
        ({"transport": None}, ["transport"]),
        ({"transport": {"kind": "smoke"}}, ["transport"]),
        ({"transport": {"kind": "stdio"}}, ["transport", "command"]),
        ({"transport": {"kind": "stdio", "command": []}}, ["transport", "command"]),
        ({"transport": STDIO | {"packages": ["--index-url"]}}, ["packages", 0]),
        ({"transport": STDIO | {"url": "http://x"}}, ["transport", "url"]),
        ({"transport": {"kind": "http", "url": "file:///etc/passwd"}}, ["transport", "url"]),
        ({"transport": {"kind": "http", "url": "http://u:p@x/mcp"}}, ["transport", "url"]),
        ({"transport": {"kind": "http", "url": "http://x:99999/"}}, ["transport", "url"]),
        ({"transport": HTTP | {"headers": {"Host": "KEY"}}}, ["transport", "headers"]),
        ({"transport": HTTP | {"headers": {"X-Key": "sk-value"}}}, ["transport", "headers"]),
        ({"transport": HTTP | {"headers": {"X Key": "KEY"}}}, ["transport", "headers"]),
        ({"source": "def f(a: int) -> int: ..."}, ["source"]),
        ({"offered": [ADD, ADD]}, ["offered"]),
        ({"offered": [ADD | {"description": "x" * 20_001}]}, ["offered", 0, "description"]),
        ({"offered": [ADD | {"parameters": {"x": "y" * 50_001}}]}, ["offered", 0, "parameters"]),
        ({"offered": [ADD | {"name": f"t{i}", "description": "x" * 19_000} for i in range(30)]},
         ["offered"]),
        ({"tools": ["x"] * 200 + [""]}, ["tools"]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_at_its_field(
    studio: InProcess, body: dict[str, Any], loc: list[str | int]
) -> None:
    given = {"kind": "mcp", "name": unique("refused"), "transport": STDIO, **body}
    problem = studio.refused("POST", "skills", given)
    assert [e["loc"][: len(loc)] for e in problem["errors"]] == [loc] * len(problem["errors"])


NONSENSE: list[dict[str, Any]] = [
    {"type": 5}, {"type": [["object"]]}, {"properties": "none"}, {"properties": {"a": True}},
    {"properties": {"a": {"anyOf": 5, "enum": 3, "type": {"x": 1}}}}, {"required": "a"},
    {"required": [1, None, "a"]}, {"properties": {"a": {"enum": []}}, "required": ["a"]},
    {"properties": {"a": {"type": "array", "items": [1]}}}, {"additionalProperties": 3},
    {"anyOf": [True, False, 3]}, {"$defs": [], "properties": {"a": {"$ref": "#/$defs/x"}}},
    {"properties": {"a": {"default": {"b": [1]}, "description": 7, "minimum": "x"}}},
    {"properties": {"": {}, "\u202ea": {}, "a b<c>": {"type": "string"}}}, {"type": "array"},
]  # fmt: skip


@pytest.mark.parametrize("schema", NONSENSE)
def test_a_schema_that_is_nonsense_breaks_no_page(
    studio: InProcess, schema: dict[str, Any]
) -> None:
    """What a server says of its tools is anything: it is put right once, and shown as it is."""
    tool = OfferedTool(name="odd", parameters=schema)
    assert OfferedTool(name="odd", parameters=tool.parameters).same_as(tool)
    assert tool.parameters["type"] == "object"
    offered = [ADD | {"name": "odd", "parameters": schema}]
    made = studio.create(
        "skills", kind="mcp", name=unique("odd"), transport=STDIO, offered=offered, tools=["odd"]
    )
    for path in (f"/skills/{made['id']}", "/skills"):
        assert studio.http.get(path).status_code == 200


def test_a_tool_is_the_same_when_nothing_a_model_reads_has_changed() -> None:
    tool = OfferedTool.model_validate(ADD)
    turned = {"required": ["a"], "properties": {"a": {"type": "integer"}}, "type": "object"}
    assert tool.same_as(OfferedTool.model_validate(ADD | {"parameters": turned}))
    assert not tool.same_as(OfferedTool.model_validate(ADD | {"description": "Adds!"}))
    less = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert not tool.same_as(OfferedTool.model_validate(ADD | {"parameters": less}))


def test_a_bundle_says_what_a_server_could_do(studio: InProcess, tmp_path_factory: Any) -> None:
    skills = [
        studio.create("skills", kind="mcp", name="Clock", transport=STDIO, secrets=["KEY"],
                      packages=["mcp-server-time"], offered=[ADD], tools=["add"])["id"],
        studio.create("skills", kind="mcp", name="Elsewhere",
                      transport=HTTP | {"headers": {"Authorization": "TOKEN"}})["id"],
    ]  # fmt: skip
    model = studio.scripted("Hello.")
    pair = studio.pair_of(studio.assistant(model, skills=skills))
    document = studio.http.get(f"/api/workflows/{pair}/export?format=json").text
    with serving(tmp_path_factory.mktemp("other") / "home") as other:
        staged = other.post("import", {"document": document}, 201)
        wanted = {w for w in staged["capabilities"] if w.startswith("skill")}
        assert wanted == {
            "skill Clock: runs the program python3 -m mcp_server_time",
            "skill Clock: is given the secret KEY",
            "skill Elsewhere: sends what agents ask to http://127.0.0.1:8931",
            "skill Elsewhere: sends the secret TOKEN to http://127.0.0.1:8931",
        }
        other.post(
            f"import/{staged['id']}/confirm", {"consent": staged["capabilities"]}, status=201
        )
        clock = next(s for s in other.everything("skills") if s["name"] == "Clock")
        assert [f["name"] for f in clock["functions"]] == ["add"]
        assert clock["packages"] == ["mcp-server-time"]
