"""Scripts of the six applications of the AutoGen paper. Programs and skills run in boxes."""

from __future__ import annotations

from .script import Script, calls, program

QUESTION = "Who drew the plans of the lighthouse?"
MATHEMATICS = Script(
    "Mathematics with code",
    {
        "Mathematician": [
            program("print(sum(n for n in range(1000) if n % 3 == 0 or n % 5 == 0))", "I add up."),
            "The sum is 233168. TERMINATE",
        ]
    },
    {"": ["Calculator", "Mathematician"] * 2},
    "Calculator recognised the end",
    result="The sum is 233168.",
    heard={"Mathematician": ("multiples of 3 or 5", "exitcode: 0", "Code output: 233168")},
    ran=(0,),
)
DOCUMENTS = Script(
    "Answers from documents",
    {
        "Guide_reader": [
            calls("retrieve", question=QUESTION),
            calls("retrieve", "UPDATE CONTEXT", question=QUESTION, skip=2),
            "Ida Calloway drew them. TERMINATE",
        ]
    },
    {"": ["Guide_shelf", "Guide_reader"] * 3},
    "Guide_shelf recognised the end",
    result="Ida Calloway drew them.",
    heard={"Guide_reader": ("Its plans were drawn by Ida Calloway.",)},
)
WORLD = Script(
    "Text world with grounding",
    {
        "Explorer": [
            calls("act", command="look"), "There is a cupboard. I want the mug.",
            calls("act", command="take the mug"), "Nothing happened. I want the mug.",
            calls("act", command="go to the cupboard"), "I read it: The task is solved.",
        ],
        "chat_manager": ["Kitchen", "Grounding"],
    },
    {
        "": ["Kitchen", *["Explorer"] * 3, "Kitchen", *["Explorer"] * 3, "Grounding",
             *["Explorer"] * 3]
    },
    "“The task is solved.” was said",
    heard={"Explorer": ("You stand in the middle.", "Nothing happens.", "Remember how a kitchen",
                        "The cupboard is closed.")},
)  # fmt: skip
SAFEGUARD = Script(
    "Commander writer and safeguard",
    {
        "Code_author": [
            program("import os\nprint(os.environ)", "This answers it."),
            program("print(60 * 3)", "Without the environment:"),
            "Ten more sacks cost 180. TERMINATE",
        ],
        "Safeguard": [
            "DANGER because it looks at the environment.",
            "CLEARED because it only computes and prints.",
        ],
    },
    {
        "": ["Coffee_trader", "Code_author", "Safeguard", "Code_author", "Safeguard", "Commander",
             "Code_author"]
    },
    "Code_author handed over to nobody",
    heard={
        "Safeguard": ("print(60 * 3)",),
        "Code_author": ("ten sacks more", "DANGER because", "Code output: 180"),
    },
    ran=(0,),
)  # fmt: skip
GROUP = Script(
    "Dynamic group chat",
    {
        "Programmer": [
            program("print([n for n in range(2, 20) if all(n % d for d in range(2, n))])"),
            "Eight of them: 2, 3, 5, 7, 11, 13, 17, 19. TERMINATE",
        ],
        "Program_critic": ["It answers the task."],
        "chat_manager": ["Programmer", "Program_runner", "Program_critic", "Programmer"],
    },
    {"": ["Task_owner", "Programmer", "Program_runner", "Program_critic", "Programmer"]},
    "“TERMINATE” was said",
    heard={"Program_critic": ("Code output: [2, 3, 5, 7, 11, 13, 17, 19]",)},
    ran=(0,),
)
_STALE = "The program printed nothing, so it does not answer the task."
STALE = Script(
    "Dynamic group chat",
    {
        "Programmer": [program("pass"), program("pass"), program("pass")],
        "Program_critic": [_STALE, _STALE],
        "chat_manager": ["Programmer", "Program_runner", "Program_critic"] * 3,
    },
    {
        "": ["Task_owner", *["Programmer", "Program_runner", "Program_critic"], "Programmer",
             "Program_runner"]
    },
    "2 messages in a row said nothing new and Program_critic has spoken",
    ran=(0, 0),
)  # fmt: skip
CHESS = Script(
    "Conversational chess",
    {
        "White_player": [
            calls("make_move", move="e2e4"),
            "I played e2e4. A good day for chess!",
            "I played my last move. Well done!",
        ],
        "Black_player": [calls("make_move", move="e7e5"), "I played e7e5. Quite so."],
    },
    {
        "": ["Black_player", "White_player", "Black_player", "White_player"],
        "2/nested0": ["Chess_board", "White_player", "Chess_board", "White_player"],
        "3/nested1": ["Chess_board", "Black_player", "Chess_board", "Black_player"],
        "4/nested2": ["Chess_board", "White_player"],
    },
    "“my last move” was said",
    heard={
        "White_player": ("Make your move for white.", "I played e7e5."),
        "Black_player": ("Make your move for black.", "I played e2e4."),
    },
    forms=dict.fromkeys(("2/nested0", "3/nested1", "4/nested2"), "nested"),
)
APPLICATIONS = (MATHEMATICS, DOCUMENTS, WORLD, SAFEGUARD, GROUP, STALE, CHESS)
