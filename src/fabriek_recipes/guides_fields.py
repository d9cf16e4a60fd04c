"""When to use the recipes that need no language model that writes, and own code."""

from __future__ import annotations

from fabriek_recipes.guide import Guide, Instead
from fabriek_recipes.words import _

OF_FIELDS: dict[str, Guide] = {
    "tabular": Guide(
        fits=(
            _(
                "You have a table of cases that ended, and a column that you would have liked "
                "to know beforehand."
            ),
            _("You need chances that hold: of ten customers with 30%, some three leave."),
        ),
        instead=(
            Instead(
                when=_("You want to know what a figure will be next week or month"),
                recipe="forecast",
            ),
            Instead(
                when=_("What decides stands in free text"),
                recipe="classify_text",
            ),
        ),
        bring=_(
            "A table in .csv, .parquet or .jsonl, from some hundreds of rows, with only "
            "columns that you know at the moment of predicting."
        ),
        example=(
            "date,customer,items,amount,returned\n"
            "2026-01-31,31,2,59.90,no\n"
            "2026-02-01,47,1,12.00,yes"
        ),
        get=_(
            "A model of boosted trees beside a plain one, what each column does, and how well "
            "it did on rows it never saw."
        ),
        rough=_("Seconds to minutes, without a GPU."),
        after=_(
            "Look at the columns that do most: does that make sense to who knows the work?"
        ),
    ),
    "classify_text": Guide(
        fits=(
            _(
                "People gave texts a label, and new ones must be sorted the same way: "
                "subject, urgency, department."
            ),
            _("You want to know how sure each label is, so that people see the doubtful ones."),
        ),
        instead=(
            Instead(
                when=_("The answer is a sentence and not a label"),
                recipe="finetune_lm",
            ),
            Instead(
                when=_("You have no labels yet: let a model propose them, and correct those"),
                recipe="batch_predict",
            ),
        ),
        bring=_(
            "A .csv, .jsonl or .parquet with a text and a label on each row, from some dozens "
            "of each label, and a small base model."
        ),
        example=("text,label\nMy bill is wrong,finance\nThe door does not close,technical"),
        get=_(
            "A model that labels texts, beside a simple count of words, with what it mixes up."
        ),
        rough=_("Minutes of one GPU; small models also learn on processors."),
        after=_("Look at the pairs of labels it mixes up: often people do so too."),
    ),
    "classify_images": Guide(
        fits=(
            _(
                "Pictures of one thing each, of kinds that you can name: good or damaged, "
                "which part, which plant."
            ),
        ),
        instead=(
            Instead(
                when=_("What you measure are numbers in a table"),
                recipe="tabular",
            ),
        ),
        bring=_(
            "A folder of pictures for each label, from some dozens of each, taken as they "
            "will be taken in use, and a base model that sees. Or a metadata.csv with "
            "file_name and label; a column split in it may say which are kept apart."
        ),
        example="good/0001.jpg\ngood/0002.jpg\ndamaged/0001.jpg",
        get=_(
            "A model that labels pictures, beside a look at colours alone, with the pictures "
            "it gets wrong."
        ),
        rough=_("Minutes of one GPU for some thousands of pictures."),
        after=_("Try it on pictures of another day or another camera before you rely on it."),
    ),
    "forecast": Guide(
        fits=(
            _(
                "Figures at an even step: sales by week, power by hour, visitors by day; one "
                "series or hundreds."
            ),
            _("You must plan with bounds: how bad can it get?"),
        ),
        instead=(
            Instead(
                when=_("Other columns decide, and not what came before"),
                recipe="tabular",
            ),
        ),
        bring=_(
            "A table with a time, a value, and a name for each series if there are several. "
            "At least two seasons, better four. A column that divides the rows into train and "
            "test is not used: a forecast is tried on the last moments, from those before."
        ),
        example="time,value,series\n2026-01,120,Groningen\n2026-02,131,Groningen",
        get=_(
            "A table with the forecast and its bounds, the chosen method of each series, and "
            "whether it beats repeating the last season."
        ),
        rough=_("Seconds to minutes, without a GPU."),
        after=_(
            "Keep the forecast, and compare it with what came: then you know what its bounds "
            "are worth."
        ),
    ),
    "script": Guide(
        fits=(
            _("You have outgrown the recipes: a model, a loss or a library of your own."),
            _("Your code runs on your own computer already, on a small part of the data."),
        ),
        instead=(
            Instead(
                when=_("You want to try things out line by line"),
                recipe="lab",
            ),
            Instead(
                when=_(
                    "A recipe does what you want: it saves, resumes, scores and writes the "
                    "card for you"
                ),
                recipe="finetune_lm",
            ),
        ),
        bring=_(
            "A folder or git archive with your code, the command that starts it, and a "
            "requirements.txt for what else it needs."
        ),
        example=(
            'fabriek run script --case C26-0001 --folder . --data D26-0001 --command "python '
            'train.py --epochs 3"'
        ),
        get=_(
            "What your code leaves: a model with its origin, figures on the page of the run, "
            "files."
        ),
        rough=_("As long as you ask for at most; what is not used is given back."),
        after=_(
            "Save checkpoints where the factory says, so that a stop costs you minutes and "
            "not days."
        ),
    ),
}
