"""Where we deviate from AutoGen 0.2 on purpose: each deviation is a named option.

The default is the safe behaviour; `compat="autogen-0.2"` switches every option to what AutoGen
0.2.40 does, recorded as it is. One alone: `replace(SAFE, empty_messages_go_on=True)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .errors import DefinitionError
from .execution.rules import AUTOGEN_0_2 as CODE_AS_AUTOGEN
from .execution.rules import CodeRules

CODE_AS_OURS = CodeRules()
CompatName = Literal["autogen-0.2"]


@dataclass(frozen=True, slots=True)
class Compat:
    """True is AutoGen 0.2's way.

    cache_by_default        replies are cached on disk under seed 41 unless cache_seed is given
    code                    dangerous commands raise, any comment names a file, a time-out drops
                            the output (see execution/rules.py)
    nobody_means_everybody  with no eligible speaker all agents are considered
    empty_messages_go_on    two empty messages in a row do not end a chat
    summary_of_opening      last_msg of a group opened by an outsider is its own opening message
    free_selection          a selecting model is not held to the list of names
    skipped_manual_crashes  skipping a manual choice that a function or "Manual" asked for raises
    none_means_all          an agent that is to look for code in no message looks in all
    sends_empty_system      an agent without a system message sends an empty one
    unknown_call_raises     a call that no member of a group can run ends the chat with an error
    own_turns_as_others     a resumed agent gets its own earlier turns with role user
    """

    cache_by_default: bool = False
    code: CodeRules = CODE_AS_OURS
    nobody_means_everybody: bool = False
    empty_messages_go_on: bool = False
    summary_of_opening: bool = False
    free_selection: bool = False
    skipped_manual_crashes: bool = False
    none_means_all: bool = False
    sends_empty_system: bool = False
    unknown_call_raises: bool = False
    own_turns_as_others: bool = False


SAFE = Compat()
AUTOGEN_0_2 = Compat(
    cache_by_default=True,
    code=CODE_AS_AUTOGEN,
    nobody_means_everybody=True,
    empty_messages_go_on=True,
    summary_of_opening=True,
    free_selection=True,
    skipped_manual_crashes=True,
    none_means_all=True,
    sends_empty_system=True,
    unknown_call_raises=True,
    own_turns_as_others=True,
)


def compat_of(given: Compat | CompatName | None) -> Compat:
    """The options that a name stands for. Raises DefinitionError for a name there is not."""
    if isinstance(given, Compat):
        return given
    if given is None:
        return SAFE
    if given == "autogen-0.2":
        return AUTOGEN_0_2
    raise DefinitionError(f'compat is {given!r}; it can be "autogen-0.2"')
