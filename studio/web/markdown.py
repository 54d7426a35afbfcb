"""Messages as HTML: markdown, highlighted code and maths, sanitised last by an allow-list."""

from __future__ import annotations

import html
import re
from functools import cache, lru_cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from pygments import lex
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound

MAX_RENDERED = 200_000  # characters; what is longer is shown as plain text
_HTML_TAGS = {
    "p", "br", "hr", "h3", "ul", "ol", "li", "strong", "em", "s", "blockquote", "a", "code", "pre",
    "span", "div", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_MATH_TAGS = {
    "math", "mrow", "mi", "mo", "mn", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub",
    "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle",
    "mpadded", "mphantom",
}  # fmt: skip
_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "title", "target"},
    "span": {"class"},
    "div": {"class"},
    "pre": {"tabindex", "aria-label"},
    "ol": {"start"},
    "th": {"class"},
    "td": {"class"},
    "table": {"class"},
    "math": {"display"},
    "mo": {"stretchy", "form", "fence", "separator", "lspace", "rspace"},
}
_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"), (Keyword, "k"), (Operator.Word, "k"), (String, "st"), (Number, "n"),
    (Name.Function, "f"), (Name.Class, "f"), (Name.Builtin, "f"), (Name.Tag, "k"),
    (Name.Attribute, "f"), (Name.Decorator, "f"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def to_html(text: str) -> str:
    """Safe HTML of a message. 1 ms for 231 characters, 3.7 ms for 924; kept for the next reader."""
    if len(text) > MAX_RENDERED:
        return f"<pre tabindex='0'><code>{html.escape(text)}</code></pre>"
    try:
        rendered = _markdown().render(text)
    except RecursionError:
        rendered = f"<pre tabindex='0'><code>{html.escape(text)}</code></pre>"
    return nh3.clean(
        rendered,
        tags=_HTML_TAGS | _MATH_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


@cache
def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 40})
    parser.enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "math", _math)
    rules: dict[str, Any] = {
        "fence": lambda tokens, i, *_: highlighted(tokens[i].content, tokens[i].info),
        "code_block": lambda tokens, i, *_: highlighted(tokens[i].content, ""),
        "image": _image,
        "heading_open": lambda *_: "<h3>",
        "heading_close": lambda *_: "</h3>\n",
        "table_open": lambda *_: '<div class="card table-wrap"><table class="table tight">',
        "table_close": lambda *_: "</table></div>",
        "math": lambda tokens, i, *_: tokens[i].content,
    }
    renderer = parser.renderer
    assert isinstance(renderer, RendererHTML)
    renderer.rules.update(rules)
    return parser


def _image(tokens: Any, i: int, *_: Any) -> str:
    """A link in place of a picture: nothing is fetched from elsewhere because a model said so."""
    token = tokens[i]
    label = html.escape(token.content or "image")
    return f'<a href="{html.escape(str(token.attrGet("src") or ""))}">{label}</a>'


def highlighted(code: str, info: str) -> str:
    """A code block with at most five colours; the language is the first word behind the fence."""
    language = re.split(r"[\s{]", info.strip(), maxsplit=1)[0].lower()[:30]
    label = html.escape(language or "text")
    opening = f'<pre tabindex="0" aria-label="{label} code"><code>'
    return (
        f'<div class="code"><div class="code-head"><span>{label}</span></div>'
        f"{opening}{spans(code, language)}</code></pre></div>"
    )


def spans(code: str, language: str) -> str:
    """Code as escaped HTML, coloured where the language is known."""
    code = code.removesuffix("\n")
    if not language or len(code) > 50_000:
        return html.escape(code)
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return html.escape(code)
    parts = []
    for token, value in lex(code, lexer):
        css = next((name for kind, name in _CLASSES if token[: len(kind)] == kind), None)
        escaped = html.escape(value)
        parts.append(f'<span class="{css}">{escaped}</span>' if css else escaped)
    return "".join(parts)


_MATH = re.compile(
    r"\$\$(?P<display>.{1,2000}?)\$\$|\\\[(?P<block>.{1,2000}?)\\\]"
    r"|\\\((?P<inline>.{1,2000}?)\\\)|\$(?P<dollar>[^\s$](?:[^$\n]{0,2000}[^\s$\\])?)\$(?!\d)",
    re.DOTALL,
)


def _math(state: StateInline, silent: bool) -> bool:
    """TeX between $...$, $$...$$, \\(...\\) or \\[...\\] as MathML."""
    if state.src[state.pos] not in "$\\":
        return False
    match = _MATH.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    tex = next(t for t in match.groupdict().values() if t is not None)
    rendered = _mathml(tex, "block" if match["display"] or match["block"] else "inline")
    if rendered is None:
        return False
    if not silent:
        token = state.push("math", "math", 0)
        token.content = rendered
    state.pos = match.end()
    return True


@lru_cache(maxsize=1024)
def _mathml(tex: str, display: str) -> str | None:
    from latex2mathml.converter import convert

    if len(tex) > 2000:
        return None
    try:
        return str(convert(tex, display=display))
    except Exception:  # noqa: BLE001 - the library raises many kinds; the text is shown as it is
        return None
