"""What can be wrong with data, by its code: what it is, and what to do about it."""

from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Text

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
    "rows_left_out": (
        gettext_lazy(
            "Rows that cannot be read, and would be lost in the new revision: %(count)s."
        ),
        gettext_lazy(
            "So it was not made. Look at the data to see which they are, correct them or leave "
            "them out yourself, and send the file again."
        ),
    ),
    "nested_column": (
        gettext_lazy(
            "The column “%(column)s” holds lists or records, and what is to be replaced does "
            "not fit in their form."
        ),
        gettext_lazy(
            "Leave the column out, or mask it where only its texts hold personal data."
        ),
    ),
    "bytes_column": (
        gettext_lazy("The column holds bytes, which were not looked at for personal data."),
        gettext_lazy("Save texts as text. Of pictures and sounds you know yourself."),
    ),
    "files_left_out": (
        gettext_lazy("%(count)s files: only the first %(of)s were looked at."),
        gettext_lazy(
            "What is in the others is not known, and they cannot be treated. Put the rows "
            "together in fewer files."
        ),
    ),
    "many_notes": (
        gettext_lazy(
            "%(count)s small files of text: only the first %(of)s were looked at for personal "
            "data."
        ),
        gettext_lazy("Put the texts together in fewer files."),
    ),
    "too_many_files": (
        gettext_lazy("There are %(count)s files, too many to be treated as a whole."),
        gettext_lazy("Put the rows together in fewer files."),
    ),
    "many_texts": (
        gettext_lazy(
            "%(count)s files of text: of those behind the first %(of)s the lines were counted "
            "and looked at for personal data by the rules, not for names, doubles and leaks."
        ),
        gettext_lazy("Put the texts together in fewer files, such as JSON lines."),
    ),
    "many_files": (
        gettext_lazy("%(count)s files of rows: only the first %(of)s were looked at."),
        gettext_lazy("Put the rows together in fewer files."),
    ),
    "too_many_columns": (
        gettext_lazy("The table has %(count)s columns: too many to look at."),
        gettext_lazy("Put what belongs together in rows instead of columns."),
    ),
    "too_much_memory": (
        gettext_lazy("Reading the file took more memory than a look may have."),
        gettext_lazy("Split it in smaller files, or save it as Parquet."),
    ),
    "disk_full": (
        gettext_lazy("There was no room on the disk to read the file."),
        gettext_lazy("Try again later; if it stays so, tell the factory's staff."),
    ),
    "no_rows": (
        gettext_lazy("There are no rows in it."),
        gettext_lazy("See whether the file was saved well."),
    ),
    "empty_rows": (
        gettext_lazy("Empty rows: %(count)s."),
        gettext_lazy("Leave them out: they teach a model nothing."),
    ),
    "empty_column": (
        gettext_lazy("The column is empty."),
        gettext_lazy("Leave it out, or find out why it was not filled."),
    ),
    "mostly_missing": (
        gettext_lazy("The column is empty in %(count)s of %(of)s rows."),
        gettext_lazy("Find out whether that means “no” or “not known” before you train on it."),
    ),
    "constant": (
        gettext_lazy("The column holds the same value in all rows."),
        gettext_lazy("Leave it out: nothing can be learned from it."),
    ),
    "far_out": (
        gettext_lazy("Values that lie far from all others: %(count)s."),
        gettext_lazy("See whether they are mistakes, such as a comma in the wrong place."),
    ),
    "two_orders": (
        gettext_lazy("Days are written in two orders: day-month and month-day."),
        gettext_lazy("Write all as 2026-12-31. Which order the others have cannot be told."),
    ),
    "two_ways": (
        gettext_lazy(
            "Numbers such as 1.200, of which nobody can tell whether the point divides "
            "thousands or begins decimals. They were read here as a little more than one."
        ),
        gettext_lazy(
            "Write thousands without a point, or decimals with another number of digits. A run "
            "asks what is meant before it starts."
        ),
    ),
    "comma_read": (
        gettext_lazy(
            "Numbers are written with a comma, such as 1.234,50. Here they were read as "
            "numbers."
        ),
        gettext_lazy("Many programs read them as text: write them as 1234.5 for those."),
    ),
    "comma_numbers": (
        gettext_lazy("Numbers are written with a comma, and are read as text."),
        gettext_lazy(
            "Write them with a point (1234.5), so that programs read them as numbers."
        ),
    ),
    "long_rows": (
        gettext_lazy(
            "Rows longer than the %(tokens)s tokens a model reads at once: %(count)s."
        ),
        gettext_lazy("What is beyond is cut off in training. Split these rows."),
    ),
    "one_sided": (
        gettext_lazy("One label stands in %(count)s of %(of)s rows."),
        gettext_lazy("A model may learn to always say that. Add rows with the other labels."),
    ),
    "rare_label": (
        gettext_lazy(
            "The rarest of the common labels stands in only %(count)s of %(of)s rows."
        ),
        gettext_lazy("Add rows of it, or put it together with another label."),
    ),
    "same_rows": (
        gettext_lazy("Rows that stood in these files before, word for word: %(count)s."),
        gettext_lazy(
            "Leave them out: a model gives them too much weight. The number of a row is not "
            "compared."
        ),
    ),
    "near_rows": (
        gettext_lazy("Rows that are nearly the same as one before: %(count)s."),
        gettext_lazy("See a few of them; leave out what is only a copy."),
    ),
    "leak": (
        gettext_lazy(
            "Rows of this test that are in the training data as well: %(count)s of %(of)s."
        ),
        gettext_lazy("Leave them out of one of both: else the score says nothing."),
    ),
    "near_leak": (
        gettext_lazy(
            "Rows of this test that are nearly in the training data: %(count)s of %(of)s."
        ),
        gettext_lazy("Leave them out of one of both: else the score is too high."),
    ),
    "differing_answers": (
        gettext_lazy("Questions with more than one answer: %(count)s."),
        gettext_lazy("See the rows: keep the right answer, unless all are right."),
    ),
    "broken_picture": (
        gettext_lazy("Pictures that are broken or cut off: %(count)s."),
        gettext_lazy("Make them again, or leave them out."),
    ),
    "huge_picture": (
        gettext_lazy("Pictures with more than 100 million pixels: %(count)s."),
        gettext_lazy("Make them smaller: one of these can fill a GPU's memory."),
    ),
    "tiny_picture": (
        gettext_lazy("Pictures smaller than 32 pixels: %(count)s."),
        gettext_lazy("See whether they are icons that got in by mistake."),
    ),
    "same_pictures": (
        gettext_lazy("Pictures that are there more than once, byte for byte: %(count)s."),
        gettext_lazy("Leave them out, or see whether they have different labels."),
    ),
    "leaked_pictures": (
        gettext_lazy("Pictures of a test that are in the training data as well: %(count)s."),
        gettext_lazy("Leave them out of one of both: else the score says nothing."),
    ),
    "leaked_sounds": (
        gettext_lazy("Sounds of a test that are in the training data as well: %(count)s."),
        gettext_lazy("Leave them out of one of both: else the score says nothing."),
    ),
    "broken_sound": (
        gettext_lazy("Sounds that are broken or cut off: %(count)s."),
        gettext_lazy("Make them again, or leave them out."),
    ),
    "mixed_rates": (
        gettext_lazy("Sounds have %(count)s different sample rates."),
        gettext_lazy("Bring them to one rate, such as 16,000 a second for speech."),
    ),
    "same_sounds": (
        gettext_lazy("Sounds that are there more than once, byte for byte: %(count)s."),
        gettext_lazy("Leave them out, or see whether they have different labels."),
    ),
}
