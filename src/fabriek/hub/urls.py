"""The routes of the Hugging Face Hub, as its own clients call them.

They stand at the root, so that `HF_ENDPOINT` is all that a client needs. A code of ours is no
namespace: `/api/datasets/D26-0001/files` is our own API.
"""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path, re_path

from fabriek.hub import (
    commit_views,
    file_views,
    lfs_views,
    ref_views,
    repo_views,
    tree_views,
)

NAMESPACE = r"(?![DM]\d\d-)(?P<namespace>[A-Za-z0-9._-]{1,96})"
NAME = r"(?P<name>[A-Za-z0-9._-]{1,96})"
REPOSITORY = rf"^api/(?P<kind>models|datasets)/{NAMESPACE}/{NAME}"
# Files of datasets stand below `datasets/`, those of models at the root.
PLACE = rf"^(?:(?P<kind>datasets)/)?{NAMESPACE}/{NAME}"
NOT_OFFERED = "discussions|super-squash|user-access-request|lfs-files"

urlpatterns: list[URLPattern | URLResolver] = [
    # --- whoever calls -------------------------------------------------------------------
    path("api/whoami-v2", repo_views.whoami),
    path("api/agent-harnesses", repo_views.agent_harnesses),
    path("api/validate-yaml", repo_views.validate_yaml),
    # --- repositories --------------------------------------------------------------------
    path("api/repos/create", repo_views.create),
    path("api/repos/delete", repo_views.delete),
    path("api/repos/move", repo_views.move),
    re_path(r"^api/(?P<kind>models|datasets)$", repo_views.listing),
    re_path(rf"{REPOSITORY}/settings$", repo_views.settings),
    re_path(rf"{REPOSITORY}/auth-check(?P<write>/write)?$", repo_views.auth_check),
    re_path(rf"{REPOSITORY}/(?:{NOT_OFFERED})(?:/.*)?$", repo_views.not_offered),
    # --- what is in them -----------------------------------------------------------------
    re_path(rf"{REPOSITORY}$", tree_views.info),
    re_path(rf"{REPOSITORY}/revision/(?P<revision>.+)$", tree_views.info),
    re_path(rf"{REPOSITORY}/tree/(?P<rest>.+)$", tree_views.tree),
    re_path(rf"{REPOSITORY}/paths-info/(?P<revision>.+)$", tree_views.paths_info),
    re_path(rf"{REPOSITORY}/refs$", ref_views.refs),
    re_path(rf"{REPOSITORY}/commits/(?P<revision>.+)$", ref_views.commits),
    re_path(rf"{REPOSITORY}/branch/(?P<branch>.+)$", ref_views.branch),
    re_path(rf"{REPOSITORY}/tag/(?P<word>.+)$", ref_views.tag),
    # --- what changes them ---------------------------------------------------------------
    re_path(rf"{REPOSITORY}/preupload/(?P<branch>.+)$", commit_views.preupload),
    re_path(rf"{REPOSITORY}/commit/(?P<branch>.+)$", commit_views.commit),
    re_path(rf"{PLACE}\.git/info/lfs/objects/batch$", lfs_views.batch),
    path("hub/lfs/<str:signed>", lfs_views.put),
    path("hub/lfs/<str:signed>/verify", lfs_views.verify),
    path("hub/lfs/<str:signed>/parts/<int:number>", lfs_views.put_part),
    path("hub/lfs/<str:signed>/complete", lfs_views.complete),
    # --- files ---------------------------------------------------------------------------
    re_path(rf"{PLACE}/resolve/(?P<rest>.+)$", file_views.resolve),
    re_path(r"^[A-Za-z0-9._-]{1,96}/resolve/.+$", repo_views.no_namespace),
]
if find_spec("fabriek.hub.xet_urls"):
    urlpatterns.insert(0, path("", include("fabriek.hub.xet_urls")))
