"""Model definitions as the engine needs them: endpoints resolved late, prices, clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..config import Settings
from ..definitions.models import FREE, ModelDefinition
from ..engine.errors import ModelError
from ..engine.llm.models import Endpoint, ModelClient, ModelSpec, Profile
from ..engine.llm.openai_client import OpenAIClient
from ..engine.llm.scripted import ScriptedClient
from ..errors import ForbiddenError
from ..store.known_secrets import KnownSecrets
from .addresses import check_address

LOCAL_WINDOW = 2048
LOCAL_MAX_TOKENS = 256


class LocalModel(Protocol):
    """The built-in model: `endpoint` starts its server when needed."""

    async def endpoint(self) -> Endpoint: ...


class Models:
    """Builds model specs and owns the clients of this process."""

    def __init__(self, settings: Settings, secrets: KnownSecrets, local: LocalModel) -> None:
        self.settings, self.secrets, self.local = settings, secrets, local
        self.openai = OpenAIClient()
        self._scripted = ScriptedClient()

    def client(self, spec: ModelSpec) -> ModelClient:
        return self._scripted if spec.provider == "scripted" else self.openai

    def spec(self, owner: str, one: str, model: ModelDefinition) -> ModelSpec:
        price_in, price_out = self._price(model)
        parameters = model.parameters.given()
        window = model.context_window or 0
        if model.provider == "local":
            window = min(window or LOCAL_WINDOW, LOCAL_WINDOW)
            limit = int(parameters.get("max_tokens") or LOCAL_MAX_TOKENS)
            parameters["max_tokens"] = min(limit, LOCAL_MAX_TOKENS)
        return ModelSpec(
            id=one,
            name=model.name,
            model=model.model or "smollm2-135m-instruct",
            provider=model.provider,
            endpoint=self.endpoint_of(owner, model),
            parameters=parameters,
            price_in=price_in,
            price_out=price_out,
            context_window=window,
            timeout=model.timeout,
            profile=Profile(**model.effective_profile()),
            script=model.model_dump(include={"replies"}) if model.replies is not None else None,
            word_delay=model.word_delay,
        )

    def endpoint_of(self, owner: str, model: ModelDefinition) -> Callable[[], Awaitable[Endpoint]]:
        """Resolves address and key when the call is made: an edited key is used at once."""

        async def resolve() -> Endpoint:
            if model.provider == "local":
                return await self.local.endpoint()
            if model.provider == "scripted":
                return Endpoint("", "")
            try:
                await check_address(self.settings, model.address)
            except ForbiddenError as error:
                raise ModelError(str(error), code="address") from None
            return Endpoint(model.address, await self._key(owner, model))

        return resolve

    async def _key(self, owner: str, model: ModelDefinition) -> str:
        name = model.secret
        if name is None:
            return ""
        key = await self.secrets.key(owner, name, model.destination)
        if key is None:
            raise ModelError(f"The key of {model.name} must be entered again", code="secret")
        return key

    @staticmethod
    def _price(model: ModelDefinition) -> tuple[float | None, float | None]:
        if model.price is not None:
            return model.price.input, model.price.output
        if model.provider in FREE:
            return 0.0, 0.0
        return known_price(model)

    async def close(self) -> None:
        await self.openai.close()


def known_price(model: ModelDefinition) -> tuple[float | None, float | None]:
    """List price in USD per million tokens, where the provider and model are known."""
    providers = {"gemini": "google", "openai_compatible": None}
    provider = providers.get(model.provider, model.provider)
    if provider is None:
        return None, None
    from genai_prices import Usage, calc_price

    def cost(usage: Usage) -> float | None:
        try:
            return float(calc_price(usage, model.model, provider_id=provider).total_price)
        except (LookupError, ValueError):
            return None

    one = 1000
    sent, written = cost(Usage(input_tokens=one)), cost(Usage(output_tokens=one))
    scale = 1_000_000 / one
    return (
        None if sent is None else sent * scale,
        None if written is None else written * scale,
    )
