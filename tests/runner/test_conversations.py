"""Sessions from start to end, over REST and the stream, against a server that behaves."""

from __future__ import annotations

from ..builders import check_log, contents
from ..conftest import InProcess
from ..fake_openai import FakeOpenAI


def test_a_group_chat_runs_to_its_last_round(studio: InProcess, fake: FakeOpenAI) -> None:
    first, second = fake.endpoint(text="First"), fake.endpoint(text="Second")
    workflow = studio.group(studio.model(first), studio.model(second), max_round=5)
    one = studio.start(workflow, "Begin.")
    session = studio.wait(one)
    events = studio.events(one)
    check_log(session, events)
    assert session["status"] == "finished"
    assert contents(events) == [
        "Begin.",
        f"First word word word word {first.nonces[0]}",
        f"Second word word word word {second.nonces[0]}",
        "Go on.",
        f"First word word word word {first.nonces[1]}",
    ]
