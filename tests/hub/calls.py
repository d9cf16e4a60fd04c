"""What a client of the Hub sends, said shortly for tests."""

import base64
import hashlib
import json

NDJSON = "application/x-ndjson"


def b64(content):
    return base64.b64encode(content).decode()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def git_sha1(content):
    text = b"blob %d\0" % len(content) + content
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def header(summary="first", parent=None):
    value = {"summary": summary, "description": ""}
    return {"key": "header", "value": value | ({"parentCommit": parent} if parent else {})}


def small(path, content):
    return {
        "key": "file",
        "value": {"path": path, "content": b64(content), "encoding": "base64"},
    }


def large(path, content):
    value = {"path": path, "algo": "sha256", "oid": sha256(content), "size": len(content)}
    return {"key": "lfsFile", "value": value}


def gone(path, kind="deletedFile"):
    return {"key": kind, "value": {"path": path}}


def lines(*each):
    return "\n".join(json.dumps(line) for line in each)


class Hub:
    """One person's program on one repository."""

    def __init__(self, client, repo_id, kind="datasets"):
        self.client = client
        self.repo_id = repo_id
        self.kind = kind
        self.api = f"/api/{kind}/{repo_id}"
        self.files = f"/datasets/{repo_id}" if kind == "datasets" else f"/{repo_id}"

    def commit(self, *each, branch="main", query="", headed=True):
        body = lines(*([header()] if headed else []), *each)
        return self.client.post(f"{self.api}/commit/{branch}{query}", body, content_type=NDJSON)

    def push(self, files, branch="main"):
        answer = self.commit(*(small(p, c) for p, c in files.items()), branch=branch)
        assert answer.status_code == 200, answer.content
        return answer.json()["commitOid"]

    def batch(self, *contents, transfers=("basic",)):
        objects = [{"oid": sha256(c), "size": len(c)} for c in contents]
        return self.batch_of(objects, transfers)

    def batch_of(self, objects, transfers=("basic",)):
        asked = {"operation": "upload", "transfers": list(transfers), "objects": objects}
        return self.client.post(
            f"{self.files}.git/info/lfs/objects/batch",
            json.dumps(asked),
            content_type="application/vnd.git-lfs+json",
        )

    def links(self, content):
        """Give the links to upload some bytes by: (put, verify)."""
        told = self.batch(content).json()["objects"][0]["actions"]
        return [
            told[name]["href"].replace("http://testserver", "") for name in ("upload", "verify")
        ]

    def get(self, path="", **headers):
        return self.client.get(f"{self.api}{path}", **headers)

    def resolve(self, path, revision="main", **more):
        answer = self.client.get(f"{self.files}/resolve/{revision}/{path}", **more)
        answer.taken = body(answer)
        return answer

    def head(self, path, revision="main", **more):
        return self.client.head(f"{self.files}/resolve/{revision}/{path}", **more)


def body(response):
    if hasattr(response, "taken"):
        return response.taken
    return b"".join(response.streaming_content) if response.streaming else response.content
