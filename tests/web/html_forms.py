"""A page's form as a browser without scripts reads and sends it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from ..builders import Json
from ..conftest import InProcess

Control = tuple[str, str]


class Form(HTMLParser):
    """The controls of the page's form and what a browser would send of them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent: list[Control] = []
        self.errors: dict[str, str] = {}
        self._inside = False
        self._name, self._text = "", ""
        self._reading = ""
        self._options: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        if tag == "form":
            self._inside = given.get("id") == "edit"
        if not self._inside:
            return
        if tag == "input" and "name" in given:
            checked = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if checked:
                value = given.get("value", "on")
                self._send(given["name"], re.sub(r"[\r\n]", "", value))
        elif tag in ("textarea", "select") and "name" in given:
            self._name, self._text, self._options = given["name"], "", []
            self._reading = tag
        elif tag == "option":
            self._options.append((given.get("value", ""), "selected" in given))
        elif tag == "p" and given.get("class") == "error":
            self._reading, self._name, self._text = "error", given.get("id", ""), ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif self._reading == "textarea" and tag == "textarea":
            self._send(self._name, self._text.removeprefix("\n").replace("\n", "\r\n"))
        elif self._reading == "select" and tag == "select":
            chosen = [v for v, is_chosen in self._options if is_chosen]
            self._send(self._name, (chosen or [v for v, _ in self._options])[-1 if chosen else 0])
        elif self._reading == "error" and tag == "p":
            self.errors[self._name.removesuffix("-e")] = self._text.strip()
        else:
            return
        self._reading = ""

    def _send(self, name: str, value: str) -> None:
        self.sent.append((name, value))

    def but(self, **changes: str) -> list[Control]:
        """What is sent after some changes; two underscores stand for a dot."""
        new = {k.replace("__", "."): v for k, v in changes.items()}
        kept = [(k, v) for k, v in self.sent if k not in new]
        return kept + list(new.items())


def opened(studio: InProcess, path: str) -> Form:
    answer = studio.http.get(path)
    assert answer.status_code == 200, answer.text[:2000]
    return Form(answer.text)


def send(studio: InProcess, path: str, controls: list[Control]) -> Any:
    """As a browser: urlencoded, from the same origin."""
    body: dict[str, list[str]] = {}
    for name, value in controls:
        body.setdefault(name, []).append(value)
    return studio.http.post(path, data=body, headers={"origin": studio.url})


def save(studio: InProcess, noun: str, one: str, controls: list[Control]) -> Json:
    answer = send(studio, f"/{noun}/{one}", controls)
    assert answer.status_code == 303, Form(answer.text).errors
    made: Json = studio.get(f"{noun}/{one}")
    return made


def check_untouched(studio: InProcess, noun: str, body: Json) -> None:
    """A form that is sent as it came makes no draft and no revision."""
    before = studio.create(noun, **body)
    path = f"/{noun}/{before['id']}"
    form = opened(studio, path)
    assert send(studio, f"{path}/autosave", form.sent).status_code == 204
    assert studio.get(f"{noun}/{before['id']}")["has_draft"] is False
    assert save(studio, noun, before["id"], form.sent) == before


def check_draft_and_failed_save(
    studio: InProcess, noun: str, body: Json, field: str, bad_name: str
) -> None:
    """What was typed into `field` is kept as a draft, shown again beside the fault, and saved."""
    before = studio.create(noun, **body)
    path = f"/{noun}/{before['id']}"
    send(studio, f"{path}/autosave", opened(studio, path).but(**{field: "typed"}))
    assert studio.get(f"{noun}/{before['id']}")["has_draft"] is True
    refused = send(studio, path, opened(studio, path).but(name=bad_name))
    assert refused.status_code == 422
    again = Form(refused.text)
    assert set(again.errors) == {"name"}
    saved = save(studio, noun, before["id"], again.but(name=before["name"]))
    same = set(before) - {field, "revision", "updated_at"}
    assert {k: saved[k] for k in same} == {k: before[k] for k in same}
    assert saved[field] == "typed"
