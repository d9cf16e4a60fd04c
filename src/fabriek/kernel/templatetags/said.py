"""`{% translate %}` and `{% url %}` for what is fixed, looked up once.

A page of a list says the same few words on every row; Django looks each up anew, which was a
sixth of the work for such a page. Templates need no `{% load i18n %}`: it would bring back
Django's own tag.
"""

from django import template
from django.template import Context, Node
from django.template.base import Parser, Token
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as django_url
from django.templatetags.i18n import TranslateNode, do_translate
from django.utils.translation import get_language

register = template.Library()


@register.tag
def translate(parser: Parser, token: Token) -> Node:
    node = do_translate(parser, token)
    return Said(node) if _is_fixed(node) else node


def _is_fixed(node: TranslateNode) -> bool:
    """Tell whether nothing but the language can change what is said."""
    said = node.filter_expression
    return said.var.literal is not None and not said.filters and not node.message_context


@register.tag
def url(parser: Parser, token: Token) -> Node:
    node = django_url(parser, token)
    return Address(node) if _is_bare(node) else node


def _is_bare(node: URLNode) -> bool:
    """Tell whether it is one and the same address wherever it stands."""
    return not (node.view_name.is_var or node.args or node.kwargs)


class Address(Node):
    """The address of a page without arguments, looked up once."""

    child_nodelists = ()

    def __init__(self, node: URLNode) -> None:
        self._node = node
        self._kept: str | None = None

    def render(self, context: Context) -> str:
        name = self._node.asvar
        if self._kept is None:
            shown: str = self._node.render(context)
            self._kept = context[name] if name else shown
        if name:
            context[name] = self._kept
            return ""
        return self._kept


class Said(Node):
    """A sentence that is remembered; thread-safe, as what is kept never changes."""

    child_nodelists = ()

    def __init__(self, node: TranslateNode) -> None:
        self._node = node
        self._kept: dict[str | None, str] = {}

    def render(self, context: Context) -> str:
        language = get_language()
        if language not in self._kept:
            self._kept[language] = self._looked_up(context)
        if self._node.asvar:
            context[self._node.asvar] = self._kept[language]
            return ""
        return self._kept[language]

    def _looked_up(self, context: Context) -> str:
        shown: str = self._node.render(context)
        name = self._node.asvar
        return context[name] if name else shown
