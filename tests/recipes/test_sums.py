"""Gradients of several processes are added up while the way back still makes others."""

import torch
from torch import nn

from fabriek_recipes.training import sums


class Arrived:
    def wait(self):
        pass


def test_a_piece_is_sent_before_the_next_is_made_and_in_one_order_by_all(monkeypatch):
    sent = []

    def send(flat, *, async_op):
        assert async_op
        sent.append(flat.tolist())
        flat.mul_(2)  # as if another process had the same
        return Arrived()

    monkeypatch.setattr(sums.distributed, "all_reduce", send)
    monkeypatch.setattr(sums, "PIECE_BYTES", 1)
    layers = [nn.Linear(2, 3, bias=False), nn.Linear(3, 4, bias=False)]
    weights = [layer.weight for layer in layers]
    adding = sums.Sums(weights)
    sent_before = []
    weights[0].register_hook(lambda _slope: sent_before.append(len(sent)))

    nn.Sequential(*layers)(torch.ones(1, 2)).sum().backward()
    own = [weight.grad.clone() for weight in weights]
    adding.finish()
    of_rows = [len(flat) for flat in sent]
    found = [weight.grad for weight in weights]
    for weight in weights:
        weight.grad = None
    sent.clear()
    adding.finish()  # a process whose share of a step has no rows

    assert sent_before == [1]
    assert of_rows == [12, 6]
    assert all(torch.equal(whole, 2 * one) for whole, one in zip(found, own, strict=True))
    assert sent == [[0.0] * 12, [0.0] * 6]
