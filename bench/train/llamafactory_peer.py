"""LLaMA-Factory on the same rows and model; run by an interpreter that has it.

`python llamafactory_peer.py SPEC` prints one line: RESULT and JSON. Packed by its own way in
which texts do not see each other (`neat_packing`).
"""

import json
import os
import sys
import time
from pathlib import Path

START = time.monotonic()
for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
    os.environ[name] = "1"
# It holds itself to versions of libraries that pip chose by its own word.
os.environ["DISABLE_VERSION_CHECK"] = "1"

from llamafactory.train.sft.trainer import CustomSeq2SeqTrainer  # noqa: E402
from llamafactory.train.tuner import run_exp  # noqa: E402

seen = []


def counted(step):
    """Note the real tokens of every step, and when it began."""

    def counting(self, model, inputs, *rest, **more):
        mask = inputs["attention_mask"]
        # Of packed rows it is who sees whom: a real token sees itself.
        real = mask if mask.ndim == 2 else mask[:, 0].diagonal(dim1=1, dim2=2) == 0
        seen.append((time.monotonic(), int((real != 0).sum())))
        return step(self, model, inputs, *rest, **more)

    return counting


def main(spec):
    home = Path(spec["home"])
    home.mkdir(parents=True, exist_ok=True)
    rows = {
        "file_name": spec["rows"],
        "columns": {"prompt": "prompt", "response": "completion"},
    }
    (home / "dataset_info.json").write_text(json.dumps({"rows": rows}))
    CustomSeq2SeqTrainer.training_step = counted(CustomSeq2SeqTrainer.training_step)
    run_exp(_settings(spec, home))
    # The end of the last step is known; the first third only warms up.
    warm = max(1, len(seen) // 3)
    took_s = time.monotonic() - seen[warm][0]
    return {
        "tokens_per_s": round(sum(count for _at, count in seen[warm:]) / took_s),
        "first_step_s": round(seen[0][0] - START, 1),
        "steps": len(seen),
        "tokens": sum(count for _at, count in seen),
    }


def _settings(spec, home):
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": spec["base"],
        "finetuning_type": "lora",
        "lora_target": "all",
        "lora_rank": 16,
        "lora_alpha": 32,
        "dataset": "rows",
        "dataset_dir": str(home),
        "template": "empty",
        "cutoff_len": spec["width"],
        "neat_packing": True,
        "flash_attn": "sdpa",
        "disable_gradient_checkpointing": True,
        "per_device_train_batch_size": spec["rows_per_step"],
        "num_train_epochs": 1,
        "learning_rate": 1e-4,
        "optim": "adamw_torch_fused",
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "output_dir": str(home / "out"),
    }


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(json.loads(sys.argv[1]))), flush=True)
