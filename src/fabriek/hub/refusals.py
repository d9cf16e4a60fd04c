"""What the hub says when it cannot do something, with the codes that clients know."""

from typing import ClassVar

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Refused, Text


class HubRefused(Refused):
    """A refusal with a word for `X-Error-Code`, from which clients make their own errors."""

    hub_code: ClassVar[str] = ""


class NotSignedIn(HubRefused):
    code = "not_signed_in"
    status = 401


class RepoNotFound(HubRefused):
    code = "not_found"
    status = 404
    hub_code = "RepoNotFound"


class RevisionNotFound(HubRefused):
    code = "revision_not_found"
    status = 404
    hub_code = "RevisionNotFound"


class EntryNotFound(HubRefused):
    """`commit_id` goes into the answer, so that clients remember that the file is absent."""

    code = "entry_not_found"
    status = 404
    hub_code = "EntryNotFound"
    commit_id = ""


class Gated(HubRefused):
    """It may be seen, and not read: somebody must agree first."""

    code = "gated"
    status = 403
    hub_code = "GatedRepo"


class Stale(HubRefused):
    code = "stale_parent"
    status = 412


class Unreadable(HubRefused):
    code = "unreadable"
    status = 400


class WrongRange(HubRefused):
    code = "range"
    status = 416
    size_bytes = 0


class LinkOver(HubRefused):
    code = "link_over"
    status = 403


class NotOffered(HubRefused):
    code = "not_offered"
    status = 501


def no_token() -> NotSignedIn:
    return NotSignedIn(
        _("Sign in with a token: make one on the page “Tokens” and run `hf auth login`.")
    )


def wrong_token() -> NotSignedIn:
    # These very words tell clients that the token is wrong, and not that a name is unknown.
    return NotSignedIn("Invalid credentials in Authorization header", code="wrong_token")


def repo_not_found() -> RepoNotFound:
    return RepoNotFound(
        _("This does not exist, or it is not yours to see. Check the name."),
    )


def revision_not_found(name: str) -> RevisionNotFound:
    return RevisionNotFound(
        _("There is no revision “%(name)s”. Give a branch, a tag or 40 hexadecimal signs.")
        % {"name": name[:80]}
    )


def entry_not_found(path: str, commit_id: str) -> EntryNotFound:
    refusal = EntryNotFound(
        _("“%(path)s” is not in this revision. Check the name.") % {"path": path[:80]}
    )
    refusal.commit_id = commit_id
    return refusal


def wrong_range(size_bytes: int) -> WrongRange:
    refusal = WrongRange(_("The file ends before the bytes that you ask for."))
    refusal.size_bytes = size_bytes
    return refusal


def unreadable(sentence: Text = "") -> Unreadable:
    return Unreadable(sentence or _("What was sent could not be read. Send it as JSON."))


def no_pull_requests() -> NotOffered:
    return NotOffered(
        _(
            "This hub has no pull requests. Commit to a branch of your own instead: "
            "create_branch, then the same call with revision=…"
        )
    )


def files_only() -> NotOffered:
    return NotOffered(
        _(
            "This hub has no discussions and does not squash history. Access is asked for on "
            "the page of the dataset; files change by commits."
        )
    )


def cut() -> Unreadable:
    return Unreadable(
        _("The connection broke before all was there. Nothing was kept; send it again."),
        code="cut",
    )


def no_such_kind() -> NotOffered:
    return NotOffered(_("This hub holds datasets and models, nothing else."), code="kind")


def nothing_to_name() -> HubRefused:
    return HubRefused(
        _("There is no revision yet that could have a name. Commit a file first."),
        code="no_revision",
    )


def stale(newest: str) -> Stale:
    return Stale(
        _(
            "Somebody committed while you worked: the newest commit is %(newest)s. "
            "Fetch it, then commit again."
        )
        % {"newest": newest}
    )


def no_lfs_download() -> NotOffered:
    return NotOffered(_("Fetch files by their own address; git itself is not offered here."))
