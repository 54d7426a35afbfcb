"""The skills that ask the web, with a stand-in for the web at the end of a box's way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.engine.execution.box import Kind, Probe
from studio.engine.execution.calls import Called

from ..boxes import ready
from .skill_bench import Bench, recorded
from .upstream import Answering, Asked, Reply


@pytest.fixture
def bench(tmp_path: Path, probes: dict[Kind, Probe]) -> Bench:
    ready(probes["sandbox"])
    return Bench(tmp_path, "sandbox")


def test_papers_of_arxiv(bench: Bench) -> None:
    answering = recorded("arxiv.xml", "application/atom+xml")
    found, asked = bench.online(
        answering, "arXiv", "search_arxiv", query="LLM round-table", count=2
    )
    assert found.ok, found.content
    first, second = found.content.split("\n\n")
    assert first.splitlines() == [
        "## Round Tables of Agents: a Study & a Method",
        "Ada Example, Bela Muster (2026-01-16)",
        "https://arxiv.org/abs/2601.00001v2  [cs.AI, cs.CL]",
        "Agents that talk in turns are compared with agents that do not. We find $n < 10$ turns "
        "enough.",
    ]
    assert "A Eight and 2 more (2025-12-12)" in second
    assert [a.query for a in asked] == [
        {"search_query": "all:LLM AND all:round-table", "max_results": "2"}
    ]
    assert [(r.host, r.port, r.allowed) for r in bench.told] == [("export.arxiv.org", 443, True)]
    _, asked = bench.online(answering, "arXiv", "search_arxiv", query="ti:agents AND cat:cs.AI")
    assert asked[0].query["search_query"] == "ti:agents AND cat:cs.AI"


@pytest.mark.parametrize(
    ("answering", "words"),
    [
        (recorded("arxiv_error.xml"), "malformed search query: au:"),
        (
            lambda _: Reply(b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
            "DOCTYPE, which is not read",
        ),
        (lambda _: Reply("<!DOCTYPE x><x/>".encode("utf-16")), "no feed"),
        (lambda _: Reply(b"<feed"), "no feed"),
        (lambda _: Reply(b"", status=503), "arXiv answered 503"),
        (lambda _: Reply(b"", status=302, headers={"location": "https://evil.example/"}), "403"),
    ],
    ids=range(6),
)
def test_answers_of_arxiv_that_are_none(bench: Bench, answering: Answering, words: str) -> None:
    found, _ = bench.online(answering, "arXiv", "search_arxiv", query="x")
    assert not found.ok
    assert words in found.content


def test_wikipedia_is_searched_and_read(bench: Bench) -> None:
    found, asked = bench.online(
        recorded("wikipedia_search.json"), "Wikipedia", "search_wikipedia", query="waggle",
        language="pt",
    )  # fmt: skip
    assert found.content.splitlines() == [
        "- Waggle dance: Waggle dance is a term used in beekeeping & ethology for a figure-eight "
        "dance of the honey bee",
        "- Honey bee: A honey bee is a eusocial flying insect",
    ]
    assert (asked[0].host, asked[0].query["srsearch"]) == ("pt.wikipedia.org", "waggle")
    found, asked = bench.online(
        recorded("wikipedia_article.json"), "Wikipedia", "read_wikipedia", title="waggle dance"
    )
    assert found.content.splitlines()[:2] == [
        "# Waggle dance", "https://en.wikipedia.org/wiki/Waggle_dance",
    ]  # fmt: skip
    assert "\n## Description\n" in found.content
    assert "\n### Mechanism\n" in found.content
    assert asked[0].query["titles"] == "waggle dance"
    found, _ = bench.online(
        recorded("wikipedia_missing.json"), "Wikipedia", "read_wikipedia", title="Wagle danse"
    )
    assert (found.ok, "There is no article “Wagle danse”" in found.content) == (False, True)


def test_no_language_leads_to_another_host(bench: Bench) -> None:
    for language in ("evil.example/", "en.evil", "EN", "", "en@x", "e" * 40):
        found = bench.call("Wikipedia", "search_wikipedia", query="x", language=language)
        assert "Give the language" in found.content
    found, asked = bench.online(recorded("brave.json"), "Wikipedia", "search_wikipedia", query="x")
    assert (found.content, len(asked)) == ("Nothing was found.", 1)


BRAVE, TAVILY = {"BRAVE_SEARCH_API_KEY": "key-of-brave"}, {"TAVILY_API_KEY": "key-of-tavily"}
SEARXNG = {"SEARXNG_URL": "https://search.example/s/"}


def test_the_provider_is_the_one_whose_secret_is_there(bench: Bench) -> None:
    def searched(file: str, secrets: dict[str, str], **more: Any) -> tuple[Called, Asked]:
        found, asked = bench.online(
            recorded(file), "Web search", "search_web", secrets=secrets, query="honey bees", **more
        )
        return found, asked[0]

    found, asked = searched("brave.json", BRAVE | TAVILY | SEARXNG, count=2)
    assert found.content == (
        "1. How bees dance\n   https://bees.example/dance\n"
        "   The waggle dance tells where flowers are & how far.\n\n"
        "2. Bees & flowers\n   https://flowers.example/\n   All of them."
    )
    assert asked.query == {"q": "honey bees", "count": "2"}
    assert asked.headers["x-subscription-token"] == "key-of-brave"
    found, asked = searched("tavily.json", TAVILY | SEARXNG)
    assert "The waggle dance tells where flowers are." in found.content
    assert asked.headers["authorization"] == "Bearer key-of-tavily"
    assert json.loads(asked.body) == {"query": "honey bees", "max_results": 5}
    found, asked = searched("searxng.json", SEARXNG, hosts=("search.example",))
    assert "2. Two\n   https://two.example/" in found.content
    assert (asked.path, asked.query["format"]) == ("/s/search", "json")


def test_a_search_that_fails_says_why_and_never_the_key(bench: Bench) -> None:
    none = bench.call("Web search", "search_web", query="x")
    assert "store a secret BRAVE_SEARCH_API_KEY, TAVILY_API_KEY or SEARXNG_URL" in none.content
    for answering, secrets, words in (
        (
            recorded("brave.json", status=401),
            BRAVE,
            "Brave Search answered 401: the key is refused",
        ),
        (recorded("brave.json", status=429), TAVILY, "Tavily answered 429: too many requests"),
        (recorded("arxiv.xml"), BRAVE, "Brave Search gave no answer that can be read"),
        (recorded("searxng.json"), SEARXNG, "SearXNG cannot be reached: Tunnel connection failed"),
        (recorded("searxng.json"), {"SEARXNG_URL": "file:///etc"}, "begins with http"),
    ):
        found, _ = bench.online(answering, "Web search", "search_web", secrets=secrets, query="x")
        assert (found.ok, words in found.content) == (False, True), found.content
        assert [v for v in secrets.values() if v in found.content + found.errors] == []


def fetched(bench: Bench, answering: Answering, url: str = "https://bees.example/a/b") -> Called:
    return bench.online(answering, "Fetch page", "fetch_page", url=url)[0]


def test_a_page_becomes_markdown(bench: Bench) -> None:
    found = fetched(bench, recorded("page.html", "text/html"))
    assert (
        found.content
        == """\
# Bees & flowers

[Home](https://bees.example/home) Top

# The *waggle* dance

Bees tell each other where [flowers](https://bees.example/a/flowers?a=1&b=2) are.
See this.

- angle: **direction**
- length
  1. short
  2. long

> They dance.

```
for bee in hive:
    bee.dance()
```

Run `dance()` now.

| Kind | Wings\\|legs |
| --- | --- |
| Bee | [4](https://x.example/4) |
| Ant |  |

[image: A hive]

Last."""
    )


def test_what_a_page_may_be(bench: Bench) -> None:
    page = "<title>Ä</title>" + "<p>" + "ö" * 50_000
    latin = Reply(page.encode("latin-1"), "text/html; charset=iso-8859-1")
    found = fetched(bench, lambda _: latin)
    assert found.content.startswith("# Ä\n\nöö")
    assert found.content.endswith("[cut at 40,000 of 50,005 characters; go on with start=40000]")
    assert fetched(bench, lambda _: Reply(b'{"a": 1}')).content == '{"a": 1}'
    png = fetched(bench, lambda _: Reply(b"\x89PNG", "image/png"))
    assert (png.ok, "is no text but image/png" in png.content) == (False, True)
    gone = fetched(bench, lambda _: Reply(b"no", "text/html", 404))
    assert "https://bees.example/a/b answered 404 Not Found" in gone.content
    plain = fetched(
        bench, lambda a: Reply(a.path.encode(), "text/plain"), "http://bees.example/ü x"
    )
    assert plain.content == "/%C3%BC%20x"


def test_a_page_may_lead_to_another_but_never_out_of_the_web(bench: Bench) -> None:
    def leading_to(place: str) -> Answering:
        there = Reply(b"", status=302, headers={"location": place})
        return lambda asked: there if asked.path == "/a/b" else Reply(b"<p>Here", "text/html")

    assert fetched(bench, leading_to("/c")).content == "Here"
    for url in ("file:///etc/passwd", "ftp://bees.example/x", "data:text/html,x", "bees.example"):
        assert "begins with http" in fetched(bench, leading_to("/c"), url).content
        assert fetched(bench, leading_to(url)).ok is (url == "bees.example")
    for place in ("http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/"):
        assert f"{place} answered 403" in fetched(bench, leading_to(place)).content
    inside = fetched(bench, leading_to("https://10.0.0.1/"))
    assert "the network settings of this skill do not allow it" in inside.content


def test_pages_that_are_no_pages_end_as_well(bench: Bench) -> None:
    odd = [
        "", "<" * 20_000, "<div>" * 20_000 + "x", "<a href=" * 500, "</p></table></ul></td>x",
        "<table><tr><td>a<table><tr><td>b</table>c</table>d", "<pre>a", "<ul><li><ol><li>x",
        "<title>", "<head><title>T</title><body>x", "&#x110000;&nbsp;&unknown;", "<!-- <p>x",
        "<li>no list", "<td>no table", "<a href='http://[::1'>x</a>",
    ]  # fmt: skip
    for page in odd:
        found = fetched(bench, lambda _, page=page: Reply(page.encode(), "text/html"))  # type: ignore[misc]
        assert found.ok, (page[:40], found.content)
        assert found.seconds < 10
