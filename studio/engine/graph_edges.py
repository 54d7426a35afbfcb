"""Whether a graph goes along an edge: a text in the answer, a context variable, a model's yes."""

from __future__ import annotations

from typing import assert_never

from .context import current_context
from .context_variables import ContextTest
from .errors import DefinitionError
from .graph_plan import AskModel, Contains, EdgeCondition, GraphPlan
from .llm.call import Call, call_model
from .llm.constrain import read_choice
from .messages import Message

ASK = "{question}\n\nAnswer about the last message with yes or no, nothing else."
YES_NO = ("yes", "no")


async def why_taken(when: EdgeCondition, graph: GraphPlan, author: str, answer: str) -> str:
    """Why an edge is taken, or nothing."""
    match when:
        case "always":
            return "always"
        case Contains(text=text):
            return f"the answer contains “{text}”" if text in answer else ""
        case ContextTest() as test:
            return str(test) if test.holds(current_context().strand.variables) else ""
        case AskModel(question=question):
            says_yes = await _says_yes(question, graph, author, answer)
            return f"yes to “{question}”" if says_yes else ""
        case "else":
            return ""
        case _:
            assert_never(when)


async def _says_yes(question: str, graph: GraphPlan, author: str, answer: str) -> bool:
    if not graph.llm:
        raise DefinitionError(f"{graph.name} has no model to ask “{question}”")
    said: Message = {"role": "user", "name": author, "content": answer}
    asked: Message = {"role": "system", "content": ASK.format(question=question)}
    result = await call_model(graph.llm, Call(graph.name, "select", [said, asked], names=YES_NO))
    words = read_choice((result["content"] or "").strip()).lower()
    return words.strip(" .!*\"'").startswith("yes")
