"""What can be wrong with data, by its code: what it is, and what to do about it."""

from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Text
from fabriek.quality.row_problem_words import ROW_PROBLEMS

# What it is, then what to do. Both may name %(path)s, %(column)s, %(count)s, %(of)s ...
PROBLEMS: dict[str, tuple[Text, Text]] = {
    "ragged": (
        gettext_lazy("Rows with more or fewer cells than the heading: %(count)s."),
        gettext_lazy("They are left out here. See whether a delimiter or a quote is missing."),
    ),
    "open_quote": (
        gettext_lazy(
            "A quotation mark is opened and never closed, so what follows is one cell."
        ),
        gettext_lazy(
            "The file was read without quotation marks. Close the mark, and send it again."
        ),
    ),
    "no_heading": (
        gettext_lazy("The first row looks like data, not like a heading."),
        gettext_lazy(
            "Put the names of the columns on the first line, so that others know them."
        ),
    ),
    "mixed_types": (
        gettext_lazy("The column begins with numbers or days and has text further on."),
        gettext_lazy(
            "It is read as text. See the rows named here: they hold the first odd values."
        ),
    ),
    "odd_values": (
        gettext_lazy("Values that are not of the type of the rest of the column: %(count)s."),
        gettext_lazy(
            "Those rows are left out here. Correct them, or write the column as text."
        ),
    ),
    "odd_encoding": (
        gettext_lazy(
            "Lines that are not written in UTF-8, and were read as Windows-1252: %(count)s."
        ),
        gettext_lazy("See whether accents are right, and save the file as UTF-8."),
    ),
    "garbled": (
        gettext_lazy(
            "Cells with signs such as Ã©, accents that were read wrongly once: %(count)s."
        ),
        gettext_lazy(
            "Go back to the source and export it as UTF-8: a model learns these signs."
        ),
    ),
    "zero_bytes": (
        gettext_lazy("Lines with NUL bytes, which are no text: %(count)s."),
        gettext_lazy("They were left out here. See what program wrote this file."),
    ),
    "long_lines": (
        gettext_lazy("Lines longer than 16 MiB, which were left out: %(count)s."),
        gettext_lazy(
            "Put one row on one line. A file without line ends has to be split first. Of such "
            "lines the first 64 MiB of a file is read for personal data, by the rules alone."
        ),
    ),
    "blank_lines": (
        gettext_lazy("Empty lines: %(count)s."),
        gettext_lazy("Nothing is lost. Leave them out when you make the file again."),
    ),
    "broken_json": (
        gettext_lazy("Lines that are no JSON object: %(count)s."),
        gettext_lazy("Correct these lines: each has to stand between { and } as a whole."),
    ),
    "json_breaks_off": (
        gettext_lazy(
            "The file breaks off, or is broken, behind row %(whole)s: %(percent)s%% of it was "
            "read."
        ),
        gettext_lazy(
            "Make it again and send it whole. The rest was read for personal data as plain "
            "text, by the rules alone."
        ),
    ),
    "no_json": (
        gettext_lazy("There is no whole JSON object in this file that can be read."),
        gettext_lazy(
            "Make it again and send it whole. It was read for personal data as plain text, by "
            "the rules alone."
        ),
    ),
    "unread_in_part": (
        gettext_lazy(
            "Of what is no row, only the first %(of)s MiB was read for personal data."
        ),
        gettext_lazy("Correct the file, so that all of it can be read as rows."),
    ),
    "broken_file": (
        gettext_lazy(
            "The file cannot be read: it is not what its name says, or it is damaged."
        ),
        gettext_lazy("Open it on your own computer; make it again, and send that."),
    ),
    "broken_values": (
        gettext_lazy("The file holds values that are not of the type it says they are."),
        gettext_lazy("Make the file again from its source."),
    ),
    "broken_gzip": (
        gettext_lazy("The packed file is damaged or was cut off."),
        gettext_lazy("Pack it again, or send it as it is."),
    ),
    "broken_zip": (
        gettext_lazy("The archive is damaged or was cut off."),
        gettext_lazy("Unpack it, and send the files themselves."),
    ),
    "bomb": (
        gettext_lazy(
            "Unpacked the file would be hundreds of times larger: it was not unpacked."
        ),
        gettext_lazy("Data do not pack that well. Find out where this file comes from."),
    ),
    "archive": (
        gettext_lazy("Archives, of which the content was not looked at: %(count)s."),
        gettext_lazy("Unpack them, and send the files themselves: jobs can then read them."),
    ),
    "workbooks": (
        gettext_lazy(
            "Workbooks, such as of Excel, of which the content was not looked at: %(count)s."
        ),
        gettext_lazy("Save each sheet as “CSV UTF-8”, and send that: jobs can then read it."),
    ),
    "documents": (
        gettext_lazy(
            "Documents, such as Word or PDF, of which the content was not looked at: %(count)s."
        ),
        gettext_lazy("Save the text as .txt or JSON lines, and send that."),
    ),
    "pickle": (
        gettext_lazy(
            "Pickles, files that can run any program when they are opened: %(count)s."
        ),
        gettext_lazy("They were not opened. Save them as Parquet, CSV or safetensors."),
    ),
    "pickle_in_zip": (
        gettext_lazy("The archive holds pickles: opening one can run any program."),
        gettext_lazy("It was not opened. Save what is in them as Parquet, CSV or safetensors."),
    ),
    "not_read": (
        gettext_lazy("Files of a kind that cannot be looked at here: %(count)s."),
        gettext_lazy(
            "Tables can be CSV, JSON lines or Parquet; pictures PNG or JPEG; sound WAV or FLAC."
        ),
    ),
} | ROW_PROBLEMS
