"""What people's own programs do, with the libraries as they are; run by `test_clients.py`.

Knows an address, a token and a case from its environment, and nothing of us.
"""

import os
import sys

import pandas
from datasets import Dataset, DatasetDict, load_dataset
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

CASE = os.environ["HUB_CASE"]


def rows(count):
    return Dataset.from_dict(
        {
            "prompt": [f"q{number}" for number in range(count)],
            "completion": [f"a{number}" for number in range(count)],
        }
    )


def pairs():
    """Push a dataset with splits, load it whole and as a stream, and push one split anew."""
    name = f"{CASE}/pairs"
    DatasetDict(train=rows(1000), test=rows(10)).push_to_hub(name)
    assert load_dataset(name)["test"].num_rows == 10
    stream = load_dataset(name, split="train", streaming=True)
    assert next(iter(stream)) == {"prompt": "q0", "completion": "a0"}
    rows(5).push_to_hub(name, split="train")
    again = load_dataset(name, split="train", download_mode="force_redownload")
    assert again.num_rows == 5
    rows(7).push_to_hub(name, config_name="second", revision="try")
    assert load_dataset(name, "second", split="train", revision="try").num_rows == 7


def tables():
    """Read and write tables by `hf://` with pandas, and with DuckDB through fsspec."""
    import duckdb  # noqa: PLC0415  only here

    name = f"{CASE}/tables"
    HfApi().create_repo(name, repo_type="dataset")
    written = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    written.to_parquet(f"hf://datasets/{name}/t.parquet")
    written.to_csv(f"hf://datasets/{name}/t.csv", index=False)
    assert pandas.read_parquet(f"hf://datasets/{name}/t.parquet").equals(written)
    assert list(pandas.read_csv(f"hf://datasets/{name}/t.csv").columns) == ["a", "b"]
    duckdb.register_filesystem(HfFileSystem())
    where = f"hf://datasets/{name}/*.parquet"
    counted = duckdb.sql(f"select sum(a) from read_parquet('{where}')")  # noqa: S608
    assert counted.fetchall() == [(3,)]


def model():
    """Push model and tokenizer, load both, and push the model anew."""
    name = f"{CASE}/tiny"
    words = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1, "b": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    config = GPT2Config(
        vocab_size=3,
        n_positions=8,
        n_embd=8,
        n_layer=1,
        n_head=1,
        bos_token_id=0,
        eos_token_id=0,
    )
    GPT2LMHeadModel(config).push_to_hub(name)
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").push_to_hub(name)
    loaded = AutoModelForCausalLM.from_pretrained(name)
    assert AutoTokenizer.from_pretrained(name)("a b")["input_ids"] == [1, 2]
    loaded.push_to_hub(name, commit_message="again")
    GPT2LMHeadModel(config).push_to_hub(name, commit_message="with other weights")


def resumed():
    """Go on with a download that broke off, and keep what is there already."""
    name = f"{CASE}/large"
    api = HfApi()
    api.create_repo(name, repo_type="dataset")
    content = os.urandom(12 * 2**20)
    api.upload_file(
        path_or_fileobj=content, path_in_repo="big.bin", repo_id=name, repo_type="dataset"
    )
    home = os.path.join(os.environ["HF_HOME"], "local")  # noqa: PTH118
    path = hf_hub_download(name, "big.bin", repo_type="dataset", local_dir=home)
    assert open(path, "rb").read() == content  # noqa: PTH123, SIM115
    folder = snapshot_download(name, repo_type="dataset")
    assert os.listdir(folder) == ["big.bin"]  # noqa: PTH208
    with HfFileSystem().open(f"datasets/{name}/big.bin") as file:
        file.seek(2**20)
        assert file.read(100) == content[2**20 : 2**20 + 100]


if __name__ == "__main__":
    {"pairs": pairs, "tables": tables, "model": model, "resumed": resumed}[sys.argv[1]]()
