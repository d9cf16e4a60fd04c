"""Xorbs and lists of files, made as a program that speaks Xet makes them."""

import hashlib
import json
import struct

import lz4.frame
from django.test import Client

from fabriek.hub import xet_hashes, xet_shards


def chunk(content, *, scheme=0):
    packed = {0: bytes, 1: lz4.frame.compress, 2: _grouped}[scheme](content)
    sizes = (len(packed).to_bytes(3, "little"), len(content).to_bytes(3, "little"))
    return b"\0" + sizes[0] + bytes([scheme]) + sizes[1] + packed


def _grouped(content):
    return lz4.frame.compress(b"".join(content[place::4] for place in range(4)))


class Xorb:
    def __init__(self, *chunks, scheme=1):
        self.chunks = chunks
        self.body = b"".join(chunk(content, scheme=scheme) for content in chunks)
        sizes = [(xet_hashes.chunk_hash(content), len(content)) for content in chunks]
        self.digest = xet_hashes.xorb_hash(sizes)
        self.name = xet_hashes.spelled(self.digest)

    def all(self):
        return self.part(0, len(self.chunks))

    def part(self, first, end):
        """Give a segment of a file, and the bytes it stands for."""
        content = b"".join(self.chunks[first:end])
        told = struct.pack("<32sIIII", self.digest, 0, len(content), first, end)
        return told, content


class File:
    """A file in a list, of parts of xorbs; `sha256`: what the list says, if not the truth."""

    def __init__(self, *parts, sha256=None, told=True):
        self.content = b"".join(content for _told, content in parts)
        self.sha256 = sha256 or hashlib.sha256(self.content).hexdigest()
        flags = (1 << 31) | (told << 30)
        self.body = struct.pack("<32sIIQ", b"\1" * 32, flags, len(parts), 0)
        self.body += b"".join(told for told, _content in parts)
        self.body += bytes(48 * len(parts))
        if told:
            self.body += xet_hashes.unspelled(self.sha256) + bytes(16)


def a_shard(*files):
    head = struct.pack("<32sQQ", xet_shards.TAG, 2, 0)
    end = b"\xff" * 32 + bytes(16)
    return head + b"".join(file.body for file in files) + end + end


class Program:
    """What a program does that was given a token of ours, without being one of theirs."""

    def __init__(self, key, kind="datasets"):
        self.http = Client(HTTP_AUTHORIZATION=f"Bearer {key}")
        self.kind = kind

    def begin(self, repository):
        """Fetch a key for one repository, and the address to use it at."""
        at = f"/api/{self.kind}/{repository.repo_id}/xet-write-token/main"
        answer = self.http.get(at)
        assert answer.status_code == 200, answer.content
        return Session(json.loads(answer.content))


class Session:
    def __init__(self, told):
        self.told = told
        self.at = told["casUrl"].removeprefix("http://testserver")
        key = told["accessToken"]
        self.http = Client(HTTP_AUTHORIZATION=f"Bearer {key}", HTTP_ACCEPT_LANGUAGE="en")

    def send(self, xorb, *, name=None, body=None):
        return self.post(f"v1/xorbs/default/{name or xorb.name}", body or xorb.body)

    def list(self, *files, version=2):
        return self.post(f"v{version}/shards", a_shard(*files))

    def post(self, path, body):
        octets = "application/octet-stream"
        return self.http.post(f"{self.at}/{path}", data=body, content_type=octets)
