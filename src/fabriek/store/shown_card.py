"""Show the card of a repository, its README, on a page: Markdown of others without HTML."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

FRONT_MATTER = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n.*?^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE
)
CARD_CHARACTERS_MAX = 100_000
OUTWARD = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
# The page has a heading of its own above the card.
DEEPER = 1
DEEPEST = 6

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
# On a phone a wide table scrolls by itself, by keyboard too, and not the page.
_markdown.add_render_rule(
    "table_open",
    lambda self, tokens, at, options, env: (
        f'<div class="table-wrap" tabindex="0">{self.renderToken(tokens, at, options, env)}'
    ),
)
_markdown.add_render_rule("table_close", lambda *_args: "</table></div>\n")


@lru_cache(maxsize=64)
def as_html(card: str) -> SafeString:
    """Render a card. A picture becomes a link: the page loads nothing from elsewhere."""
    text = FRONT_MATTER.sub("", card[:CARD_CHARACTERS_MAX], count=1)
    tokens = _without_title(_markdown.parse(text))
    _adapt(tokens)
    rendered: str = _markdown.renderer.render(tokens, _markdown.options, {})
    return mark_safe(rendered)  # noqa: S308  made by the renderer, which escapes all text


def _without_title(tokens: list[Token]) -> list[Token]:
    """Leave out the title: it stands above the page already."""
    if [token.type for token in tokens[:3]] == ["heading_open", "inline", "heading_close"]:
        return tokens[3:] if tokens[0].tag == "h1" else tokens
    return tokens


def _adapt(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + DEEPER, DEEPEST)}"
        elif token.type == "table_open":
            token.attrSet("class", "table table--plain")
        elif token.type in {"th_open", "td_open"}:
            _align(token)
        elif token.type == "link_open":
            _guard(token)
        if token.children:
            token.children = list(_without_pictures(token.children))
            _adapt(token.children)


def _without_pictures(tokens: Sequence[Token]) -> Iterator[Token]:
    """Put a link in the place of a picture, or what it tells where it is in a link already."""
    depth = 0
    for token in tokens:
        depth += token.nesting if token.type in {"link_open", "link_close"} else 0
        if token.type != "image":
            yield token
            continue
        source = str(token.attrGet("src") or "")
        text = Token("text", "", 0, content=token.content or source)
        if depth:
            yield text
        else:
            yield Token("link_open", "a", 1, attrs={"href": source})
            yield text
            yield Token("link_close", "a", -1)


def _align(token: Token) -> None:
    """Write the alignment as a class: the policy of our pages refuses inline styles."""
    if "right" in str(token.attrs.pop("style", "")):
        token.attrSet("class", "num")


def _guard(token: Token) -> None:
    if not OUTWARD.match(str(token.attrGet("href") or "")):
        token.attrs.pop("href", None)  # a file beside the card, which is not on this page
        return
    token.attrSet("rel", "nofollow noopener")
