"""Files that come with a message: through the API, and with the forms of pages."""

from __future__ import annotations

from typing import Any

import pytest

from ..builders import Json
from ..conftest import InProcess, serving
from .sending import sent, started, team, work


def test_attached_files_lie_in_the_working_folder_when_the_session_begins(
    studio: InProcess,
) -> None:
    one = sent(studio, "data.csv", b"a,b\n1,2\n")
    session = studio.start(team(studio), "Look at it.", attachments=[one])
    studio.wait(session)
    assert work(studio, session) == {"data.csv": "a,b\n1,2\n"}
    told = [{"id": one, "name": "data.csv", "media_type": "text/csv", "bytes": 8}]
    assert started(studio, session)["attachments"] == told
    assert started(studio, session)["message"] == "Look at it."


def test_agents_hear_which_files_there_are(studio: InProcess) -> None:
    files = [sent(studio, "data.csv"), sent(studio, "big.txt", b"x" * 31_000)]
    session = studio.start(team(studio), "Look at them.", attachments=files)
    studio.wait(session)
    assert studio.messages(session)[0]["content"] == (
        "Look at them.\n\n"
        "Files in the working folder: data.csv (text/csv, 8 B), big.txt (text/plain, 31 kB)"
    )


def test_a_session_without_files_hears_nothing_of_them(studio: InProcess) -> None:
    session = studio.start(team(studio), "Begin.")
    studio.wait(session)
    assert studio.messages(session)[0]["content"] == "Begin."
    assert "attachments" not in started(studio, session)


def test_files_of_one_name_get_names_of_their_own(studio: InProcess) -> None:
    files = [sent(studio, "data.csv", b"one"), sent(studio, "data.csv", b"two")]
    session = studio.start(team(studio), attachments=files)
    assert work(studio, session) == {"data.csv": "one", "data-2.csv": "two"}
    names = [one["name"] for one in started(studio, session)["attachments"]]
    assert names == ["data.csv", "data-2.csv"]


def test_a_file_can_be_given_to_several_sessions(studio: InProcess) -> None:
    one, workflow = sent(studio), team(studio, 4)
    for _ in range(2):
        assert work(studio, studio.start(workflow, attachments=[one]))


def test_a_follow_up_brings_files_too(studio: InProcess) -> None:
    session = studio.start(team(studio, 4), "First.", attachments=[sent(studio)])
    studio.wait(session)
    body = {"message": "And this.", "attachments": [sent(studio, "data.csv", b"more")]}
    studio.verb(session, "messages", body)
    studio.wait(session, "finished")
    assert work(studio, session)["data-2.csv"] == "more"
    assert started(studio, session, 2)["attachments"][0]["name"] == "data-2.csv"
    heard = [m["content"] for m in studio.messages(session)]
    assert "And this.\n\nFiles in the working folder: data-2.csv (text/csv, 4 B)" in heard


def test_a_replay_hears_the_same_words(own_studio: InProcess) -> None:
    """A follow-up plays the first run again: were a word different, it would fail."""
    session = own_studio.start(team(own_studio, 4), attachments=[sent(own_studio)])
    own_studio.wait(session)
    with serving(own_studio.home) as again:
        again.verb(session, "messages", {"message": "Go on."})
        assert again.wait(session)["status"] == "finished", again.session(session)["reason"]


@pytest.mark.parametrize(
    ("given", "loc"),
    [
        (["unknown"], ["attachments", 0]),
        (["{file}", "unknown"], ["attachments", 1]),
        (["{file}", "{file}"], ["attachments", 1]),
        (["../../studio.db"], ["attachments", 0]),
        (["{file}"] * 21, ["attachments"]),
        ([{"path": "/etc/passwd"}], ["attachments", 0]),
        ("{file}", ["attachments"]),
    ],
)
def test_what_is_no_file_is_refused_where_it_stands(
    studio: InProcess, given: Any, loc: list[Any]
) -> None:
    file = sent(studio)
    filled = [file if one == "{file}" else one for one in given] if given != "{file}" else file
    body = {"workflow": team(studio), "message": "Go.", "attachments": filled}
    problem = studio.refused("POST", "sessions", body)
    assert problem["errors"][0]["loc"] == loc


def test_a_session_that_is_refused_leaves_no_files(own_studio: InProcess) -> None:
    pair = own_studio.pair(own_studio.scripted("Hi"))
    own_studio.put(f"workflows/{pair}", {**_body(own_studio, pair), "recipient": None})
    file = sent(own_studio)
    body = {"workflow": pair, "message": "Go.", "attachments": [file]}
    own_studio.refused("POST", "sessions", body)
    for place in ("work", "artifacts"):
        assert list((own_studio.home / place).glob("*")) == []
    assert own_studio.get(f"files/{file}")["name"] == "data.csv"


def _body(studio: InProcess, workflow: str) -> Json:
    found: Json = studio.get(f"workflows/{workflow}")
    return found


def test_an_attached_file_can_be_had_back_and_goes_with_the_session(
    own_studio: InProcess,
) -> None:
    file = sent(own_studio, "data.csv", b"a,b\n")
    session = own_studio.start(team(own_studio), attachments=[file])
    own_studio.wait(session)
    got = own_studio.call("GET", f"sessions/{session}/artifacts/{file}")
    assert got.content == b"a,b\n"
    assert "data.csv" in own_studio.http.get(f"/sessions/{session}").text
    assert own_studio.http.get(f"/sessions/{session}/artifacts/{file}").status_code == 200
    own_studio.call("DELETE", f"sessions/{session}")
    assert list(own_studio.home.rglob(f"*{session}*")) == []


# -- forms, without the page's script


def test_the_form_of_the_first_page_takes_files_and_ids(studio: InProcess) -> None:
    workflow, before = team(studio), sent(studio, "before.txt", b"before")
    answer = studio.http.post(
        "/",
        data={"workflow": workflow, "message": "Go.", "attachments": before},
        files={"files": ("now.txt", b"now")},
    )
    assert answer.status_code == 303, answer.text
    session = answer.headers["location"].rpartition("/")[2]
    studio.wait(session)
    assert work(studio, session) == {"before.txt": "before", "now.txt": "now"}


def test_a_form_in_which_no_file_was_chosen_starts_without(studio: InProcess) -> None:
    workflow = team(studio)
    answer = studio.http.post(
        f"/workflows/{workflow}/start", data={"message": "Go."}, files={"files": ("", b"")}
    )
    assert answer.status_code == 303, answer.text
    session = answer.headers["location"].rpartition("/")[2]
    assert "attachments" not in started(studio, session)


def test_a_form_that_was_refused_still_has_its_files(studio: InProcess) -> None:
    workflow, file = team(studio), sent(studio, "mine.txt", b"mine")
    answer = studio.http.post(
        f"/workflows/{workflow}/start", data={"message": " ", "attachments": file}
    )
    assert answer.status_code == 422
    assert f'name="attachments" value="{file}"' in answer.text
    assert "mine.txt" in answer.text


def test_a_follow_up_form_takes_files(studio: InProcess) -> None:
    session = studio.start(team(studio, 4))
    studio.wait(session)
    answer = studio.http.post(
        f"/sessions/{session}/messages",
        data={"message": "More."},
        files=[("files", ("one.txt", b"1")), ("files", ("two.txt", b"2"))],
    )
    assert answer.status_code == 303, answer.text
    assert work(studio, session) == {"one.txt": "1", "two.txt": "2"}


def test_running_again_brings_the_files_again(studio: InProcess) -> None:
    files = [sent(studio, "keep.txt", b"kept"), sent(studio, "drop.txt", b"dropped")]
    first = studio.start(team(studio, 4), "Look.", attachments=files)
    studio.wait(first)
    page = studio.http.get(f"/sessions/{first}/again").text
    assert f'name="given" value="{files[0]}"' in page
    assert "Files in the working folder" not in page
    answer = studio.http.post(
        f"/sessions/{first}/again",
        data={"message": "Look again.", "given": files[0]},
        files={"files": ("new.txt", b"new")},
    )
    assert answer.status_code == 303, answer.text
    second = answer.headers["location"].rpartition("/")[2]
    assert work(studio, second) == {"keep.txt": "kept", "new.txt": "new"}
    studio.call("DELETE", f"sessions/{first}")
    assert work(studio, second) == {"keep.txt": "kept", "new.txt": "new"}


def test_a_bad_name_in_a_form_is_said_on_the_page(studio: InProcess) -> None:
    workflow = team(studio)
    answer = studio.http.post(
        f"/workflows/{workflow}/start",
        data={"message": "Go."},
        files={"files": (".bashrc", b"x")},
    )
    assert answer.status_code == 422
    assert "hidden in the working folder" in answer.text
