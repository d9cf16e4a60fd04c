"""A server that speaks S3, with one empty bucket."""

import logging

import boto3
import pytest
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def client(server, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="factory")
    yield client
    found = client.list_objects_v2(Bucket="factory").get("Contents", ())
    for one in found:
        client.delete_object(Bucket="factory", Key=one["Key"])
    client.delete_bucket(Bucket="factory")
