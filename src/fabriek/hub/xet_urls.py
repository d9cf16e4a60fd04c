"""The routes of the Xet protocol, below an address that holds the repository and its era."""

from django.urls import path, re_path

from fabriek.hub import xet

PLACE = "hub/xet/<int:repository_id>/<int:era>"
NAMESPACE = r"(?![DM]\d\d-)(?P<namespace>[A-Za-z0-9._-]{1,96})"
NAME = r"(?P<name>[A-Za-z0-9._-]{1,96})"

urlpatterns = [
    re_path(
        rf"^api/(?P<kind>models|datasets)/{NAMESPACE}/{NAME}/xet-write-token/(?P<revision>.+)$",
        xet.write_token,
    ),
    path(f"{PLACE}/v1/xorbs/default/<str:xorb>", xet.xorb),
    path(f"{PLACE}/v<int:version>/shards", xet.shard),
    path(f"{PLACE}/<path:other>", xet.not_here),
    path("v1/telemetry", xet.telemetry),
]
