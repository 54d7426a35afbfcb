"""Scripts of the examples of each kind: steps, a graph, a nested chat, handoffs, a team, people."""

from __future__ import annotations

from .script import Answer, Script, calls

NOTICE = '{"subject": "Summer fair", "body": "Come on Saturday at three."}'
NEW_NOTICE = '{"subject": "Summer fair", "body": "Please come on Saturday at three."}'
STEPS = Script(
    "Report in three steps",
    {
        "Interviewer": ["How many are there?"],
        "Expert": ["Bees dance.", "About twenty thousand kinds.", "- Bees dance\n- 20,000 kinds"],
        "Outliner": ["# Dances\n# Kinds"],
        "Report_writer": ["Bees dance.", "Bees of twenty thousand kinds dance."],
        "Sub_editor": ["Name the number."],
    },
    {
        "step:1": ["Interviewer", "Expert", "Interviewer", "Expert"],
        "step:2": ["Report_owner", "Outliner"],
        "step:3": ["Sub_editor", "Report_writer", "Sub_editor", "Report_writer"],
    },
    "All steps are done",
    result="Bees of twenty thousand kinds dance.",
    heard={
        "Outliner": ("honey bees", "- Bees dance\n- 20,000 kinds"),
        "Report_writer": ("honey bees", "- 20,000 kinds", "# Kinds", "Name the number."),
    },
    forms={"step:1": "step", "step:2": "step", "step:3": "step"},
)
_NODES = ("draft", "style", "logic", "verdict")
_VISITS = ("", ":2", ":3", ":4")
_BY = {
    "draft": "Essayist", "style": "Style_reviewer", "logic": "Logic_reviewer",
    "verdict": "Chief_editor", "done": "Proofreader",
}  # fmt: skip


def _reviews(rounds: int) -> Script:
    """The essay after so many rounds: sent back in all but the last, or for ever."""
    verdicts = ["REWRITE: shorter."] * 4 if rounds == 4 else ["REWRITE: shorter.", "READY"]
    paths = [f"node:{n}{v}" for v in _VISITS[:rounds] for n in _NODES] + ["node:done"]
    each = (("draft", "style"), ("draft", "logic"), ("draft", "verdict"), ("style", "verdict"),
            ("logic", "verdict"))  # fmt: skip
    again = tuple(("verdict", "draft", i) for i in range(1, rounds))
    return Script(
        "Two reviews and a rewrite",
        {
            "Essayist": [f"Draft {i}." for i in range(1, rounds + 1)],
            "Style_reviewer": ["Plainer."] * rounds,
            "Logic_reviewer": ["The reasoning is good."] * rounds,
            "Chief_editor": list(verdicts),
            "Proofreader": [f"The final text of draft {rounds}."],
        },
        {path: [_BY[path.split(":")[1]]] for path in paths},
        "The graph is at its end",
        result=f"The final text of draft {rounds}.",
        beside=(("node:style", "node:logic"), ("node:style:2", "node:logic:2")),
        heard={
            "Style_reviewer": (f"Draft {rounds}.",),
            "Chief_editor": (f"Draft {rounds}.", "Plainer.", "The reasoning is good."),
            "Essayist": ("why the sky is blue", f"Draft {rounds - 1}.", "REWRITE: shorter."),
        },
        forms=dict.fromkeys(paths, "node"),
        edges=(
            *((a, b, i) for a, b in each for i in range(1, rounds + 1)),
            *again,
            ("verdict", "done", 1),
        ),
    )


NESTED = Script(
    "Writer with an inner critic",
    {
        "Novelist": ["The keeper slept.", "The keeper slept, and a ship went by."],
        "Inner_critic": ["Nothing happens at “slept”."],
    },
    {
        "": ["Reader", "Novelist"],
        "2/nested0": ["Inner_critic", "Novelist", "Inner_critic", "Novelist"],
    },
    "1 turn",
    result="The keeper slept, and a ship went by.",
    heard={"Novelist": ("afraid of the dark", "The keeper slept.", "Nothing happens")},
    forms={"2/nested0": "nested"},
)
DESK = Script(
    "Support desk",
    {
        "Triage": [
            calls("transfer_to_Technical_specialist_2"), calls("transfer_to_Billing_specialist_1"),
        ],
        "Technical_specialist": [calls("transfer_to_Triage_1")],
        "Billing_specialist": ["Which month is it?", "It comes back with the next bill."],
        "Duty_manager": ["I call you back before noon. CASE CLOSED"],
    },
    {
        "": [
            "Caller", "Triage", "_Group_Tool_Executor", "Technical_specialist",
            "_Group_Tool_Executor", "Triage", "_Group_Tool_Executor", "Billing_specialist",
            "Caller", "Billing_specialist", "Caller", "Billing_specialist", "Duty_manager",
        ]
    },
    "“CASE CLOSED” was said",
    result="I call you back before noon.",
    heard={"Duty_manager": ("charged twice", "Message: I want it now!", "urgent: yes")},
    answers=(
        Answer("", "Caller", {"values": {"message": "March."}}),
        Answer("", "Caller", {"values": {"message": "I want it now!", "urgent": True}}),
    ),
)  # fmt: skip
_MEMBERS = ["Budget_member", "Neighbours_member", "Safety_member"]
TEAM = Script(
    "A committee that speaks as one",
    {
        **{member: [f"{member} says one.", f"{member} says two."] for member in _MEMBERS},
        "Committee": ["We want the playground.", "We are open to a fence."],
        "Journalist": ["And the noise?"],
    },
    {
        "": ["Journalist", "Committee", "Journalist", "Committee"],
        "2/team0": ["Committee_secretary", *_MEMBERS],
        "4/team1": ["Committee_secretary", *_MEMBERS],
    },
    "2 turns",
    result="We are open to a fence.",
    heard={
        "Budget_member": ("We want the playground.", "And the noise?"),
        "Committee": ("And the noise?", "Safety_member says two.", "in its name"),
    },
    forms={"2/team0": "team", "4/team1": "team"},
)
_FIRST_TIME = {
    "node:write": ["Notice_writer"],
    "node:tone": ["Tone_checker"],
    "node:facts": ["Facts_checker"],
    "node:approve": ["Approver"],
}
_EDGES = (("write", "tone"), ("write", "facts"), ("tone", "approve"), ("facts", "approve"))
_CHANGE = {"decision": "change", "channel": "e-mail", "wish": "Say please."}
_SEND = {"decision": "send", "channel": "notice board"}
SENT = Script(
    "Approve before it goes out",
    {
        "Notice_writer": [NOTICE, NEW_NOTICE],
        "Tone_checker": ["Friendly."] * 2,
        "Facts_checker": ["Saturday\nthree o'clock"] * 2,
        "Notice_sender": ["SUMMER FAIR\nPlease come on Saturday at three."],
    },
    {
        **_FIRST_TIME,
        **{f"{path}:2": agents for path, agents in _FIRST_TIME.items()},
        "node:send": ["Notice_sender"],
    },
    "The graph is at its end",
    result="SUMMER FAIR\nPlease come on Saturday at three.",
    beside=(("node:tone", "node:facts"), ("node:tone:2", "node:facts:2")),
    heard={
        "Notice_writer": ("summer fair", "What to change: Say please."),
        "Facts_checker": ("Subject: Summer fair", "Please come on Saturday at three."),
        "Notice_sender": ("notice board", "Please come on Saturday at three."),
    },
    forms=dict.fromkeys([*_FIRST_TIME, *(f"{p}:2" for p in _FIRST_TIME), "node:send"], "node"),
    edges=(
        *((a, b, i) for a, b in _EDGES for i in (1, 2)),
        ("approve", "write", 1),
        ("approve", "send", 1),
    ),
    answers=(
        Answer("node:approve", "Approver", {"values": _CHANGE}),
        Answer("node:approve:2", "Approver", {"values": _SEND}),
    ),
)
DROPPED = Script(
    "Approve before it goes out",
    {
        "Notice_writer": [NOTICE],
        "Tone_checker": ["Rude."],
        "Facts_checker": ["Saturday\nthree o'clock"],
    },
    {**_FIRST_TIME, "node:file": ["Filing_clerk"]},
    "The graph is at its end",
    result="Nothing was sent.",
    forms=dict.fromkeys([*_FIRST_TIME, "node:file"], "node"),
    edges=(*((a, b, 1) for a, b in _EDGES), ("approve", "file", 1)),
    answers=(
        Answer("node:approve", "Approver", {"values": {"decision": "drop", "channel": "website"}}),
    ),
)
_SIDES = {
    "node:good": ["Bright_side"], "node:bad": ["Dark_side"], "node:decide": ["Decider"],
}  # fmt: skip


def _weighed(decision: str, last: str, agent: str) -> Script:
    paths = [*_SIDES, f"node:{last}"]
    return Script(
        "Weigh it up",
        {
            "Bright_side": ["A good thing about learning the piano is that it is never silent."],
            "Dark_side": ["A problem with learning the piano is that it is never silent."],
            "Starter": ["A good first step for learning the piano is to sit down."],
        },
        {**_SIDES, f"node:{last}": [agent]},
        "The graph is at its end",
        result="to sit down." if last == "begin" else "stays as it is",
        beside=(("node:good", "node:bad"),),
        forms=dict.fromkeys(paths, "node"),
        edges=(("good", "decide", 1), ("bad", "decide", 1), ("decide", last, 1)),
        answers=(Answer("node:decide", "Decider", {"values": {"decision": decision}}),),
    )


_NAMING = {
    "node:names": ["Name_finder"], "node:pick": ["Name_picker"],
    "node:slogan": ["Slogan_writer"], "node:invitation": ["Inviter"],
}  # fmt: skip
SIDE_BY_SIDE = Script(
    "Names side by side",
    {
        "Name_finder": ["1. High Herb\n2. Roof Root\n3. Sky Bed"],
        "Name_picker": ["I pick Roof Root, because it is the shortest."],
        "Slogan_writer": ["Roof Root: nearer to the sun."],
        "Inviter": ["Come to Roof Root and bring a spoon."],
    },
    _NAMING,
    "The graph is at its end",
    result="Roof Root: nearer to the sun.\n\nCome to Roof Root and bring a spoon.",
    beside=(("node:slogan", "node:invitation"),),
    heard={"Inviter": ("Invite people to Roof Root, a garden on a roof.",)},
    forms=dict.fromkeys(_NAMING, "node"),
    edges=(
        ("names", "pick", 1), ("names", "slogan", 1), ("names", "invitation", 1),
        ("pick", "slogan", 1), ("pick", "invitation", 1),
    ),
)  # fmt: skip
KINDS = (
    SIDE_BY_SIDE, _weighed("do it", "begin", "Starter"), _weighed("leave it", "leave", "Shelf"),
    STEPS, _reviews(2), _reviews(4), NESTED, DESK, TEAM, SENT, DROPPED,
)  # fmt: skip
