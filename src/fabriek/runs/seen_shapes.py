"""What the worker that shows rows may answer: a closed shape, for it may be taken over."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fabriek_recipes import sentences


def _known(msgid: str) -> str:
    """Let words of rows be no template: those that may not be read would be told by it."""
    if not sentences.is_known(msgid):
        raise ValueError("no sentence of a recipe")
    return msgid


# What words.filled takes: plain places only, or a width would fill memory.
Template = Annotated[
    str,
    Field(max_length=2_000, pattern=r"^(?:[^%]|%%|%\(\w{1,40}\)s)*$"),
    AfterValidator(_known),
]
Values = Annotated[
    dict[str, int | float | Annotated[str, Field(max_length=4_000)]], Field(max_length=20)
]
Amount = Annotated[int, Field(ge=0, le=2**53)]
Text = Annotated[str, Field(max_length=4 * 2**20)]
Where = tuple[Amount, Amount]  # the number of a file, and a line


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PairsIn(_Closed):
    count: Amount
    places: Annotated[list[tuple[Amount, Amount, Amount, Amount]], Field(max_length=20)]


class CountIn(_Closed):
    """`every`: every how many lines one was counted; `is_cut_short`: time was up.

    `context`: how many tokens the model reads at once, and `known`: how many there are for it;
    0 where it does not say. `highest`: the highest number of a token that its tokenizer gave.
    `words`: by spaces, of plain text to learn from.
    """

    rows: Amount
    every: Annotated[int, Field(ge=1, le=2**40)]
    is_cut_short: bool
    lengths: list[tuple[Amount, Amount]]
    lengths_apart: list[tuple[Amount, Amount]]
    tokens: Amount
    tokens_apart: Amount
    learned: Amount
    context: Amount = 0
    known: Amount = 0
    highest: Amount = 0
    words: Amount = 0
    longest: Annotated[list[tuple[Amount, Amount, Amount]], Field(max_length=200)]
    doubles: PairsIn
    leaks: PairsIn
    asked_again: PairsIn
    problem_count: Amount
    problems: Annotated[
        list[tuple[Amount, Amount, Template, Values]],
        Field(max_length=20),
    ]
    picks: Annotated[
        list[tuple[Amount, Amount, Literal["first", "longest", "lot"]]], Field(max_length=10)
    ]


class RunIn(_Closed):
    role: Literal["signs", "gap", "system", "user", "assistant", "tool", "text"]
    learned: bool
    tokens: list[Text]


class RowIn(_Closed):
    file: Amount
    line: Amount
    why: Literal["first", "longest", "lot"]
    is_apart: bool
    tokens: Amount
    learned: Amount
    left_out: Amount
    runs: list[RunIn]
    answers: Annotated[list[list[RunIn]], Field(max_length=2)] = []


class FactsIn(_Closed):
    """What was counted of inputs; the machine it is for is said by who asks."""

    rows: Amount
    text_bytes: Amount
    base_parameters: Amount
    longest_row_bytes: Amount
    columns: Amount
    different: Annotated[
        list[tuple[Annotated[str, Field(max_length=200)], Amount]], Field(max_length=2_000)
    ]
    tokens: Amount
    vocabulary: Amount
    has_general: bool
    files: Amount
    is_sampled: bool


class ChecksIn(_Closed):
    """What a recipe says of its inputs; `code`: it cannot go on with them at all."""

    problems: Annotated[list[tuple[Template, Values]], Field(max_length=60)] = []
    found: FactsIn | None = None
    code: Annotated[str, Field(max_length=60)] = ""
    trouble: Annotated[str, Field(max_length=40)] = ""
    facts: dict[str, int | str] = {}
    held: dict[str, Any] = {}


class SeenIn(_Closed):
    template: Literal["own", "plain"] = "own"
    count: CountIn | None = None
    sample: Annotated[list[RowIn], Field(max_length=10)] = []
    trouble: Annotated[str, Field(max_length=40)] = ""
    facts: dict[str, int | str] = {}
    held: dict[str, Any] = {}
