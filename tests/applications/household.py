"""A household in words, after ALFWorld: receptacles, things, and a goal such as "put a clean mug".

Whatever is impossible has one answer, "Nothing happens.", which does not say why.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

NOTHING = "Nothing happens."
OPEN_ALWAYS = ("desk 1", "shelf 1", "shelf 2", "countertop 1", "sidetable 1", "sinkbasin 1")
CLOSED_AT_FIRST = ("drawer 1", "drawer 2", "cabinet 1", "cabinet 2", "fridge 1", "microwave 1")
RECEPTACLES = (*OPEN_ALWAYS, *CLOSED_AT_FIRST)
CHANGERS = {"clean": "sinkbasin 1", "heat": "microwave 1", "cool": "fridge 1"}
STATES = {"clean": "clean", "heat": "hot", "cool": "cool"}
KINDS = ("mug", "cup", "plate", "bowl", "apple", "tomato", "egg", "potato")


@dataclass(frozen=True)
class Goal:
    """A thing of this kind shall be in this receptacle, changed before by `change`, if any."""

    kind: str
    receptacle: str
    change: str | None

    def __str__(self) -> str:
        state = f"{STATES[self.change]} " if self.change else ""
        return f"put a {state}{self.kind} in/on {self.receptacle}"


class Household:
    """One world with one goal. `act` says what is seen; `solved` whether the goal is reached."""

    def __init__(self, goal: Goal, seed: str) -> None:
        self.goal = goal
        self._opened: set[str] = set()
        self._at = ""
        self._held = ""
        self._changed: set[tuple[str, str]] = set()
        places = random.Random(seed)
        away = [r for r in RECEPTACLES if r not in (goal.receptacle, *CHANGERS.values())]
        self.where = {f"{kind} 1": places.choice(away) for kind in KINDS}

    @property
    def solved(self) -> bool:
        thing = f"{self.goal.kind} 1"
        is_changed = self.goal.change is None or (thing, self.goal.change) in self._changed
        return is_changed and self.where[thing] == self.goal.receptacle

    def opening(self) -> str:
        seen = ", ".join(f"a {r}" for r in RECEPTACLES)
        return f"You are in a room. You see {seen}. Your task is to: {self.goal}."

    def act(self, action: str) -> str:
        for form, done in (
            (r"go to (?P<place>.+)", self._go),
            (r"open (?P<place>.+)", self._open),
            (r"take (?P<thing>.+) from (?P<place>.+)", self._take),
            (r"(?P<change>clean|heat|cool) (?P<thing>.+) with (?P<place>.+)", self._change),
            (r"put (?P<thing>.+) in/on (?P<place>.+)", self._put),
        ):
            if found := re.fullmatch(form, action):
                return done(**found.groupdict())
        return NOTHING

    def _is_closed(self, place: str) -> bool:
        return place in CLOSED_AT_FIRST and place not in self._opened

    def _seen_in(self, place: str) -> str:
        things = [f"a {t}" for t, where in self.where.items() if where == place]
        return f"In/on the {place} you see {', '.join(things) or 'nothing'}."

    def _go(self, place: str) -> str:
        if place not in RECEPTACLES:
            return NOTHING
        self._at = place
        return f"The {place} is closed." if self._is_closed(place) else self._seen_in(place)

    def _open(self, place: str) -> str:
        if place != self._at or not self._is_closed(place):
            return NOTHING
        self._opened.add(place)
        return f"You open the {place}. {self._seen_in(place)}"

    def _take(self, thing: str, place: str) -> str:
        is_there = place == self._at and not self._is_closed(place)
        if not is_there or self._held or self.where.get(thing) != place:
            return NOTHING
        self._held, self.where[thing] = thing, ""
        return f"You pick up the {thing}."

    def _change(self, change: str, thing: str, place: str) -> str:
        if thing != self._held or place != self._at or place != CHANGERS[change]:
            return NOTHING
        self._changed.add((thing, change))
        return f"The {thing} is now {STATES[change]}."

    def _put(self, thing: str, place: str) -> str:
        if thing != self._held or place != self._at or self._is_closed(place):
            return NOTHING
        self._held, self.where[thing] = "", place
        return f"You put the {thing} in/on the {place}."
