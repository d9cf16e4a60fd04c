"""What was seen in plain text before a run, told in the reader's language."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.kernel.words import number
from fabriek.runs.look import Looked
from fabriek.runs.seen_places import pairs, tokens
from fabriek.runs.seen_shapes import CountIn


def facts(count: CountIn, how: str) -> list[tuple[str, str]]:
    """Name each figure and give it; `how`: of which texts they are."""
    about = _("about %(number)s") if count.every > 1 else "%(number)s"
    total = count.tokens * count.every
    apart = sum(texts for _size, texts in count.lengths_apart)
    found = [
        (_("Texts counted"), f"{number(count.rows)}. {how}"),
        (_("Tokens to learn from in one pass"), about % {"number": number(total)}),
        (_("Longest text"), tokens(max((size for size, _n in count.lengths), default=0))),
    ]
    if count.words:
        found.append((_("Tokens for a word"), number(count.tokens / count.words, 2)))
    if apart:
        found.append((_("Texts in files kept apart for scoring"), number(apart)))
    return found


def length_sentence(looked: Looked, count: CountIn) -> str:
    """Say what the histogram shows, which is its title too."""
    total = sum(texts for _size, texts in count.lengths)
    fit = sum(texts for size, texts in count.lengths if size <= looked.longest)
    said = {"most": number(looked.longest), "fit": number(fit), "total": number(total)}
    return _("%(fit)s of %(total)s texts fit in %(most)s tokens.") % said


def odd(looked: Looked, count: CountIn) -> list[str]:
    """Say what is no reason to refuse, and worth to know."""
    texts = [_cut(looked, count)]
    if count.doubles.count:
        text = ngettext(
            "%(count)s text is the same as an earlier one: %(places)s. It is learned twice.",
            "%(count)s texts are the same as an earlier one: %(places)s. They are learned more "
            "than once, which teaches them by heart: take doubles out of the dataset first.",
            count.doubles.count,
        )
        texts.append(text % pairs(looked, count.doubles))
    if count.leaks.count:
        text = ngettext(
            "%(count)s text in a file kept apart for scoring is also text to learn from: "
            "%(places)s. The run leaves it out of learning.",
            "%(count)s texts in files kept apart for scoring are also text to learn from: "
            "%(places)s. The run leaves them out of learning.",
            count.leaks.count,
        )
        texts.append(text % pairs(looked, count.leaks))
    return [text for text in texts if text]


def of_own_pieces() -> str:
    return _(
        "These tokens are of a tokenizer made for this look from the first part of your text. "
        "The run makes its own from more of it, so that its tokens may differ a little."
    )


def _cut(looked: Looked, count: CountIn) -> str:
    over = sum(texts for size, texts in count.lengths if size > looked.longest)
    if not over:
        return ""
    text = ngettext(
        "%(count)s text has more than %(most)s tokens and is cut in pieces. The model does not "
        "look from one piece into the other: raise “Longest text” if it should.",
        "%(count)s texts have more than %(most)s tokens and are cut in pieces. The model does "
        "not look from one piece into the other: raise “Longest text” if it should.",
        over,
    )
    return text % {"count": number(over), "most": number(looked.longest)}
