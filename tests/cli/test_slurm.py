"""`fabriek slurm` hands over to the server's own commands, with what was typed."""

import pytest
from typer.testing import CliRunner

from fabriek.cli import main, slurm


@pytest.mark.parametrize(
    ("typed", "handed"),
    [
        (["diff"], ("slurm_diff",)),
        (["diff", "--json"], ("slurm_diff", "--json")),
        (["apply"], ("slurm_apply",)),
        (["show", "a26-0007"], ("slurm_show", "a26-0007")),
    ],
)
def test_what_is_typed_is_handed_over(typed, handed, monkeypatch):
    seen = []
    monkeypatch.setattr(slurm, "hand_over", lambda *words: seen.append(words))

    ended = CliRunner().invoke(main.app, ["slurm", *typed])

    assert (ended.exit_code, seen) == (0, [handed])


def test_an_account_must_be_named():
    ended = CliRunner().invoke(main.app, ["slurm", "show"])

    assert ended.exit_code == 2
