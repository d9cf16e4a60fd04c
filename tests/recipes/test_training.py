"""Packing, LoRA and answering: the parts of training that are easy to get subtly wrong."""

import shutil
import socket

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    Gemma2ForCausalLM,
)

from fabriek_recipes.rows import Message, Row
from fabriek_recipes.training import lora
from fabriek_recipes.training.base import load
from fabriek_recipes.training.device import choose, remark
from fabriek_recipes.training.encoding import encode
from fabriek_recipes.training.group import ALONE, Seat
from fabriek_recipes.training.network import interface_to
from fabriek_recipes.training.packing import IGNORED, Example, batch, order, pack
from fabriek_recipes.training.prediction import answers, loss_sum, text_losses
from fabriek_recipes.training.stopping import Stop

CPU = torch.device("cpu")


def example(*ids, learn_from=1):
    return Example(torch.tensor(ids, dtype=torch.int32), learn_from)


@given(st.lists(st.integers(1, 50), max_size=40))
@settings(max_examples=50, deadline=None)
def test_packing_keeps_every_text_once_and_never_overfills(sizes):
    examples = [example(*range(size)) for size in sizes]

    packed = pack(examples, 50)

    assert all(sum(len(each.ids) for each in row) <= 50 for row in packed)
    assert sorted(len(each.ids) for row in packed for each in row) == sorted(sizes)
    assert len({id(each) for row in packed for each in row}) == len(sizes)


def test_each_text_fits_into_the_fullest_row_it_fits_in():
    examples = [example(*range(size)) for size in (6, 4, 7, 3)]

    packed = pack(examples, 10)

    assert [[len(each.ids) for each in row] for row in packed] == [[7, 3], [6, 4]]


def test_labels_are_the_next_token_of_the_answer_only():
    step = batch([[example(5, 6, 7, 8, learn_from=2), example(9, 3, learn_from=1)]], fill=0)

    assert step.labels_BT.tolist() == [[IGNORED, 7, 8, IGNORED, 3, IGNORED]]
    assert step.positions_BT.tolist() == [[0, 1, 2, 3, 0, 1]]
    assert step.mask_B1TT[0, 0, 4].tolist() == [False, False, False, False, True, False]


def test_the_order_of_rows_depends_on_seed_and_pass_alone():
    assert order(100, seed=1, epoch=0) == order(100, seed=1, epoch=0)
    assert order(100, seed=1, epoch=0) != order(100, seed=1, epoch=1)
    assert sorted(order(100, seed=2, epoch=0)) == list(range(100))


def test_what_a_step_learns_is_counted_without_making_it():
    rows = [[example(5, 6, 7, 8, learn_from=2), example(9, learn_from=0)], [example(3, 4)]]

    learned = sum(each.learned for row in rows for each in row)

    assert learned == int((batch(rows, fill=0).labels_BT >= 0).sum()) == 3


@pytest.mark.parametrize(
    ("gpus", "size", "said"),
    [
        (0, 1, None),
        (1, 1, "There is no GPU here; the run uses the processor."),
        (2, 2, "There is no GPU here; the run uses the processor."),
        (4, 2, "The run asked for 4 GPUs and was started on 2 of them."),
    ],
)
def test_a_run_on_less_than_it_asked_for_says_so(gpus, size, said):
    assert remark(gpus, CPU, Seat(size=size)) == said


def test_the_threads_of_a_machine_are_shared_by_its_processes(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    before = torch.get_num_threads()

    choose(0, Seat(rank=1, size=1000, local_size=1000))

    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


def test_the_interface_to_others_is_one_of_ours_or_not_known():
    names = {name for _number, name in socket.if_nameindex()}

    assert interface_to("127.0.0.1") in names | {""}


def gemma(base, place, window):
    """Make a tiny model whose attention no kernel does, and half of which looks back so far."""
    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32}
    config = Gemma2Config(vocab_size=320, sliding_window=window, **shape)
    Gemma2ForCausalLM(config).save_pretrained(place)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, place)
    return place


@pytest.mark.parametrize("window", [0, 64, 2])
def test_packed_texts_do_not_see_each_other(base, tmp_path, window):
    place = gemma(base, tmp_path, window) if window else base
    loaded = load(place, CPU, frozen=False)
    model = loaded.model
    texts = [example(9, 20, 30, 40, learn_from=1), example(50, 60, 70, learn_from=2)]

    with torch.no_grad():
        together = loss_sum(model, batch([texts], fill=1))
        filled = loss_sum(model, batch([[texts[0]], [texts[1]]], fill=1))
        alone = [
            functional.cross_entropy(
                model(each.ids[None].long()).logits[0, each.learn_from - 1 : -1],
                each.ids[each.learn_from :].long(),
                reduction="sum",
            ).item()
            for each in texts
        ]
    each_of_them = text_losses(loaded, [texts], size=1, stop=Stop(), group=ALONE)

    assert together.item() == pytest.approx(sum(alone), rel=1e-5)
    assert filled.item() == pytest.approx(sum(alone), rel=1e-5)
    assert each_of_them == pytest.approx(alone, rel=1e-5)


def test_answers_in_a_batch_equal_those_of_the_library_one_by_one(base):
    found = load(base, CPU, frozen=False)
    prompts = [[2 + step for step in range(size)] for size in (3, 9, 5, 30, 9)]

    mine = answers(found.model, prompts, stops=found.stops, tokens_max=12, check=lambda: None)

    for prompt, text in zip(prompts, mine, strict=True):
        theirs = found.model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt)),
            max_new_tokens=12,
            do_sample=False,
        )[0, len(prompt) :].tolist()
        assert text == [token for token in theirs if token not in found.stops]


def test_training_and_serving_make_the_same_tokens(base):
    tokenizer = AutoTokenizer.from_pretrained(base)
    row = Row(1, (Message("user", "Wie belt?"), Message("assistant", "De wijkzuster")))

    (encoded,) = encode([row], tokenizer)

    asked = [{"role": "user", "content": "Wie belt?"}]
    said = [*asked, {"role": "assistant", "content": "De wijkzuster"}]
    served = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
    assert encoded.prompt_ids == served
    assert encoded.example.ids.tolist() == tokenizer.apply_chat_template(said)["input_ids"]


# peft still asks transformers by a name that transformers is giving up.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_peft_loads_our_adapter_and_gives_the_same_logits(base, tmp_path):
    settings = lora.Lora(rank=4, alpha=8, dropout=0.0)
    model = load(base, CPU, frozen=True).model
    lora.attach(model, settings)
    torch.manual_seed(0)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.1)
    ids = torch.arange(2, 20)[None]
    with torch.no_grad():
        mine = model(ids).logits
        lora.save(model, tmp_path / "adapter", lora=settings, base=str(base))
        lora.merge(model)
        merged = model(ids).logits

        plain = AutoModelForCausalLM.from_pretrained(base)
        before = plain(ids).logits
        theirs = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()(ids).logits

    torch.testing.assert_close(theirs, mine)
    torch.testing.assert_close(merged, mine, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(before, mine, atol=1e-2)
