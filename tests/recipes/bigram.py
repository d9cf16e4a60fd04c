"""A language model that knows only the letter before: by its weights the same everywhere.

Others can be asked with it too, so that their figures can stand beside ours.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END = "<|end|>"
WIDTH = 64
LETTERS = "abdegiklmnorstu ."


def a_bigram_model(folder: Path) -> Path:
    """Write a model of single bytes whose layers add nothing to what comes in."""
    signs = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = {sign: number for number, sign in enumerate(signs)} | {END: len(signs)}
    tokenizer = Tokenizer(models.BPE(vocab=known, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END
    ).save_pretrained(folder)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(known),
            hidden_size=WIDTH,
            intermediate_size=WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=256,
            bos_token_id=None,
            eos_token_id=known[END],
            tie_word_embeddings=False,
        )
    )
    lot = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weights.zero_()
            elif name.endswith(("embed_tokens.weight", "lm_head.weight")):
                weights.copy_(torch.randn(weights.shape, generator=lot) / 3)
        # One direction in which all letters lie: else most of what it writes is no text.
        model.model.embed_tokens.weight[:, 0] = 1.5
        likely = [known["Ġ" if letter == " " else letter] for letter in LETTERS]
        model.lm_head.weight[:, 0] = -1.0
        model.lm_head.weight[likely, 0] = 1.0
    model.save_pretrained(folder)
    return folder
