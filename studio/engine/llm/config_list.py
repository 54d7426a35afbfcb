"""Lists of model configurations from JSON, key files, a .env file and the environment.

A configuration is the plain dict of AutoGen 0.2's `config_list`: {"model", "api_key", "base_url"?,
"api_type"?, "api_version"?, "tags"?, ...}. This is the one engine file that reads the environment;
nothing here writes to it. Messages of errors name places, never what was found there: it may be a
key.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Config = dict[str, Any]
AZURE_API_VERSION = "2024-02-01"
_DEFAULT_MODELS = ("gpt-4", "gpt-3.5-turbo")
_YES, _NO = ("1", "true", "yes", "t"), ("0", "false", "no", "f")


def config_list_from_json(
    env_or_file: str,
    file_location: str | Path | None = "",
    filter_dict: Mapping[str, Any] | None = None,
) -> list[Config]:
    """The configurations named `env_or_file`, usually "OAI_CONFIG_LIST".

    The environment variable of that name holds JSON or the path of a JSON file; without it, a file
    of that name in `file_location` is read. `filter_dict` is applied as by `filter_config`.

    Raises FileNotFoundError when neither place has anything, ValueError for what is not a JSON
    list of objects.
    """
    source, text = _find(env_or_file, Path(file_location or ""))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Not "from error": the decoder's error carries the whole text, keys included.
        raise ValueError(f"{source} is not valid JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError(f'{source} must hold a JSON list of objects, like [{{"model": "..."}}]')
    return filter_config(found, filter_dict)


def _find(name: str, folder: Path) -> tuple[str, str]:
    """Where the JSON is, in words, and its text."""
    value = os.environ.get(name, "").strip()
    variable = f"the environment variable {name}"
    if value.startswith(("[", "{")):
        return variable, value
    path = Path(value) if value else folder / name
    if not os.path.isfile(path):
        if value:
            raise FileNotFoundError(
                f"{variable} holds neither JSON nor the path of a file; "
                f"without it, the file {folder / name} would be read"
            )
        raise FileNotFoundError(f"no model configurations: neither {variable} nor a file {path}")
    source = f"the file that {variable} names" if value else f"the file {path}"
    try:
        return source, path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{source} is not UTF-8 text") from None


def filter_config(
    config_list: Iterable[Config],
    filter_dict: Mapping[str, Any] | None,
    exclude: bool = False,
) -> list[Config]:
    """The configurations of which every key of `filter_dict` has an acceptable value.

    A criterion is a list of acceptable values or a single one; a configuration's own list (its
    "tags") needs one of them. A missing key and None never match, as in AutoGen 0.2.40, whose
    documentation says otherwise. With `exclude`, what meets any criterion is dropped.
    A plain string means equality: AutoGen would look for it as a part of the string.
    """
    return [
        config
        for config in config_list
        if all(_meets(config.get(key), wanted) != exclude for key, wanted in _items(filter_dict))
    ]


def _items(filter_dict: Mapping[str, Any] | None) -> list[tuple[str, list[Any]]]:
    return [
        (key, list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted])
        for key, wanted in (filter_dict or {}).items()
    ]


def _meets(value: Any, wanted: list[Any]) -> bool:
    if isinstance(value, list):
        return any(item in wanted for item in value)
    return value is not None and value in wanted


def get_config_list(
    api_keys: Sequence[str],
    base_urls: Sequence[str] | None = None,
    api_type: str | None = None,
    api_version: str | None = None,
) -> list[Config]:
    """One configuration for each key that is not blank.

    `base_urls`, if any, are as many as the keys: the first belongs to the first, and so on.
    Raises ValueError when their numbers differ.
    """
    if base_urls and len(base_urls) != len(api_keys):
        raise ValueError(f"{len(api_keys)} API keys, but {len(base_urls)} base URLs: give as many")
    shared = {
        key: value for key, value in (("api_type", api_type), ("api_version", api_version)) if value
    }
    return [
        {"api_key": key.strip()} | ({"base_url": url.strip()} if url.strip() else {}) | shared
        for key, url in zip(api_keys, base_urls or [""] * len(api_keys), strict=True)
        if key.strip()
    ]


def config_list_openai_aoai(
    key_file_path: str | Path | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    aoai_api_key_file: str | None = "key_aoai.txt",
    openai_api_base_file: str | None = "base_openai.txt",
    aoai_api_base_file: str | None = "base_aoai.txt",
    exclude: str | None = None,
) -> list[Config]:
    """Configurations without a model for OpenAI and then for Azure OpenAI.

    Keys and base URLs, one a line, come from OPENAI_API_KEY, OPENAI_API_BASE, AZURE_OPENAI_API_KEY
    and AZURE_OPENAI_API_BASE, and where such a variable is not set from the file in the folder
    `key_file_path` (None: no files). A missing file is no error. `exclude` is "openai" or "aoai".
    Raises ValueError when there are base URLs, but not as many as keys.
    """

    def lines(variable: str, file: str | None) -> list[str]:
        text = os.environ.get(variable)
        if text is None and key_file_path is not None and file:
            path = Path(key_file_path, file)
            text = path.read_text(encoding="utf-8-sig") if path.is_file() else None
        return (text or "").strip().splitlines()

    found: list[Config] = []
    if exclude != "openai":
        found += get_config_list(
            lines("OPENAI_API_KEY", openai_api_key_file),
            lines("OPENAI_API_BASE", openai_api_base_file),
        )
    if exclude != "aoai":
        keys = lines("AZURE_OPENAI_API_KEY", aoai_api_key_file)
        bases = lines("AZURE_OPENAI_API_BASE", aoai_api_base_file)
        found += get_config_list(keys, bases, "azure", AZURE_API_VERSION)
    return found


def config_list_from_models(
    key_file_path: str | Path | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    aoai_api_key_file: str | None = "key_aoai.txt",
    aoai_api_base_file: str | None = "base_aoai.txt",
    exclude: str | None = None,
    model_list: Sequence[str] | None = None,
    *,
    openai_api_base_file: str | None = "base_openai.txt",
) -> list[Config]:
    """Every configuration of `config_list_openai_aoai` for every model, ordered by model.

    Without a `model_list` they have no model. (AutoGen 0.2 passes the Azure base file on as the
    one of OpenAI; here each is read as what it is.)
    """
    configs = config_list_openai_aoai(
        key_file_path=key_file_path,
        openai_api_key_file=openai_api_key_file,
        aoai_api_key_file=aoai_api_key_file,
        openai_api_base_file=openai_api_base_file,
        aoai_api_base_file=aoai_api_base_file,
        exclude=exclude,
    )
    if not model_list:
        return configs
    return [{**config, "model": model} for model in model_list for config in configs]


def config_list_from_dotenv(
    dotenv_file_path: str | Path | None = None,
    model_api_key_map: Mapping[str, str | Mapping[str, Any]] | None = None,
    filter_dict: Mapping[str, Any] | None = None,
) -> list[Config]:
    """One configuration for each model whose key is in a .env file or the environment.

    `model_api_key_map` is {model: name of the variable} or {model: {"api_key_env_var", "base_url",
    "api_type", ...}}; gpt-4 and gpt-3.5-turbo are added with OPENAI_API_KEY, as in AutoGen 0.2.
    Without a path, the .env of the working directory or the nearest one above it is read. The
    environment wins over the file and is left as it is. A model without a key is left out with a
    warning, a missing file is a warning.
    Raises TypeError for an entry of the map that is neither a string nor a mapping.
    """
    values = _dotenv(dotenv_file_path)
    asked = dict(model_api_key_map or {})
    defaults = {m: "OPENAI_API_KEY" for m in _DEFAULT_MODELS if m not in asked}
    found = []
    for model, entry in {**asked, **defaults}.items():
        if not isinstance(entry, str | Mapping):
            raise TypeError(
                f"the entry of {model} must be the name of a variable or a mapping, "
                f"not {type(entry).__name__}"
            )
        rest = {"api_key_env_var": entry} if isinstance(entry, str) else dict(entry)
        variable = rest.pop("api_key_env_var", "OPENAI_API_KEY")
        if key := (values.get(variable) or "").strip():
            found.append({"api_key": key, **rest, "model": model})
        elif model in asked:
            warnings.warn(f"no API key for {model}: {variable} is not set", stacklevel=2)
    return filter_config(found, filter_dict)


def wants_docker() -> bool | None:
    """What AUTOGEN_USE_DOCKER says of running code: True (also when unset), False, or None.

    None is the word "none": AutoGen 0.2 then takes Docker where it runs. Raises ValueError for any
    other word than 1, true, yes, t, 0, false, no, f and none, in capitals or not.
    """
    word = os.environ.get("AUTOGEN_USE_DOCKER", "true").lower()
    if word == "none":
        return None
    if word not in (*_YES, *_NO):
        raise ValueError(f"AUTOGEN_USE_DOCKER must be true, false or none, not {word!r}")
    return word in _YES


def _dotenv(path: str | Path | None) -> dict[str, str | None]:
    from dotenv import dotenv_values, find_dotenv

    file = str(path) if path else find_dotenv(usecwd=True)
    if path and not os.path.isfile(file):
        warnings.warn(f"there is no file {path}: only the environment is read", stacklevel=3)
        file = ""
    return {**(dotenv_values(file) if file else {}), **os.environ}


def variable(name: str) -> str:
    """A variable of the environment, "" where it is not set."""
    return os.environ.get(name, "")
