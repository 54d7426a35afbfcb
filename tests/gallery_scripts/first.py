"""Scripts of the pair, the groups and the small teams."""

from __future__ import annotations

from .script import Answer, Script, program

NAMES = "1. Wave Cup\n2. Harbour Bean\n3. Deck Roast"
TEAM_OF_SEVEN = [
    "Admin", "Planner", "Admin", "Engineer", "Executor", "Scientist", "Critic", "ResearchWriter",
]  # fmt: skip

FIRST = (
    Script(
        "Name Studio",
        {
            "Namer": [NAMES],
            "Critic": ["I pick Wave Cup, because it smells of the sea."],
            "Copywriter": ["Wave Cup: coffee with a tide."],
            "Host": ["Come to Wave Cup and bring a friend."],
        },
        {"": ["You", "Namer", "Critic", "Copywriter", "Host"]},
        "5 messages",
    ),
    Script(
        "Name Studio with you",
        {
            "Namer": [NAMES],
            "Copywriter": ["Harbour Bean: a slow morning."],
            "Host": ["Visit Harbour Bean and stay."],
        },
        {"": ["You", "Namer", "Critic", "Copywriter", "Host"]},
        "5 messages",
        answers=(Answer("", "Critic", {"text": "2"}),),
    ),
    Script(
        "Pros and Cons",
        {
            "Optimist": ["A good thing about working from home is that you sleep longer."],
            "Skeptic": ["A problem with working from home is that nobody brings cake."],
            "Optimist_2": ["Another good thing about working from home is that it is quiet."],
            "Skeptic_2": ["Another problem with working from home is that it never ends."],
            "Judge": ["My advice is to try it for a week."],
        },
        {"": ["You", "Optimist", "Skeptic", "Optimist_2", "Skeptic_2", "Judge"]},
        "6 messages",
    ),
    Script(
        "Meet a team",
        {},
        {"": ["Host_of_the_block", "Organizer", "Treasurer", "Neighbour", "Helper", "Organizer"]},
        "6 messages",
    ),
    Script(
        "Travel planning",
        {
            "Trip_planner": ["Day 1: Kathmandu."],
            "Local_guide": ["Go to Patan instead."],
            "Language_helper": ["Say namaste."],
            "Travel_summary": ["Day 1: Patan. TERMINATE"],
        },
        {"": ["Traveller", "Trip_planner", "Local_guide", "Language_helper", "Travel_summary"]},
        "ended the conversation",
        result="Day 1: Patan.",
    ),
    Script(
        "Debate",
        {
            "Affirmative": ["Air.", "And room."],
            "Negative": ["Work.", "And age."],
            "Moderator": ["Air won."],
            "chat_manager": ["Affirmative", "Negative", "Moderator"],
        },
        {"": ["Chair", "Affirmative", "Negative", "Moderator"]},
        "nobody",
    ),
    Script(
        "Selector team",
        {
            "Drafter": ["Open until nine.", "We are open until nine."],
            "Reviewer": ["Say who is open."],
            "Finisher": ["We are open until nine. TERMINATE"],
            "chat_manager": ["Drafter", "Reviewer", "Drafter", "Finisher"],
        },
        {"": ["Client", "Drafter", "Reviewer", "Drafter", "Finisher"]},
        "ended the conversation",
    ),
    Script(
        "Assistant and executor",
        {
            "assistant": [
                program("import yfinance\nprint(yfinance.gain('META', 'TSLA'))", "First the date."),
                program("import yfinance\nprint('got', yfinance.VERSION)", "Then what there is."),
                "META gained 3 percent. TERMINATE",
            ]
        },
        {"": ["user_proxy", "assistant"] * 3},
        "user_proxy recognised the end",
        result="META gained 3 percent.",
        answers=(Answer("", "user_proxy", {"approve": True}),),
        heard={"assistant": ("exitcode: 1 (execution failed)", "AttributeError", "got 1.0")},
        ran=(1, 0),
    ),
    Script(
        "Research team",
        {
            "Planner": ["1. Engineer finds papers."],
            "Engineer": [program("print('papers')")],
            "Scientist": ["Two kinds of papers."],
            "Critic": ["The sources are named."],
            "ResearchWriter": ["# Introduction\nA report. TERMINATE"],
            "chat_manager": [
                "Planner",
                "Admin",
                "Engineer",
                "Executor",
                "Scientist",
                "Critic",
                "ResearchWriter",
            ],
        },
        {"": TEAM_OF_SEVEN},
        "ended the conversation",
        answers=(
            Answer("", "Admin", {"text": "I approve."}),
            Answer("", "Executor", {"approve": True}),
        ),
        heard={"Scientist": ("exitcode: 0 (execution succeeded)", "Code output: papers")},
        ran=(0,),
    ),
)
