"""Models: how to reach one LLM."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from .common import Definition, Line, Parameters, Strict, Text, web_address

Provider = Literal[
    "local", "scripted", "openai", "anthropic", "gemini", "openrouter", "groq", "mistral",
    "azure", "ollama", "lmstudio", "llamacpp", "vllm", "openai_compatible",
]  # fmt: skip


class Preset(Strict):
    """What a provider's name stands for; `env` is where people usually keep the key."""

    label: str
    base_url: str = ""
    env: str = ""
    example: str = ""
    author_prefix: bool = False
    system_first: bool = False
    merge_roles: bool = False
    tools: Literal["native", "none"] = "native"
    structured: Literal["json_schema", "grammar", "none"] = "none"


PRESETS: dict[str, Preset] = {
    "local": Preset(label="Built in", example="SmolLM2-135M-Instruct", author_prefix=True,
                    tools="none", structured="grammar"),
    "scripted": Preset(label="Scripted", tools="none"),
    "openai": Preset(label="OpenAI", base_url="https://api.openai.com/v1", env="OPENAI_API_KEY",
                     example="gpt-4.1-mini", structured="json_schema"),
    "anthropic": Preset(label="Anthropic", base_url="https://api.anthropic.com/v1",
                        env="ANTHROPIC_API_KEY", example="claude-haiku-4-5",
                        author_prefix=True, system_first=True, merge_roles=True),
    "gemini": Preset(label="Gemini", env="GEMINI_API_KEY", example="gemini-2.5-flash",
                     base_url="https://generativelanguage.googleapis.com/v1beta/openai",
                     author_prefix=True, system_first=True, structured="json_schema"),
    "openrouter": Preset(label="OpenRouter", base_url="https://openrouter.ai/api/v1",
                         env="OPENROUTER_API_KEY", example="openai/gpt-4.1-mini",
                         author_prefix=True),
    "groq": Preset(label="Groq", base_url="https://api.groq.com/openai/v1", env="GROQ_API_KEY",
                   example="llama-3.3-70b-versatile", author_prefix=True),
    "mistral": Preset(label="Mistral", base_url="https://api.mistral.ai/v1",
                      env="MISTRAL_API_KEY", example="mistral-small-latest",
                      author_prefix=True, system_first=True, merge_roles=True,
                      structured="json_schema"),
    "azure": Preset(label="Azure OpenAI", env="AZURE_OPENAI_API_KEY",
                    base_url="https://RESOURCE.openai.azure.com/openai/v1",
                    example="the deployment's name", structured="json_schema"),
    "ollama": Preset(label="Ollama", base_url="http://127.0.0.1:11434/v1", example="llama3.2",
                     author_prefix=True, structured="json_schema"),
    "lmstudio": Preset(label="LM Studio", base_url="http://127.0.0.1:1234/v1",
                       author_prefix=True, system_first=True, structured="json_schema"),
    "llamacpp": Preset(label="llama.cpp", base_url="http://127.0.0.1:8080/v1",
                       author_prefix=True, structured="grammar"),
    "vllm": Preset(label="vLLM", base_url="http://127.0.0.1:8000/v1", author_prefix=True,
                   structured="json_schema"),
    "openai_compatible": Preset(label="OpenAI-compatible"),
}  # fmt: skip


# Models of these providers run on machines of one's own: a call costs nothing.
FREE = frozenset({"local", "scripted", "ollama", "lmstudio", "llamacpp", "vllm"})


class ProfileDefinition(Strict):
    """How the server differs from the API; None takes the provider's usual value."""

    author_prefix: bool | None = None
    merge_roles: bool | None = None
    system_first: bool | None = None
    tools: Literal["native", "none"] | None = None
    structured: Literal["json_schema", "grammar", "none"] | None = None


class Price(Strict):
    """USD per million tokens."""

    input: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    output: Annotated[float, Field(ge=0, le=100_000)] = 0.0


class ScriptedCall(Strict):
    name: Annotated[str, StringConstraints(pattern=r"^[\w-]+$", max_length=64)]
    arguments: dict[str, Any] = {}


class ScriptedReply(Strict):
    """A reply that calls tools, a handoff for example: its tool is transfer_to_<agent>_<n>."""

    content: Text | None = None
    tool_calls: list[ScriptedCall] = Field(min_length=1, max_length=20)


class ModelDefinition(Definition):
    """One model. Without base_url the provider's own address is used.

    `secret` names where its key is kept; the key itself is never part of a definition.
    """

    read_only: ClassVar[frozenset[str]] = Definition.read_only | {"api_key_set", "api_key_hint"}
    provider: Provider = "openai_compatible"
    model: Annotated[str, Field(max_length=200)] = ""
    base_url: Annotated[str, Field(max_length=500)] = ""
    secret: Line | None = None
    parameters: Parameters = Parameters()
    price: Price | None = None
    context_window: Annotated[int, Field(ge=256, le=100_000_000)] | None = None
    size_b: Annotated[float, Field(ge=0, le=100_000)] | None = None
    capabilities: list[Literal["streaming", "tools", "json", "vision", "seed"]] = []
    timeout: Annotated[float, Field(gt=0, le=3600)] = 120.0
    profile: ProfileDefinition = ProfileDefinition()
    replies: list[Text | ScriptedReply] | dict[str, list[Text | ScriptedReply]] | None = None
    word_delay: Annotated[float, Field(ge=0, le=1)] = 0.0

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if not value:
            return value
        parts = web_address(value, "the key into the key field")
        if parts.query or parts.fragment:
            raise ValueError("an address has no ? and no #")
        return value

    @model_validator(mode="after")
    def _provider_needs(self) -> ModelDefinition:
        if self.provider != "scripted" and self.replies is not None:
            raise ValueError("only a scripted model has replies")
        return self

    @property
    def address(self) -> str:
        return self.base_url or PRESETS[self.provider].base_url

    @property
    def destination(self) -> str:
        """Scheme, host and port: what a key is bound to."""
        parts = urlsplit(self.address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else ""

    def effective_profile(self) -> dict[str, Any]:
        preset = PRESETS[self.provider]
        chosen = self.profile.model_dump()
        return {k: getattr(preset, k) if v is None else v for k, v in chosen.items()}


class ModelInput(ModelDefinition):
    """What a client may send: `api_key` goes in and never comes out; null clears it."""

    read_only: ClassVar[frozenset[str]] = ModelDefinition.read_only | {"secret"}
    api_key: SecretStr | None = None

    @field_validator("api_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value().strip()
        if not key:
            return None
        if not key.isascii() or not key.isprintable() or len(key) > 4096 or " " in key:
            raise ValueError("a key is one line of plain characters without spaces")
        return SecretStr(key)

    def definition(self, secret: str | None) -> ModelDefinition:
        """The definition without the key; `secret` names where the key is kept."""
        body = self.model_dump(mode="json", exclude={"api_key"})
        return ModelDefinition.model_validate(body | {"secret": secret})
