"""The same tasks on the same model give what lm-eval gives, figure by figure.

The figures are those of lm-eval 0.4.13 (its `hf` model on the processor, in fp32, no solved
examples, read from its result file), asked on the files that are written here.
"""

import pytest
import yaml

from tests.recipes.bigram import a_bigram_model
from tests.recipes.conftest import prepare, write_rows

LM_EVAL = {
    "kies: accuracy": 0.3,
    "kies: accuracy_by_length": 0.4,
    "weeg: row_perplexity": 3205126716.554887,
    "weeg: accuracy": 0.4,
    "schrijf: exact_match": 0.5,
}
COMMON = {
    "dataset_path": "json",
    "test_split": "test",
    "doc_to_text": "{{ ask }} =",
    "num_fewshot": 0,
}
ROWS = [
    {
        "ask": f"{word} {number}",
        # What the model would write itself, in some of the rows.
        "say": f"{word[::-1]} is" if number % 3 else "os.",
        "of": [word, f"{word} {word}", word[::-1], f"de {number}"],
        "right": number % 4,
        "write": word if number % 2 else "OS!",
    }
    for number, word in enumerate(
        ("sluis", "brug", "kade", "plein", "dam", "toren", "markt", "laan", "singel", "bos")
    )
]
TASKS = {
    "kies": {
        "output_type": "multiple_choice",
        "doc_to_choice": "of",
        "doc_to_target": "right",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    },
    "weeg": {
        "output_type": "loglikelihood",
        "doc_to_target": "say",
        "target_delimiter": "",
        "metric_list": [
            {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False},
            {"metric": "acc"},
        ],
    },
    "schrijf": {
        "output_type": "generate_until",
        "doc_to_target": "write",
        "metric_list": [
            {"metric": "exact_match", "ignore_case": True, "ignore_punctuation": True}
        ],
        "generation_kwargs": {"until": ["."], "max_gen_toks": 12, "do_sample": False},
    },
}


def the_tasks(folder):
    """Write the tasks and their rows."""
    write_rows(folder, ROWS, "rows.jsonl")
    for name, more in TASKS.items():
        files = {"data_files": {"test": "rows.jsonl"}}
        task = {"task": name, "dataset_kwargs": files} | COMMON | more
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(task))
    return folder


def test_our_figures_are_those_of_lm_eval(tmp_path):
    inputs = {
        "dataset": the_tasks(tmp_path / "tasks"),
        "model": a_bigram_model(tmp_path / "model"),
    }
    run = prepare(tmp_path / "run", "evaluate", {"answer_tokens_max": 12}, inputs)

    assert run.start() == 0, run.events

    told = {name: run.report["scores"][name] for name in LM_EVAL}
    assert told == pytest.approx(LM_EVAL, rel=1e-3)
