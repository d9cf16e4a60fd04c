"""What is said when an upload in parts cannot go on; the numbers are those of tus 1.0.0."""

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid, Refused, TooLarge
from fabriek.store.paths import shortened


class OtherOffset(Refused):
    code = "other_offset"


class Busy(Refused):
    code = "upload_busy"
    status = 423


class Gone(Refused):
    code = "upload_gone"
    status = 404


class OtherChecksum(Refused):
    code = "other_checksum"
    status = 460


class NotTus(Refused):
    code = "other_version"
    status = 412


class NoOffsetStream(Refused):
    code = "media_type"
    status = 415


class Unreadable(Refused):
    code = "unreadable"
    status = 400


class Finished(Refused):
    code = "upload_finished"
    status = 403


def other_offset(expected: int, given: int) -> OtherOffset:
    return OtherOffset(
        _(
            "This part begins at byte %(given)s, and byte %(expected)s is the next. "
            "Ask how far the upload is, and go on from there."
        )
        % {"given": given, "expected": expected}
    )


def upload_busy() -> Busy:
    return Busy(
        _("Somebody else sends this very upload at this moment. Wait a little, then go on.")
    )


def upload_gone() -> Gone:
    return Gone(
        _("This upload does not exist, or it was left alone for too long. Begin it again.")
    )


def other_checksum() -> OtherChecksum:
    return OtherChecksum(
        _(
            "This part did not arrive as it was sent: its checksum differs. Nothing of it was "
            "kept; send it again."
        )
    )


def longer_than_told(left_bytes: int) -> TooLarge:
    return TooLarge(
        _(
            "This part is longer than what is left of the upload (%(left)s bytes). Begin the "
            "upload again with its real length."
        )
        % {"left": left_bytes},
        code="longer_than_told",
    )


def other_version() -> NotTus:
    return NotTus(
        _("Uploads in parts speak tus 1.0.0 here. Send the header Tus-Resumable: 1.0.0.")
    )


def no_offset_stream() -> NoOffsetStream:
    return NoOffsetStream(
        _("The bytes of a part come as application/offset+octet-stream. Say so and try again.")
    )


def wrong_header(name: str) -> Unreadable:
    return Unreadable(
        _("The header %(name)s is missing or cannot be read. See the protocol tus 1.0.0.")
        % {"name": name}
    )


def unknown_algorithm(known: str) -> Unreadable:
    return Unreadable(
        _("This checksum is not known here. Use one of: %(known)s.") % {"known": known},
        code="unknown_algorithm",
    )


def too_many(most: int) -> Refused:
    return Refused(
        _(
            "You have %(most)s unfinished uploads in this dataset already. Finish or stop some "
            "of them first."
        )
        % {"most": most},
        code="too_many_uploads",
    )


def only_joined() -> Finished:
    return Finished(
        _("This upload was joined from others, so nothing can be added to it. Begin a new one.")
    )


def unfinished_part() -> Invalid:
    return Invalid(
        _("One of the parts to join is not finished, or is not there. Finish it first."),
        code="unfinished_part",
    )


def part_named_twice() -> Invalid:
    return Invalid(
        _("One of the parts to join is named twice. Name each part once, in their order."),
        code="part_twice",
    )


def other_bytes(path: str) -> Invalid:
    return Invalid(
        _(
            "“%(path)s” did not arrive as it was announced: its SHA-256 differs. Nothing was "
            "kept; see whether the file still changes, and send it again."
        )
        % {"path": shortened(path)},
        code="other_bytes",
    )


def empty(path: str) -> Invalid:
    return Invalid(
        _("“%(path)s” is empty (0 bytes). See whether it was saved well, and send it again.")
        % {"path": shortened(path)},
        code="empty_file",
    )
