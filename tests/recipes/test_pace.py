"""What makes learning quick must not change what is learned: the head, texts end to end."""

import pytest
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from fabriek_recipes.training import attention, pace
from fabriek_recipes.training.head import head_loss
from fabriek_recipes.training.packing import Example, batch, end_to_end, frame, pack
from fabriek_recipes.training.prediction import loss_sum

SHAPE = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def text(length: int, *, learn_from: int = 0) -> Example:
    ids = torch.randint(0, SHAPE["vocab_size"], (length,), dtype=torch.int32)
    return Example(ids, learn_from)


@pytest.fixture
def rows() -> list[list[Example]]:
    torch.manual_seed(3)
    return [[text(5), text(9), text(20)], [text(30, learn_from=4), text(2)], [text(1)]]


def plainly(query, key, value, ends, _ends, longest, _longest, **given):
    """Do what the kernel of a GPU does, text by text."""
    back, _ahead = given["window_size"]
    found = []
    for start, end in zip(ends.tolist(), ends.tolist()[1:], strict=False):
        assert end - start <= longest
        parts = [part[start:end].transpose(0, 1).float() for part in (query, key, value)]
        places = torch.arange(end - start)
        far = places[:, None] - places[None, :]
        seen = (far >= 0) & ((far <= back) if back >= 0 else torch.ones_like(far, dtype=bool))
        out = functional.scaled_dot_product_attention(
            *parts, attn_mask=seen, scale=given["scale"], enable_gqa=given["enable_gqa"]
        )
        found.append(out.transpose(0, 1).to(query.dtype))
    return torch.cat(found)


def test_the_loss_made_in_pieces_is_the_plain_one_with_its_gradients(monkeypatch):
    torch.manual_seed(1)
    hidden = torch.randn(11, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(13, 8, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 13, (11,))
    monkeypatch.setattr("fabriek_recipes.training.head.LOGITS_MAX_CPU", 4 * 13)

    loss = head_loss(hidden, weight, labels)
    (loss / 7).backward()
    slopes = hidden.grad.clone(), weight.grad.clone()
    hidden.grad = weight.grad = None
    plain = functional.cross_entropy(hidden @ weight.T, labels, reduction="sum")
    (plain / 7).backward()

    torch.testing.assert_close(loss.double(), plain, rtol=1e-6, atol=0)
    torch.testing.assert_close(slopes, (hidden.grad, weight.grad), rtol=1e-5, atol=1e-7)


def test_a_frozen_head_gets_no_gradient_and_nothing_is_made_without_need(monkeypatch):
    hidden = torch.randn(3, 8, requires_grad=True)
    weight = torch.randn(13, 8)

    head_loss(hidden, weight, torch.tensor([1, 2, 3])).backward()

    assert weight.grad is None
    assert hidden.grad is not None
    monkeypatch.setattr("fabriek_recipes.training.head._loss_and_slope", None)
    with torch.no_grad():
        assert not head_loss(hidden, weight, torch.tensor([1, 2, 3])).requires_grad


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize(
    "model_of",
    [
        lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
        lambda: MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=6)),
    ],
    ids=["llama", "mistral, which looks back six tokens"],
)
def test_texts_end_to_end_learn_what_rows_with_a_mask_learn(
    monkeypatch, rows, model_of, within
):
    monkeypatch.setattr(attention, "_ATTEND", plainly)
    torch.manual_seed(2)
    model = model_of().train()
    model.set_attn_implementation("sdpa")
    texts = [one for row in rows for one in row]
    with torch.no_grad():
        alone = sum(loss_sum(model, batch([[one]], fill=0)).item() for one in texts)

    with torch.no_grad(), attention.end_to_end(model):
        laid = end_to_end(rows, 0, frame(rows, 3) if within else None)
        together = loss_sum(model, laid).item()

    assert together == pytest.approx(alone, rel=2e-3)  # the kernel rounds to bf16
    assert not attention.is_end_to_end(model)


def test_every_step_fits_the_one_frame_and_has_its_shape(rows):
    packed = pack([each for row in rows for each in row], 32)
    one = frame(packed, 2)

    laid = [end_to_end(chosen, 0, one) for chosen in (packed[:2], packed[1:3], packed[:1])]

    assert {each.ids_BT.shape for each in laid} == {(1, one.tokens)}
    assert {each.ends_T.shape for each in laid} == {(one.most_ends,)}
    assert all(int(each.ends_T[-1]) == one.tokens for each in laid)
    assert all(int(each.ends_T.diff().max()) <= one.longest for each in laid)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own
def test_a_processor_goes_the_plain_way_and_a_compiled_layer_is_let_go_again():
    model = LlamaForCausalLM(LlamaConfig(**SHAPE))
    load = pace.Load(tokens_per_step=10**6, steps=10**6, flop_per_token=1e9)

    assert pace.choose(model, load) == pace.Ways()
    with pace.learning(model, pace.Ways(compiled=True, recomputed=True)):
        layers = model.model.layers
        assert all(vars(layer)["_compiled_call_impl"] for layer in layers)
        assert model.is_activation_checkpointing
    assert not any(vars(layer)["_compiled_call_impl"] for layer in layers)
    assert not model.is_activation_checkpointing
