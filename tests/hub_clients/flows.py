"""What people do with a hub, done with whichever client this interpreter has.

Prints a line of JSON for each flow. Knows nothing of us but an address, two tokens and a case,
and runs from huggingface_hub 0.36 on: only what all of them have is used.
"""

import io
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    DatasetCard,
    HfApi,
    HfFileSystem,
    constants,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

VERSION = tuple(int(part) for part in huggingface_hub.__version__.split(".")[:2])
XET_ALWAYS = (1, 20)
LARGE_BYTES = 12 * 2**20
TOLD = json.loads(os.environ["HUB_TOLD"])
WORK = Path(os.environ["HF_HOME"]).parent / "work"
HUB = (urlsplit(os.environ["HF_ENDPOINT"]).hostname, urlsplit(os.environ["HF_ENDPOINT"]).port)
api = HfApi()


class Problem(Exception):
    """A client got something else than the hub it was written for gives."""


def hold(found, wanted, what=""):
    if found != wanted:
        raise Problem(f"{what or 'found'}: {str(found)[:200]}, wanted {str(wanted)[:200]}")


@contextmanager
def refused(kind, status=None):
    """Hold that the client makes this very error of what it is told."""
    try:
        yield
    except kind as error:
        if status and error.response.status_code != status:
            raise Problem(f"{error.response.status_code} instead of {status}") from error
        return
    raise Problem(f"no {kind.__name__}")


class Repo:
    """A dataset of this client's own, with some files in it."""

    def __init__(self, name):
        tag = huggingface_hub.__version__.replace(".", "-")
        self.id = f"{TOLD['case']}/{name}-{tag}"
        self.like = {"repo_id": self.id, "repo_type": "dataset"}

    def bytes(self, path, **more):
        return Path(hf_hub_download(filename=path, **self.like, **more)).read_bytes()

    def paths(self, **more):
        return sorted(api.list_repo_files(**self.like, **more))


files = Repo("files")


# --- flows, in their order -----------------------------------------------------------------
def says_who_you_are():
    found = api.whoami()
    hold(found["type"], "user")
    hold(found["auth"]["accessToken"]["role"], "write")
    hold(TOLD["case"] in [each["name"] for each in found["orgs"]], True, "the case among orgs")


def makes_a_repository():
    url = api.create_repo(**files.like, private=True)
    hold(str(url).endswith(files.id), True, "the address")
    with refused(HfHubHTTPError, 409):
        api.create_repo(**files.like, private=True)
    api.create_repo(**files.like, exist_ok=True)
    hold(api.repo_exists(**files.like), True)


def sends_a_small_file():
    info = api.upload_file(path_or_fileobj=b"# hello\n", path_in_repo="README.md", **files.like)
    hold(len(info.oid), 40, "signs of a commit")
    hold(files.bytes("README.md"), b"# hello\n")


def sends_a_card():
    card = DatasetCard("---\nlanguage: nl\n---\n# hello\n")
    card.push_to_hub(files.id, repo_type="dataset")
    hold(DatasetCard.load(files.id).data.to_dict(), {"language": "nl"})


def sends_a_large_file():
    api.upload_file(path_or_fileobj=large(), path_in_repo="data/large.bin", **files.like)
    hold(files.bytes("data/large.bin"), large().read_bytes())


def sends_a_changed_copy():
    changed = bytearray(large().read_bytes())
    changed[LARGE_BYTES // 2 : LARGE_BYTES // 2 + 5] = b"other"
    api.upload_file(path_or_fileobj=bytes(changed), path_in_repo="data/copy.bin", **files.like)
    hold(files.bytes("data/copy.bin"), bytes(changed))


def sends_nothing_twice():
    before = api.repo_info(**files.like).sha
    api.upload_file(path_or_fileobj=large(), path_in_repo="data/large.bin", **files.like)
    hold(api.repo_info(**files.like).sha, before, "the newest commit")


def commits_several_things():
    operations = [
        CommitOperationAdd("a/one.txt", b"1\n"),
        CommitOperationAdd("a/two.txt", io.BytesIO(b"2\n")),
        CommitOperationAdd("b/three é.txt", b"3\n"),
        CommitOperationDelete("README.md"),
    ]
    api.create_commit(operations=operations, commit_message="several", **files.like)
    wanted = ["a/one.txt", "a/two.txt", "b/three é.txt", "data/copy.bin", "data/large.bin"]
    hold([path for path in files.paths() if path != ".gitattributes"], wanted)


def sends_a_folder():
    folder = WORK / "folder"
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "deep" / "x.txt").write_text("x")
    (folder / "y.txt").write_text("y")
    api.upload_folder(folder_path=folder, path_in_repo="folder", **files.like)
    hold(files.bytes("folder/deep/x.txt"), b"x")


def deletes_files_and_folders():
    api.delete_file("folder/y.txt", **files.like)
    api.delete_folder("folder/deep", **files.like)
    hold([path for path in files.paths() if path.startswith("folder")], [])


def lists_what_is_there():
    tree = list(api.list_repo_tree(**files.like))
    hold(
        sorted(each.path for each in tree if each.path != ".gitattributes"), ["a", "b", "data"]
    )
    deep = {each.path: each for each in api.list_repo_tree(**files.like, recursive=True)}
    hold(deep["data/large.bin"].size, LARGE_BYTES)
    some = api.get_paths_info(paths=["a/one.txt", "b"], **files.like)
    hold(sorted(each.path for each in some), ["a/one.txt", "b"])
    info = api.repo_info(**files.like, files_metadata=True)
    hold({each.rfilename: each.size for each in info.siblings}["a/one.txt"], 2)
    hold(api.file_exists(filename="a/one.txt", **files.like), True)
    hold(api.file_exists(filename="a/none.txt", **files.like), False)
    commits = list(api.list_repo_commits(**files.like))
    hold("several" in [each.title for each in commits], True, "a commit by its title")


def goes_on_where_it_stopped():
    """Let the network fall silent in the middle of a file: the client asks for the rest only.

    It keeps whole pieces of 10 MiB of what had come. One that is closed is begun again by some.
    """
    usual_s = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with Silent(after_bytes=LARGE_BYTES - 2**20) as network:
        constants.HF_HUB_DOWNLOAD_TIMEOUT = 2
        fetched = hf_hub_download(
            filename="data/large.bin",
            cache_dir=WORK / "resumed",
            endpoint=network.url,
            **files.like,
        )
        constants.HF_HUB_DOWNLOAD_TIMEOUT = usual_s
    hold(Path(fetched).read_bytes(), large().read_bytes())
    hold(len(network.asked_for), 2, "requests for the bytes")
    hold(network.asked_for[0], "")
    start = int(network.asked_for[1].removeprefix("bytes=").partition("-")[0])
    hold(0 < start < LARGE_BYTES, True, f"the second from byte {start}; it goes on")


def fetches_a_part():
    url = hf_hub_url(filename="data/large.bin", **files.like)
    part = HfFileSystem().read_block(f"datasets/{files.id}/data/large.bin", 1000, 500)
    hold(part, large().read_bytes()[1000:1500])
    hold(huggingface_hub.get_hf_file_metadata(url).size, LARGE_BYTES)


def keeps_branches_apart():
    api.create_branch(branch="trial", **files.like)
    with refused(HfHubHTTPError, 409):
        api.create_branch(branch="trial", **files.like)
    api.upload_file(path_or_fileobj=b"t", path_in_repo="t.txt", revision="trial", **files.like)
    hold("t.txt" in files.paths(revision="trial"), True, "a file on the branch")
    hold("t.txt" in files.paths(), False, "a file on main")
    names = [each.name for each in api.list_repo_refs(**files.like).branches]
    hold(sorted(names), ["main", "trial"])
    api.delete_branch(branch="trial", **files.like)
    with refused(RevisionNotFoundError):
        api.repo_info(**files.like, revision="trial")


def names_a_revision():
    sha = api.repo_info(**files.like).sha
    api.create_tag(tag="v1.0", tag_message="first", **files.like)
    api.upload_file(path_or_fileobj=b"later", path_in_repo="a/one.txt", **files.like)
    hold(files.bytes("a/one.txt", revision="v1.0"), b"1\n")
    hold(files.bytes("a/one.txt"), b"later")
    hold(files.bytes("a/one.txt", revision=sha), b"1\n")
    hold(api.repo_info(**files.like, revision=sha).sha, sha)
    hold([each.name for each in api.list_repo_refs(**files.like).tags], ["v1.0"])
    api.delete_tag(tag="v1.0", **files.like)
    with refused(RevisionNotFoundError):
        files.bytes("a/one.txt", revision="v1.0")


def refuses_what_others_overtook():
    stale = list(api.list_repo_commits(**files.like))[1].commit_id
    add = [CommitOperationAdd("late.txt", b"late")]
    with refused(HfHubHTTPError, 412):
        api.create_commit(
            operations=add, commit_message="late", parent_commit=stale, **files.like
        )
    newest = api.repo_info(**files.like).sha
    api.create_commit(
        operations=add, commit_message="in time", parent_commit=newest, **files.like
    )


def tells_nothing_of_others():
    said = []
    for name in (TOLD["secret"], TOLD["secret"].replace("salaries", "unknown")):
        try:
            api.dataset_info(name)
        except RepositoryNotFoundError as error:
            said.append((error.response.status_code, error.response.content))
        with refused(RepositoryNotFoundError):
            hf_hub_download(name, "all.csv", repo_type="dataset")
        with refused(HfHubHTTPError, 404):
            add = {"path_or_fileobj": b"x", "path_in_repo": "x"}
            api.upload_file(repo_id=name, repo_type="dataset", **add)
        hold(api.repo_exists(name, repo_type="dataset"), False)
    hold(len(said), 2, "refusals")
    hold(said[0], said[1], "what is said of a secret and of nothing")
    hold(HfApi(token=TOLD["stranger"]).dataset_info(TOLD["secret"]).id, TOLD["secret"])


def says_what_is_not_there():
    with refused(EntryNotFoundError):
        files.bytes("none.txt")
    with refused(RevisionNotFoundError):
        files.bytes("a/one.txt", revision="none")
    with refused(RevisionNotFoundError):
        api.repo_info(**files.like, revision="0" * 40)
    with refused(EntryNotFoundError):
        list(api.list_repo_tree(path_in_repo="none", **files.like))


def asks_for_the_right_to_write():
    reader = HfApi(token=TOLD["reading_token"])
    hold(reader.repo_info(**files.like).id, files.id)
    with refused(HfHubHTTPError, 403):
        reader.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", **files.like)
    with refused(OSError, 401):
        HfApi(token="fbk_nobody").whoami()


def takes_a_snapshot():
    def kept():
        found = [path for path in (WORK / "snapshot").rglob("blobs/*") if path.is_file()]
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    first = snapshot_download(**files.like, cache_dir=WORK / "snapshot")
    before = kept()
    second = snapshot_download(**files.like, cache_dir=WORK / "snapshot")
    hold(second, first)
    hold((Path(first) / "data" / "large.bin").read_bytes(), large().read_bytes())
    hold(bool(before), True, "what was fetched is kept")
    hold(kept(), before, "the second time nothing is fetched again")


def is_a_file_system():
    fs, at = HfFileSystem(), f"datasets/{files.id}"
    hold(fs.exists(f"{at}/a/one.txt"), True)
    hold(f"{at}/data/large.bin" in fs.glob(f"{at}/**/*.bin"), True, "a file by its pattern")
    hold(fs.read_text(f"{at}/a/two.txt"), "2\n")
    with fs.open(f"{at}/written.txt", "w") as file:
        file.write("by fsspec")
    hold(files.bytes("written.txt"), b"by fsspec")
    fs.rm(f"{at}/written.txt")
    hold("written.txt" in files.paths(), False, "a file that was removed")


def has_a_command():
    repo, sent = Repo("command"), WORK / "sent.bin"
    shutil.copy(large(), sent)
    hf("upload", repo.id, str(sent), "sent.bin", "--repo-type", "dataset")
    target = WORK / "fetched"
    hf("download", repo.id, "sent.bin", "--repo-type", "dataset", "--local-dir", str(target))
    hold((target / "sent.bin").read_bytes(), sent.read_bytes())
    if (Path(sys.executable).with_name("huggingface-cli")).exists() and VERSION < (1, 0):
        hf(
            "upload",
            repo.id,
            str(sent),
            "b.bin",
            "--repo-type",
            "dataset",
            by="huggingface-cli",
        )
        hold(repo.paths()[-2:], ["b.bin", "sent.bin"])


def removes_a_repository():
    model = {"repo_id": f"{files.id}-gone"}
    api.create_repo(**model)
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", **model)
    api.delete_repo(**model)
    hold(api.repo_exists(**model), False)


# --- with more than the client -------------------------------------------------------------
def rows():
    path = WORK / "rows.csv"
    path.write_text("text,label\n" + "".join(f"row {n},{n % 2}\n" for n in range(500)))
    return path


def loads_a_dataset():
    import datasets  # noqa: PLC0415  only some have it

    repo = Repo("rows")
    api.create_repo(**repo.like)
    api.upload_file(path_or_fileobj=rows(), path_in_repo="data/train.csv", **repo.like)
    found = datasets.load_dataset(repo.id, split="train")
    hold((len(found), found[499]["text"]), (500, "row 499"))
    streamed = list(datasets.load_dataset(repo.id, split="train", streaming=True).take(3))
    hold([each["text"] for each in streamed], ["row 0", "row 1", "row 2"])


def pushes_a_dataset():
    import datasets  # noqa: PLC0415

    repo = Repo("pushed")
    made = datasets.Dataset.from_dict({"n": list(range(1000)), "t": ["x"] * 1000})
    made.push_to_hub(repo.id)
    made.select(range(10)).push_to_hub(repo.id, split="test")
    found = datasets.load_dataset(repo.id)
    hold({name: len(each) for name, each in found.items()}, {"train": 1000, "test": 10})
    streamed = datasets.load_dataset(repo.id, split="train", streaming=True)
    hold(next(iter(streamed.skip(999)))["n"], 999)


def is_read_by_pandas():
    import pandas  # noqa: PLC0415

    hold(len(pandas.read_csv(f"hf://datasets/{Repo('rows').id}/data/train.csv")), 500)
    table = pandas.DataFrame({"n": range(5)})
    table.to_parquet(f"hf://datasets/{Repo('rows').id}/frame.parquet")
    found = pandas.read_parquet(f"hf://datasets/{Repo('rows').id}/frame.parquet")
    hold(list(found["n"]), [0, 1, 2, 3, 4])


def pushes_and_loads_a_model():
    import torch  # noqa: PLC0415
    from transformers import BertConfig, BertForSequenceClassification  # noqa: PLC0415

    name = Repo("model").id
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    torch.manual_seed(1)
    made = BertForSequenceClassification(
        BertConfig(vocab_size=30, num_hidden_layers=1, max_position_embeddings=16, **shape)
    )
    made.push_to_hub(name)
    found = BertForSequenceClassification.from_pretrained(name)
    again = BertForSequenceClassification.from_pretrained(name)
    for one, other in zip(made.parameters(), found.parameters(), strict=True):
        hold(bool(torch.equal(one, other)), True, "weights")
    hold(again.config.vocab_size, 30)


FLOWS = [
    says_who_you_are,
    makes_a_repository,
    sends_a_small_file,
    # Older ones ask huggingface.co itself whether a card is good.
    *([sends_a_card] if VERSION >= (2, 0) else []),
    sends_a_large_file,
    sends_a_changed_copy,
    sends_nothing_twice,
    commits_several_things,
    sends_a_folder,
    deletes_files_and_folders,
    lists_what_is_there,
    goes_on_where_it_stopped,
    fetches_a_part,
    keeps_branches_apart,
    names_a_revision,
    refuses_what_others_overtook,
    tells_nothing_of_others,
    says_what_is_not_there,
    asks_for_the_right_to_write,
    takes_a_snapshot,
    is_a_file_system,
    has_a_command,
    removes_a_repository,
]
LOADING = [loads_a_dataset, pushes_a_dataset, is_read_by_pandas, pushes_and_loads_a_model]


# --- what flows use ------------------------------------------------------------------------
def large():
    """Give a file that does not shrink, which is another for each client."""
    path = WORK / "large.bin"
    if not path.exists():
        path.write_bytes(os.urandom(LARGE_BYTES))
    return path


class Silent:
    """A way to the hub that falls silent once, in the middle of a large file."""

    def __init__(self, *, after_bytes):
        self.after_bytes, self.asked_for = after_bytes, []
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_problem):
        self._over.set()
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=[client], daemon=True).start()

    def _carry(self, client):
        with client, socket.create_connection(HUB) as hub:
            head = b""
            while b"\r\n\r\n" not in head and (piece := client.recv(65536)):
                head += piece
            sent = head.decode().split("\r\n")[:-2]
            lines = [line for line in sent if not line.lower().startswith("connection:")]
            hub.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            is_file = lines[0].startswith("GET ") and "large.bin" in lines[0]
            if is_file:
                ranges = [line for line in lines if line.lower().startswith("range:")]
                self.asked_for.append(ranges[0].partition(":")[2].strip() if ranges else "")
            left = self.after_bytes if is_file and len(self.asked_for) == 1 else math.inf
            while left > 0 and (piece := hub.recv(65536)):
                client.sendall(piece)
                left -= len(piece)
            if left <= 0:
                self._over.wait()


def hf(*words, by="hf"):
    command = [str(Path(sys.executable).with_name(by)), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Problem(f"{by} {words[0]}: {done.stderr[-600:]}")


def main(words):
    WORK.mkdir(parents=True, exist_ok=True)
    wanted = [*FLOWS, *(LOADING if "loading" in words else [])]
    print(json.dumps({"version": huggingface_hub.__version__}), flush=True)
    for flow in wanted:
        began, trouble = time.monotonic(), ""
        try:
            flow()
        except Exception as error:  # whatever a client may raise
            trouble = f"{type(error).__name__}: {error}"
        told = {"flow": flow.__name__, "took_s": time.monotonic() - began, "trouble": trouble}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
