"""When to use the recipes of language models."""

from __future__ import annotations

from fabriek_recipes.guide import Guide, Instead
from fabriek_recipes.words import _

OF_LANGUAGE: dict[str, Guide] = {
    "finetune_lm": Guide(
        fits=(
            _(
                "You can write down what a good answer is: questions from your desk with the "
                "reply that a colleague gave."
            ),
            _(
                "Asking the base model well, with examples in the question, did not get you "
                "there."
            ),
            _(
                "The answers have a form of their own: your tone, your categories, calls of "
                "your tools."
            ),
        ),
        instead=(
            Instead(
                when=_("You only want one of a few labels for each text"),
                recipe="classify_text",
            ),
            Instead(
                when=_("The model does not know the language of your field"),
                recipe="pretrain_lm",
            ),
            Instead(
                when=_("It answers, but you like some answers better than others"),
                recipe="prefer_lm",
            ),
        ),
        bring=_(
            "A .csv of Excel, a .json or a .jsonl with a question and an answer on each row, "
            "and a base model. 500 good rows beat 5,000 careless ones."
        ),
        example=(
            '{"prompt": "Where is my parcel?", "completion": "I look it up: what is its '
            'number?"}\n'
            '{"prompt": "Can I return it?", "completion": "Yes, within 14 days."}'
        ),
        get=_(
            "A model in Hugging Face format (a small addition, or all weights), scored before "
            "and after on rows it never saw."
        ),
        rough=_(
            "500 rows on a model of 7 billion weights: minutes of one GPU. The page says it "
            "for your data before anything starts."
        ),
        after=_("Try the model, read its worst rows, mend those in the data, and train again."),
    ),
    "prefer_lm": Guide(
        fits=(
            _("People chose the better of two answers, or corrected an answer of the model."),
            _(
                "The model knows the task; tone, length, care or what must not be said is "
                "still wrong."
            ),
        ),
        instead=(
            Instead(
                when=_("The model does not do the task yet"),
                recipe="finetune_lm",
            ),
            Instead(
                when=_("You have no second answers yet: let the model write them first"),
                recipe="batch_predict",
            ),
        ),
        bring=_(
            "A .csv, .json or .jsonl with a question, the better and the worse answer on each "
            "row; "
            "some hundreds of pairs. And the model to teach."
        ),
        example=(
            '{"prompt": "My order is late.", "chosen": "Sorry about that. May I have the '
            'number?", "rejected": "Orders can be late."}'
        ),
        get=_(
            "A model, and how often it prefers the better answer on pairs it never saw, "
            "before and after, with how sure that is."
        ),
        rough=_(
            "About twice as long as teaching the same number of rows, since each pair is read "
            "twice."
        ),
        after=_(
            "Score it on your questions beside the model you began with: preferences can cost "
            "knowledge."
        ),
    ),
    "pretrain_lm": Guide(
        fits=(
            _("You have much plain text of a field or a language that open models know badly."),
            _("Every origin of a model must be known: then a new one, from your text alone."),
        ),
        instead=(
            Instead(
                when=_("You have questions with answers"),
                recipe="finetune_lm",
            ),
            Instead(
                when=_("You want to see first how badly an open model reads your text"),
                recipe="evaluate",
            ),
        ),
        bring=_(
            "Text: .txt, .jsonl or .parquet, from some tens of megabytes to go on with a "
            "model; 2.5 gigabytes for a small new one. It may be larger than memory. A column "
            "called split may say which rows are kept apart for scoring."
        ),
        example=(
            '{"text": "The patient was seen at the outpatient clinic ..."}\n'
            '{"text": "Report of the second visit ..."}'
        ),
        get=_(
            "A language model with its tokenizer, and how well it reads text it never saw, "
            "before and after; also of general text, so that you see what it forgot."
        ),
        rough=_("The longest of all recipes: hours to days of GPU time. Do a dry run first."),
        after=_("A model that read text only answers no questions yet: teach it your task."),
    ),
    "evaluate": Guide(
        fits=(
            _(
                "You have to choose between models, or to say whether a new one is really "
                "better."
            ),
            _("Before people use a model: where does it go wrong, and how often?"),
        ),
        instead=(
            Instead(
                when=_("You want the answers themselves, for all rows"),
                recipe="batch_predict",
            ),
        ),
        bring=_(
            "Questions with the right answers in .csv, .json or .jsonl, or a task file in the "
            "form of "
            "lm-eval; one or two models. 200 questions say more than 20: the interval shows "
            "it."
        ),
        example=(
            '{"prompt": "What is 11% of 200?", "completion": "22"}\n'
            '{"question": "Which is a fruit?", "choices": ["pear", "chair"], "answer": 0}'
        ),
        get=_(
            "Scores with 95% intervals, the difference between two models, and the best and "
            "worst rows to read."
        ),
        rough=_("Seconds to minutes of one GPU for some hundreds of questions."),
        after=_("Read the worst rows; they say what to add to your data."),
    ),
    "batch_predict": Guide(
        fits=(
            _("Thousands of texts at once: sort, shorten, translate, draw out facts."),
            _("You want two answers to each question, to choose the better one."),
        ),
        instead=(
            Instead(
                when=_("You want to know how good the answers are"),
                recipe="evaluate",
            ),
            Instead(
                when=_("The answer is always one of a few labels"),
                recipe="classify_text",
            ),
        ),
        bring=_("Questions in .csv, .json or .jsonl, and a model."),
        example='{"prompt": "Shorten to one sentence: ..."}',
        get=_(
            "Every row with its answer, as a dataset of your case if you choose so, under the "
            "terms of the data and the model."
        ),
        rough=_("Goes on where it was after a stop, and may be spread over several GPUs."),
        after=_("Read a sample of the answers before anybody relies on them."),
    ),
}
