"""TRL's SFTTrainer on the same rows and model; run by an interpreter that has it.

`python trl_peer.py SPEC` prints one line: RESULT and JSON.
"""

import json
import os
import sys
import time
from pathlib import Path

START = time.monotonic()
for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
    os.environ[name] = "1"

import torch  # noqa: E402
from datasets import Dataset, disable_progress_bars  # noqa: E402
from peft import LoraConfig  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from tokenizers.models import WordLevel  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)
from trl import SFTConfig, SFTTrainer, pack_dataset  # noqa: E402

disable_progress_bars()
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Counted(SFTTrainer):
    """Counts the real tokens of every step, and when it began."""

    def training_step(self, model, inputs, *rest, **more):
        if inputs["input_ids"].is_cuda:
            torch.cuda.synchronize()
        mask = inputs.get("attention_mask")
        tokens = inputs["input_ids"].numel() if mask is None else int(mask.sum())
        self.seen.append((time.monotonic(), tokens))
        return super().training_step(model, inputs, *rest, **more)


def main(spec):
    on_gpu = torch.cuda.is_available() and spec.get("device") != "cpu"
    model, rows, tokenizer = _given(spec, on_gpu)
    config = SFTConfig(
        output_dir=spec["home"] + "/out",
        per_device_train_batch_size=spec["rows_per_step"],
        max_length=spec["width"],
        num_train_epochs=1,
        max_steps=spec.get("steps", -1),
        learning_rate=1e-4,
        save_strategy="no",
        logging_steps=spec.get("logging_steps", 10),
        report_to="none",
        disable_tqdm=True,
        use_cpu=not on_gpu,
        bf16=on_gpu,
        gradient_checkpointing=False,
        packing=spec["packing"] != "none",
        packing_strategy=spec["packing"] if spec["packing"] != "none" else "bfd",
        dataset_kwargs={"skip_prepare_dataset": True} if "shape" in spec else None,
        use_liger_kernel=bool(spec.get("liger")),
        torch_compile=bool(spec.get("compiled")),
        dataloader_pin_memory=on_gpu,
        optim="adamw_torch_fused",
    )
    peft = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=ALL_LINEAR)
    trainer = Counted(
        model=model,
        args=config,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=peft if spec["method"] == "lora" else None,
    )
    trainer.seen = []
    trainer.train()
    if on_gpu:
        torch.cuda.synchronize()
    end = time.monotonic()
    if spec.get("save"):
        trainer.save_model()
    return _told(trainer.seen, end, on_gpu)


def _given(spec, on_gpu):
    if "shape" not in spec:
        tokenizer = AutoTokenizer.from_pretrained(spec["base"])
        lines = [json.loads(line) for line in Path(spec["rows"]).read_text().splitlines()]
        return (
            AutoModelForCausalLM.from_pretrained(spec["base"]),
            Dataset.from_list(lines),
            tokenizer,
        )
    sys.path.insert(0, spec["checkout"])
    from bench.train.shapes import SHAPES, made  # noqa: PLC0415
    from bench.train.texts import lengths  # noqa: PLC0415

    torch.manual_seed(1)
    shape = SHAPES[spec["shape"]]
    dtype = torch.bfloat16 if spec["method"] == "lora" else torch.float32
    model = made(shape, "cuda" if on_gpu else "cpu", dtype)
    sizes = lengths(spec["texts"], spec["width"], spec["rows_per_step"] * spec["steps"])
    rows = [{"input_ids": torch.randint(0, shape.vocabulary, (n,)).tolist()} for n in sizes]
    data = Dataset.from_list(rows)
    if spec["packing"] != "none":
        data = pack_dataset(data, spec["width"], strategy=spec["packing"])
    return model, data, _hardly_any_tokenizer()


def _hardly_any_tokenizer():
    """Give what the trainer insists on; the rows are tokens already."""
    words = Tokenizer(WordLevel({"</s>": 0}, "</s>"))
    ends = dict.fromkeys(("eos_token", "pad_token"), "</s>")
    return PreTrainedTokenizerFast(tokenizer_object=words, **ends)


def _told(seen, end, on_gpu):
    # The end of the last step is known; the first third only warms up.
    warm = max(1, len(seen) // 3)
    tokens = sum(count for _at, count in seen[warm:])
    found = {
        "tokens_per_s": round(tokens / (end - seen[warm][0])),
        "first_step_s": round(seen[0][0] - START, 1),
        "steps": len(seen),
        "tokens": sum(count for _at, count in seen),
    }
    if on_gpu:
        found["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
    return found


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(json.loads(sys.argv[1]))), flush=True)
