"""What can be wrong with rows, columns, pictures and sounds; see `problem_words`."""

from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Text

ROW_PROBLEMS: dict[str, tuple[Text, Text]] = {
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
        gettext_lazy(
            "Split it in smaller files, or save it as Parquet with few rows in a group. A file "
            "that is small on the disk may hold very long cells, each of them many times."
        ),
    ),
    "none_left_beside": (
        gettext_lazy(
            "Reading the file took so much memory that too little was left for the other "
            "files. It was left out, and the others were looked at."
        ),
        gettext_lazy("Split it in smaller files, or put it in a dataset of its own."),
    ),
    "stopped_reading": (
        gettext_lazy(
            "The program that reads data stopped at this file, twice. It was left out, and the "
            "other files were looked at."
        ),
        gettext_lazy(
            "It is damaged, or asks for too much memory. Make it again from its source, in "
            "smaller files."
        ),
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
