"""What was seen in rows before a run, told in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.kernel.facts import Fact
from fabriek.kernel.words import number, percent_sign
from fabriek.runs import seen_rows, seen_texts, withheld
from fabriek.runs.look import Looked
from fabriek.runs.seen_places import PLACES_NAMED, file_of, listed, pairs, place, tokens
from fabriek.runs.seen_shapes import CountIn
from fabriek.runs.seen_troubles import trouble
from fabriek.runs.shapes import RemarkOut, SeenRowsOut
from fabriek.runs.words import filled, told

WRONG, ATTENTION, NEUTRAL = "wrong", "attention", "neutral"


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    tone: str
    text: str


def remarks(looked: Looked) -> list[Remark]:
    """Say what somebody should know before the run, what refuses it first."""
    found: list[Remark] = []
    if looked.trouble:
        found.append(Remark(tone=WRONG, text=trouble(looked)))
    if looked.count:
        found += _wrong(looked, looked.count) + _odd(looked, looked.count)
    if looked.has_own_pieces:
        found.append(Remark(tone=NEUTRAL, text=seen_texts.of_own_pieces()))
    if looked.is_plain:
        text = _(
            "The base model has no chat template of its own: question, a new line, answer. The "
            "same template is saved with the model you make."
        )
        found.append(Remark(tone=NEUTRAL, text=text))
    if not looked.shows_words:
        text = _(
            "The rows themselves are not shown: the agreement on these data lets you train on "
            "them, not read them."
        )
        found.append(Remark(tone=NEUTRAL, text=text))
    elif looked.hides_personal:
        text = _("Words that hold personal data are hidden here; the model does learn them.")
        found.append(Remark(tone=ATTENTION, text=text))
    return found


def facts(looked: Looked) -> list[Fact]:
    count = looked.count
    if count is None:
        return []
    if looked.of_texts:
        help_ = _counted_how(count)
        return [Fact(label=one, value=two) for one, two in seen_texts.facts(count, help_)]
    about = _("about %(number)s") if count.every > 1 else "%(number)s"
    total = count.tokens * count.every
    learned = round(100 * count.learned / max(1, count.tokens))
    apart = sum(rows for _size, rows in count.lengths_apart)
    rows = [
        Fact(label=_("Rows counted"), value=number(count.rows), help=_counted_how(count)),
        Fact(label=_("Tokens in rows to learn from"), value=about % {"number": number(total)}),
        Fact(
            label=_("Of these learned from"),
            value=f"{number(learned)}{percent_sign()}",
            help=_("Both answers of a pair count; the question is only read.")
            if looked.of_pairs
            else _("The model learns the answers; what it is asked it only reads."),
        ),
        Fact(label=_("Longest row"), value=tokens(_longest(count))),
    ]
    if apart:
        rows.append(Fact(label=_("Rows kept apart for scoring"), value=number(apart)))
    return rows


def told_to_programs(looked: Looked) -> SeenRowsOut:
    """Say the same to programs, with numbers instead of a picture."""
    said = SeenRowsOut(
        remarks=[RemarkOut(tone=one.tone, text=one.text) for one in remarks(looked)],
        rows=seen_rows.told_to_programs(looked),
    )
    if (count := looked.count) is None:
        return said
    figures = {
        "count": count.rows,
        "every": count.every,
        "tokens": count.tokens,
        "learned": count.learned,
        "longest_used": looked.longest,
        "are_cut": looked.of_texts,
        "lengths": count.lengths,
        "lengths_apart": count.lengths_apart,
    }
    return said.model_copy(update=figures)


def length_sentence(looked: Looked) -> str:
    """Say what the histogram shows, which is its title too."""
    count = looked.count
    if count is None:
        return ""
    if looked.of_texts:
        return seen_texts.length_sentence(looked, count)
    total = sum(rows for _size, rows in count.lengths)
    fit = sum(rows for size, rows in count.lengths if size <= looked.longest)
    said = {"most": number(looked.longest), "fit": number(fit), "total": number(total)}
    if fit == total:
        text = ngettext(
            "The only row has at most %(most)s tokens.",
            "All %(total)s rows have at most %(most)s tokens.",
            total,
        )
        return text % said
    return _("%(fit)s of %(total)s rows have at most %(most)s tokens.") % said


def _wrong(looked: Looked, count: CountIn) -> list[Remark]:
    found = []
    if looked.refusal:
        found.append(Remark(tone=WRONG, text=told(looked.refusal.sentence)))
    if count.leaks.count and not looked.of_texts:
        text = ngettext(
            "%(count)s row kept apart for scoring is also learned from, so the run is refused: "
            "%(places)s. Take it out of one of the two.",
            "%(count)s rows kept apart for scoring are also learned from, so the run is "
            "refused: %(places)s. Take them out of one of the two.",
            count.leaks.count,
        )
        found.append(Remark(tone=WRONG, text=text % pairs(looked, count.leaks)))
    for at, _line, msgid, values in count.problems[:PLACES_NAMED]:
        text = f"{file_of(looked, at)}: {_problem(looked, msgid, values)}"
        found.append(Remark(tone=WRONG, text=text))
    if (more := count.problem_count - PLACES_NAMED) > 0:
        text = ngettext("%(n)s more line is wrong.", "%(n)s more lines are wrong.", more)
        found.append(Remark(tone=WRONG, text=text % {"n": number(more)}))
    return found


def _problem(looked: Looked, msgid: str, values: Mapping[str, int | float | str]) -> str:
    """Say what is wrong with a line: hostile rows may have chosen these words."""
    if looked.shows_words and not looked.hides_personal:
        return filled(msgid, values) or withheld.said("", {})
    return withheld.said(msgid, values, told=frozenset())


def _odd(looked: Looked, count: CountIn) -> list[Remark]:
    if looked.of_texts:
        texts = seen_texts.odd(looked, count)
        return [Remark(tone=ATTENTION, text=text) for text in texts]
    texts = [_too_long(looked, count)]
    if count.doubles.count:
        text = ngettext(
            "%(count)s row is the same as an earlier one: %(places)s. It is learned twice.",
            "%(count)s rows are the same as an earlier one: %(places)s. They are learned more "
            "than once.",
            count.doubles.count,
        )
        texts.append(text % pairs(looked, count.doubles))
    if count.asked_again.count:
        text = ngettext(
            "%(count)s row kept apart asks what is learned from with another answer: "
            "%(places)s. Its score tells little.",
            "%(count)s rows kept apart ask what is learned from with another answer: "
            "%(places)s. Their score tells little.",
            count.asked_again.count,
        )
        texts.append(text % pairs(looked, count.asked_again))
    return [Remark(tone=ATTENTION, text=text) for text in texts if text]


def _too_long(looked: Looked, count: CountIn) -> str:
    every = [*count.lengths, *count.lengths_apart]
    over = sum(rows for size, rows in every if size > looked.longest)
    is_said = looked.refusal is not None and looked.refusal.code == "rows_too_long"
    if not over or is_said:
        return ""
    places = [(at, line) for size, at, line in count.longest if size > looked.longest]
    text = ngettext(
        "%(count)s row has more than %(most)s tokens and is left out: %(places)s. Shorten it, "
        "or raise “Longest row”.",
        "%(count)s rows have more than %(most)s tokens and are left out: %(places)s. Shorten "
        "them, or raise “Longest row”.",
        over,
    )
    if looked.longest < looked.row_tokens_max:
        text = ngettext(
            "%(count)s row is longer than the %(most)s tokens that the base model can look at, "
            "and is left out: %(places)s. Shorten it, or choose another base model.",
            "%(count)s rows are longer than the %(most)s tokens that the base model can look "
            "at, and are left out: %(places)s. Shorten them, or choose another base model.",
            over,
        )
    named = [place(looked, at, line) for at, line in sorted(places)[:PLACES_NAMED]]
    return text % {
        "count": number(over),
        "most": number(looked.longest),
        "places": listed(named, more=over > PLACES_NAMED),
    }


def _counted_how(count: CountIn) -> str:
    if count.is_cut_short:
        return _("The first ones: time was up. What is said here holds for these.")
    if count.every > 1:
        said = {"every": number(count.every)}
        return _("One of every %(every)s, as there are many. All are read by the run.") % said
    return _("All of them.")


def _longest(count: CountIn) -> int:
    return max((size for size, _rows in count.lengths), default=0)
