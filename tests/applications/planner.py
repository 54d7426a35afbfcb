"""The assistant of A3: it plans from what it saw, and overlooks preconditions.

As the paper says of the models in ALFWorld, it tends to leave out a step that common sense takes
for granted, and then repeats the same impossible action. Each planner overlooks each precondition
with some probability, until somebody says the fact. It also mistakes one thing for a similar one
now and then, and no fact helps against that.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from studio.engine.messages import Message

from .household import CHANGERS, NOTHING, RECEPTACLES, STATES

MUST_GO = "You must go to a place before you can take, put or use anything there."
MUST_OPEN = "You must open a closed place before you can see what is in it or put anything there."
MUST_HOLD = "You must hold a thing before you can clean, heat or cool it."
FACTS = (MUST_GO, MUST_OPEN, MUST_HOLD)
OVERLOOKS = 0.2
MISTAKES = 0.15
_PAIRS = {"mug": "cup", "plate": "bowl", "apple": "tomato", "egg": "potato"}
SIMILAR = _PAIRS | {similar: kind for kind, similar in _PAIRS.items()}


@dataclass
class Belief:
    """What a planner knows from the conversation."""

    goal: tuple[str, str, str | None] = ("", "", None)  # kind, receptacle, change
    at: str = ""
    held: str = ""
    is_changed: bool = False
    closed: set[str] = field(default_factory=set)
    searched: set[str] = field(default_factory=set)
    seen: dict[str, str] = field(default_factory=dict)

    def learn(self, action: str, seen: str) -> None:
        if seen == NOTHING:
            return
        if found := re.match(r"go to (.+)", action):
            self.at = found[1]
        elif action.startswith("take"):
            self.held = re.sub(r"take (.+) from .+", r"\1", action)
        elif action.startswith(tuple(CHANGERS)):
            self.is_changed = True
        if seen.endswith("is closed."):
            self.closed.add(self.at)
        elif "you see" in seen:
            self.closed.discard(self.at)
            self.searched.add(self.at)
            self.seen |= dict.fromkeys(re.findall(r"a (\w+ \d)", seen.partition("see")[2]), self.at)


def believed(messages: list[Message]) -> Belief:
    """Reads the task, then each own action with the answer of the executor to it."""
    belief, action = Belief(), ""
    for message in messages[1:]:
        text = message["content"]
        if message["role"] == "assistant":
            action = text
        elif task := re.search(r"task is to: put a (.*?)(\w+) in/on (.+)\.", text):
            changes = {state: change for change, state in STATES.items()}
            belief.goal = task[2], task[3], changes.get(task[1].strip())
        elif action and message.get("name") == "executor":
            belief.learn(action, text)
            action = ""
    return belief


class Planner:
    """The rule of one assistant; `seed` fixes what it overlooks and mistakes."""

    def __init__(self, seed: str) -> None:
        chance = random.Random(seed)
        self._overlooked = {fact for fact in FACTS if chance.random() < OVERLOOKS}
        self._is_mistaken = chance.random() < MISTAKES

    def __call__(self, messages: list[Message]) -> str:
        belief = believed(messages)
        told = " ".join(message["content"] for message in messages[1:])
        self._overlooked = {fact for fact in self._overlooked if fact not in told}
        kind, receptacle, change = belief.goal
        wanted = SIMILAR[kind] if self._is_mistaken else kind
        thing = f"{wanted} 1"
        if not belief.held and thing not in belief.seen:
            return self._search(belief)
        needs_change = change is not None and not belief.is_changed
        if not belief.held and not (needs_change and MUST_HOLD in self._overlooked):
            place = belief.seen[thing]
            return self._at(belief, place, f"take {thing} from {place}")
        if needs_change and change is not None:
            place = CHANGERS[change]
            return self._at(belief, place, f"{change} {thing} with {place}", may_be_closed=True)
        return self._at(belief, receptacle, f"put {thing} in/on {receptacle}")

    def _search(self, belief: Belief) -> str:
        if belief.at in belief.closed:
            is_overlooked = MUST_OPEN in self._overlooked
            return f"look into {belief.at}" if is_overlooked else f"open {belief.at}"
        left = [r for r in RECEPTACLES if r not in belief.searched]
        return f"go to {left[0]}" if left else "think"

    def _at(self, belief: Belief, place: str, action: str, *, may_be_closed: bool = False) -> str:
        """The action, after the steps to it that the planner thinks of."""
        if belief.at != place and MUST_GO not in self._overlooked:
            return f"go to {place}"
        if place in belief.closed and not may_be_closed and MUST_OPEN not in self._overlooked:
            return f"open {place}"
        return action
