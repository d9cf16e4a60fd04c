"""A training with transformers and `report_to="mlflow"`, unmodified: a tiny model."""

import json
import os

import mlflow
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

TOLD = json.loads(os.environ["TRACKING_TOLD"])
STEPS = 4


def main():
    os.environ["MLFLOW_EXPERIMENT_NAME"] = f"{TOLD['case']}/trainer"
    torch.set_num_threads(1)
    config = GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    rows = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 8
    asked = TrainingArguments(
        output_dir="out",
        max_steps=STEPS,
        logging_steps=1,
        per_device_train_batch_size=2,
        report_to="mlflow",
        run_name="trained",
        use_cpu=True,
        save_strategy="no",
    )
    Trainer(model=GPT2LMHeadModel(config), args=asked, train_dataset=rows).train()
    mlflow.end_run()
    (run,) = mlflow.search_runs(
        experiment_names=[f"{TOLD['case']}/trainer"], output_format="list"
    )
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [one.step for one in history] == list(range(1, STEPS + 1)), history
    assert run.data.params["max_steps"] == str(STEPS)
    assert (run.info.run_name, run.info.status) == ("trained", "FINISHED")
    print(json.dumps({"params": len(run.data.params), "figures": len(run.data.metrics)}))


if __name__ == "__main__":
    main()
