"""signature.py: live functions as a model sees them, and what a model sends as they want it."""

from __future__ import annotations

import asyncio
import enum
import functools
import inspect
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field, ValidationError

from studio.engine.signature import function_schema, with_models

SCENARIOS = json.loads((Path(__file__).parent.parent / "data" / "autogen_0_2.json").read_text())
WITH_TOOLS = [s for s in SCENARIOS if s["definition"].get("tools")]


def live(tool: dict[str, Any]) -> Callable[..., Any]:
    space: dict[str, Any] = {"asyncio": asyncio, **vars(typing)}
    exec(tool["python"], space)
    name = tool["python"].partition("def ")[2].partition("(")[0]
    return typing.cast("Callable[..., Any]", space[name])


@pytest.mark.parametrize("scenario", WITH_TOOLS, ids=lambda s: s["name"])
def test_exactly_what_the_reference_sends(scenario: dict[str, Any]) -> None:
    offered = [
        function_schema(live(t), name=t.get("name"), description=t.get("description", "d"))
        for t in scenario["definition"]["tools"]
    ]
    sent = [tool for call in scenario["llm_calls"] for tool in call.get("tools", [])]
    legacy = [tool for call in scenario["llm_calls"] for tool in call.get("functions", [])]
    assert sent or legacy
    texts = {json.dumps(schema) for schema in offered}
    assert {json.dumps(tool) for tool in sent} <= texts, "the same, and in the same order"
    assert all(tool in [schema["function"] for schema in offered] for tool in legacy)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Price(BaseModel):
    """What something costs."""

    title: str = Field(title="Shown name", description="what is bought")
    amount: Annotated[float, Field(ge=0)] = 0


APPLE = Price(title="x")


class Order(BaseModel):
    prices: list[Price]
    colour: Colour = Colour.RED


class Tree(BaseModel):
    children: list[Tree] = []


@dataclass
class Place:
    x: int


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    schema = function_schema(function, description="d")
    json.dumps(schema)
    return typing.cast("dict[str, Any]", schema["function"]["parameters"])


class TestSchema:
    def test_simple_annotations(self) -> None:
        def f(
            a: list[int],
            b: dict[str, float],
            c: Optional[str] = None,  # noqa: UP045 - authors still write it
            d: Literal[1, "two"] = 1,
            e: Colour = Colour.RED,
            *,
            g: Any,
        ) -> str:
            return ""

        found = parameters(f)
        assert found["properties"] == {
            "a": {"type": "array", "items": {"type": "integer"}, "description": "a"},
            "b": {"type": "object", "additionalProperties": {"type": "number"}, "description": "b"},
            "c": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "default": None,
                "description": "c",
            },
            "d": {"enum": [1, "two"], "default": 1, "description": "d"},
            "e": {"enum": ["red", "blue"], "type": "string", "default": "red", "description": "e"},
            "g": {"description": "g"},
        }
        assert found["required"] == ["a", "b", "g"]
        assert "$defs" not in found

    def test_a_model_is_written_out_without_titles(self) -> None:
        def buy(price: Annotated[Price, "the price"], again: Price = APPLE) -> str:
            return ""

        price = {
            "type": "object",
            "properties": {
                "title": {"type": "string", "description": "what is bought"},
                "amount": {"type": "number", "minimum": 0, "default": 0},
            },
            "required": ["title"],
        }
        assert parameters(buy) == {
            "type": "object",
            "properties": {
                "price": {**price, "description": "the price"},
                "again": {
                    **price, "default": {"title": "x", "amount": 0.0}, "description": "again",
                },
            },
            "required": ["price"],
        }  # fmt: skip

    def test_models_inside_models_are_found_by_their_references(self) -> None:
        def buy(order: Order, more: list[Order] | None = None, place: Place | None = None) -> str:
            return ""

        found = parameters(buy)
        assert found["properties"]["order"]["properties"]["prices"]["items"] == {
            "$ref": "#/$defs/Price"
        }
        assert set(found["$defs"]) == {"Price", "Order", "Colour", "Place"}
        assert '"$defs"' not in json.dumps(found["properties"])

    def test_a_recursive_model(self) -> None:
        def grow(tree: Tree) -> str:
            return ""

        assert parameters(grow)["$defs"]["Tree"]["properties"]["children"]["items"] == {
            "$ref": "#/$defs/Tree"
        }

    def test_two_models_of_one_name(self) -> None:
        def other() -> type[BaseModel]:
            class Price(BaseModel):
                cents: int

            return Price

        def buy(a, b) -> str:  # type: ignore[no-untyped-def]
            return ""

        buy.__annotations__ = {"a": list[Price], "b": list[other()], "return": str}  # type: ignore[misc]
        found = parameters(buy)
        names = [found["properties"][n]["items"]["$ref"].rpartition("/")[2] for n in "ab"]
        assert "title" in found["$defs"][names[0]]["properties"]
        assert "cents" in found["$defs"][names[1]]["properties"]

    def test_descriptions_of_fields_and_of_nothing(self) -> None:
        def f(
            a: Annotated[int, Field(ge=1, description="at least 1")], b: Annotated[int, 5]
        ) -> str:
            return ""

        found = parameters(f)["properties"]
        assert found["a"] == {"type": "integer", "minimum": 1, "description": "at least 1"}
        assert found["b"]["description"] == "b"

    def test_methods_partials_and_objects(self) -> None:
        class Shop:
            def sell(self, count: int) -> str:
                return ""

            def __call__(self, name: str) -> str:
                return ""

        assert list(parameters(Shop().sell)["properties"]) == ["count"]
        assert list(parameters(Shop())["properties"]) == ["name"]
        schema = function_schema(functools.partial(Shop().sell, count=3), description="d")
        assert schema["function"]["name"] == "sell"
        assert schema["function"]["parameters"]["properties"]["count"]["default"] == 3

    def test_stars_are_not_offered(self) -> None:
        def f(a: int, *rest: int, **more: str) -> str:
            return ""

        assert list(parameters(f)["properties"]) == ["a"]

    def test_all_missing_annotations_are_named(self) -> None:
        def f(a, b: int, c, d=1) -> str:  # type: ignore[no-untyped-def]
            return ""

        with (
            pytest.raises(TypeError, match="annotate the types of a, c, which have no defaults"),
        ):
            function_schema(f, description="d")

    def test_a_default_without_annotation_is_not_offered(self) -> None:
        def f(a: int, d=1) -> str:  # type: ignore[no-untyped-def]
            return ""

        with pytest.warns(UserWarning, match="f does not offer d"):
            assert list(parameters(f)["properties"]) == ["a"]

    def test_a_missing_return_annotation_is_a_warning(self) -> None:
        def f(a: int):  # type: ignore[no-untyped-def] # noqa: ANN202, RUF100
            return ""

        with pytest.warns(UserWarning, match="f has no return annotation"):
            parameters(f)

    def test_a_type_that_json_does_not_know(self) -> None:
        def f(good: int, bad: threadlike) -> str:  # type: ignore[name-defined] # noqa: F821
            return ""

        def g(good: int, bad: Callable[[], int]) -> str:
            return ""

        with pytest.raises(TypeError, match=r"annotation of f is unknown.*threadlike"):
            function_schema(f, description="d")
        with pytest.raises(TypeError, match="type of bad has no JSON schema"):
            function_schema(g, description="d")

    def test_positional_only_parameters_cannot_be_named_by_a_model(self) -> None:
        def f(a: int, /) -> str:
            return ""

        with pytest.raises(TypeError, match="a are positional only"):
            function_schema(f, description="d")


class TestModels:
    def test_a_function_without_models_is_the_same_function(self) -> None:
        def add(a: int, b: list[int]) -> str:
            return ""

        assert with_models(add) is add

    def test_dicts_become_models_wherever_they_are(self) -> None:
        def buy(
            n: int,
            price: Annotated[Price, "p"],
            more: list[Price] | None = None,
            last: Price | None = None,
        ) -> list[Any]:
            return [n, price, more, last]

        loaded = with_models(buy)
        apple = Price(title="apple")
        told = {"title": "apple"}
        assert loaded(n="1", price=told) == ["1", apple, None, None], "others stay as they are"
        assert loaded(1, told, [told], last=told) == [1, apple, [apple], apple]
        assert loaded(n=1, price=apple)[1] is apple
        assert function_schema(loaded, description="d") == function_schema(buy, description="d")

    def test_an_async_function_stays_async(self) -> None:
        async def buy(price: Price) -> str:
            await asyncio.sleep(0)
            return price.title

        loaded = with_models(buy)
        assert inspect.iscoroutinefunction(loaded)
        assert asyncio.run(loaded(price={"title": "pear"})) == "pear"

    def test_what_does_not_fit_says_where(self) -> None:
        def buy(price: Price) -> str:
            return ""

        with pytest.raises(ValidationError, match="title"):
            with_models(buy)(price={"amount": 1})
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'price'"):
            with_models(buy)()
