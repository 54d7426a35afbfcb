"""What a person is asked to approve, as its card shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Payload:
    """`given` is the payload of an approval: of kind tool, code, network or repeat."""

    given: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.given["kind"])

    def title(self, agent: str) -> str:
        match self.kind:
            case "tool":
                return f"{agent} calls {self.given['name']}"
            case "code":
                return f"{agent} is about to run code"
            case "network":
                return f"May {self.given['whose']} reach the network?"
            case _:
                return "Run it again?"

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Language and text of what would run."""
        if "blocks" in self.given:
            return [(str(language), str(code)) for language, code in self.given["blocks"]]
        if "arguments" in self.given:
            return [("json", _indented(str(self.given["arguments"])))]
        return []

    @property
    def language(self) -> str:
        """Of `text`."""
        return self.blocks[0][0] if len(self.blocks) == 1 else "markdown"

    @property
    def hosts(self) -> list[str]:
        hosts = self.given.get("hosts", [])
        return [hosts] if isinstance(hosts, str) else list(hosts)

    @property
    def is_editable(self) -> bool:
        return self.kind in ("tool", "code")

    @property
    def text(self) -> str:
        """What may be changed: one block as it is, several with their fences."""
        if len(self.blocks) == 1:
            return self.blocks[0][1]
        return "\n\n".join(f"```{language}\n{code}\n```" for language, code in self.blocks)


def _indented(arguments: str) -> str:
    """JSON as people read it; what is none, as it is."""
    try:
        return json.dumps(json.loads(arguments), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments
