"""config_list.py: where configurations come from, and which of them are wanted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from studio.engine.llm.config_list import (
    config_list_from_dotenv,
    config_list_from_json,
    config_list_from_models,
    config_list_openai_aoai,
    filter_config,
    get_config_list,
    wants_docker,
)

UNITS = json.loads((Path(__file__).parent.parent / "data" / "autogen_0_2_units.json").read_text())
LIST: list[dict[str, Any]] = [{"model": "a", "api_key": "secret-1"}, {"model": "b", "tags": ["x"]}]
VARIABLES = (
    "OAI_CONFIG_LIST", "OPENAI_API_KEY", "OPENAI_API_BASE", "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_API_BASE", "OTHER_KEY",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_configuration_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", UNITS["filter_config"]["cases"], ids=json.dumps)
def test_filter_config_like_the_reference(case: dict[str, Any]) -> None:
    found = filter_config(UNITS["filter_config"]["configs"], case["filter"], case["exclude"])
    assert [config["model"] for config in found] == case["out"]


class TestFilter:
    def test_a_plain_string_means_equality_not_a_part(self) -> None:
        configs = [{"model": "gpt-4"}, {"model": "gpt-4-32k"}, {"model": "gpt"}]
        assert filter_config(configs, {"model": "gpt-4"}) == [{"model": "gpt-4"}]
        assert filter_config(configs, {"model": "gpt-4"}, exclude=True) == [
            {"model": "gpt-4-32k"}, {"model": "gpt"},
        ]  # fmt: skip

    def test_a_plain_string_is_one_of_the_tags(self) -> None:
        assert filter_config(LIST, {"tags": "x"}) == [LIST[1]]

    def test_values_that_have_no_hash(self) -> None:
        assert filter_config([{"price": [[1, 2]]}], {"price": [[1, 2]]}) == [{"price": [[1, 2]]}]


class TestJson:
    def test_the_variable_holds_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OAI_CONFIG_LIST", f"\n {json.dumps(LIST)}")
        assert config_list_from_json("OAI_CONFIG_LIST") == LIST
        assert config_list_from_json("OAI_CONFIG_LIST", filter_dict={"model": ["b"]}) == [LIST[1]]

    def test_the_variable_names_a_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "mine.json").write_text(json.dumps(LIST), encoding="utf-8-sig")
        monkeypatch.setenv("OAI_CONFIG_LIST", str(tmp_path / "mine.json"))
        assert config_list_from_json("OAI_CONFIG_LIST", file_location="/nowhere") == LIST

    @pytest.mark.parametrize("location", ["", None, "sub"])
    def test_a_file_of_that_name(self, tmp_path: Path, location: str | None) -> None:
        folder = tmp_path / (location or "")
        folder.mkdir(exist_ok=True)
        (folder / "OAI_CONFIG_LIST").write_text(json.dumps(LIST))
        assert config_list_from_json("OAI_CONFIG_LIST", location) == LIST

    def test_neither_names_both_places(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            config_list_from_json("OAI_CONFIG_LIST", tmp_path)
        assert "environment variable OAI_CONFIG_LIST" in str(caught.value)
        assert str(tmp_path / "OAI_CONFIG_LIST") in str(caught.value)

    @pytest.mark.parametrize("value", ["sk-secret", "/no/such/file", "x" * 5000])
    def test_a_variable_that_is_no_place_is_not_repeated(
        self, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        monkeypatch.setenv("OAI_CONFIG_LIST", value)
        with pytest.raises(FileNotFoundError, match="neither JSON nor the path") as caught:
            config_list_from_json("OAI_CONFIG_LIST")
        assert value not in str(caught.value)

    @pytest.mark.parametrize(
        "text",
        ['[{"api_key": "sk-secret",', '{"api_key": "sk-secret"}', '["sk-secret"]', "[" * 100_000],
    )
    def test_corrupt_json_is_told_without_what_it_holds(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("OAI_CONFIG_LIST", text)
        with pytest.raises(ValueError, match="variable OAI_CONFIG_LIST") as caught:
            config_list_from_json("OAI_CONFIG_LIST")
        assert "secret" not in str(caught.value)
        assert not isinstance(caught.value, json.JSONDecodeError)

    def test_a_file_that_is_not_text(self, tmp_path: Path) -> None:
        (tmp_path / "OAI_CONFIG_LIST").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError, match="is not UTF-8"):
            config_list_from_json("OAI_CONFIG_LIST", tmp_path)


class TestKeys:
    def test_one_configuration_a_key_without_the_blank_ones(self) -> None:
        assert get_config_list(["k1", " ", "k2"], ["u1", "u2", ""], "azure", "v") == [
            {"api_key": "k1", "base_url": "u1", "api_type": "azure", "api_version": "v"},
            {"api_key": "k2", "api_type": "azure", "api_version": "v"},
        ]
        assert get_config_list([]) == []

    def test_other_numbers_of_addresses_are_an_error_without_the_keys(self) -> None:
        with pytest.raises(ValueError, match="1 API keys, but 2 base URLs"):
            get_config_list(["secret"], ["u1", "u2"])

    def test_files_fill_in_for_variables(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "key_openai.txt").write_text("from-file\n")
        (tmp_path / "key_aoai.txt").write_text("az1\naz2\n")
        (tmp_path / "base_aoai.txt").write_text("https://one\nhttps://two\n")
        assert [c["api_key"] for c in config_list_openai_aoai()] == ["from-file", "az1", "az2"]
        monkeypatch.setenv("OPENAI_API_KEY", "from-env")
        monkeypatch.setenv("OPENAI_API_BASE", "http://local")
        openai, azure, _ = config_list_openai_aoai(tmp_path)
        assert openai == {"api_key": "from-env", "base_url": "http://local"}
        assert (azure["base_url"], azure["api_type"]) == ("https://one", "azure")
        assert [c["api_key"] for c in config_list_openai_aoai(exclude="aoai")] == ["from-env"]
        assert [c["api_key"] for c in config_list_openai_aoai(exclude="openai")] == ["az1", "az2"]
        assert len(config_list_openai_aoai(None)) == 1
        assert "AZURE_OPENAI_API_KEY" not in os.environ, "nothing is written to the environment"

    def test_nothing_at_all_is_an_empty_list(self) -> None:
        assert config_list_openai_aoai() == []
        assert config_list_from_models(model_list=["m"]) == []

    def test_every_model_with_every_key(self, tmp_path: Path) -> None:
        (tmp_path / "key_openai.txt").write_text("k1\nk2")
        found = config_list_from_models(tmp_path, model_list=["m", "n"])
        assert [(c["model"], c["api_key"]) for c in found] == [
            ("m", "k1"), ("m", "k2"), ("n", "k1"), ("n", "k2"),
        ]  # fmt: skip
        assert "model" not in config_list_from_models(tmp_path)[0]

    def test_the_azure_addresses_are_not_those_of_openai(self, tmp_path: Path) -> None:
        (tmp_path / "key_openai.txt").write_text("k")
        (tmp_path / "base_aoai.txt").write_text("https://azure")
        (tmp_path / "key_aoai.txt").write_text("a")
        openai, azure = config_list_from_models(tmp_path, model_list=["m"])
        assert "base_url" not in openai
        assert azure["base_url"] == "https://azure"


class TestDotenv:
    def test_a_file_with_keys_by_model(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("OPENAI_API_KEY=k1\nOTHER_KEY='k2'\n")
        found = config_list_from_dotenv(
            tmp_path / ".env",
            {
                "mine": {"api_key_env_var": "OTHER_KEY", "base_url": "http://x"},
                "gpt-4": "OTHER_KEY",
            },
        )
        assert found == [
            {"api_key": "k2", "base_url": "http://x", "model": "mine"},
            {"api_key": "k2", "model": "gpt-4"},
            {"api_key": "k1", "model": "gpt-3.5-turbo"},
        ]
        assert "OTHER_KEY" not in os.environ

    def test_the_nearest_file_above_and_a_filter(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".env").write_text("OPENAI_API_KEY=k1\n")
        (tmp_path / "deep").mkdir()
        monkeypatch.chdir(tmp_path / "deep")
        assert config_list_from_dotenv(filter_dict={"model": "gpt-4"}) == [
            {"api_key": "k1", "model": "gpt-4"}
        ]

    def test_the_environment_wins(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("OPENAI_API_KEY=file\n")
        monkeypatch.setenv("OPENAI_API_KEY", "env")
        assert {c["api_key"] for c in config_list_from_dotenv()} == {"env"}

    def test_a_model_that_was_asked_for_and_has_no_key(self) -> None:
        with pytest.warns(UserWarning, match="no API key for mine: OTHER_KEY is not set"):
            assert config_list_from_dotenv(model_api_key_map={"mine": "OTHER_KEY"}) == []

    def test_a_missing_file_is_a_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "env")
        with pytest.warns(UserWarning, match=r"there is no file gone\.env"):
            assert len(config_list_from_dotenv("gone.env")) == 2

    def test_an_entry_of_another_type(self) -> None:
        wrong: Any = {"mine": 5}
        with pytest.raises(TypeError, match="entry of mine must be"):
            config_list_from_dotenv(model_api_key_map=wrong)


@pytest.mark.parametrize(
    ("word", "wanted"),
    [("1", True), ("True", True), ("t", True), ("0", False), ("NO", False), ("None", None)],
)
def test_docker_as_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, word: str, wanted: bool | None
) -> None:
    monkeypatch.setenv("AUTOGEN_USE_DOCKER", word)
    assert wants_docker() is wanted


def test_docker_is_wanted_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOGEN_USE_DOCKER", raising=False)
    assert wants_docker() is True
    monkeypatch.setenv("AUTOGEN_USE_DOCKER", "perhaps")
    with pytest.raises(ValueError, match="true, false or none, not 'perhaps'"):
        wants_docker()
