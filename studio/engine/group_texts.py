"""The words of a group chat: how a selecting model is asked, and how members are introduced.

{roles} and {agentlist} are filled in; any other brace stays as it is.
"""

from __future__ import annotations

SELECT_MESSAGE = (
    "You are in a role play game. The following roles are available:\n"
    "                {roles}.\n"
    "                Read the following conversation.\n"
    "                Then select the next role from {agentlist} to play. Only return the role."
)
SELECT_PROMPT = (
    "Read the above conversation. Then select the next role from {agentlist} to play. "
    "Only return the role."
)
_RULES = (
    "determine the speaker use these prioritised rules:\n"
    '    1. If the context refers to themselves as a speaker e.g. "As the..." , choose that '
    "speaker's name\n"
    '    2. If it refers to the "next" speaker name, choose that name\n'
    "    3. Otherwise, choose the first provided speaker's name in the context\n"
    "    The names are case-sensitive and should not be abbreviated or changed.\n"
)
_ONLY_NAME = "    Respond with ONLY the name of the speaker and DO NOT provide a reason."
SELECT_MULTIPLE = (
    "You provided more than one name in your text, please return just the name of the next "
    f"speaker. To {_RULES}{_ONLY_NAME}"
)
SELECT_NONE = (
    f"You didn't choose a speaker. As a reminder, to {_RULES}"
    f"    The only names that are accepted are {{agentlist}}.\n{_ONLY_NAME}"
)
INTRODUCTION = (
    "Hello everyone. We have assembled a great team today to answer questions and solve tasks. "
    "In attendance are:"
)
