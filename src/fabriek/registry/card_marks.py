"""What people typed, kept out of the markup of a card."""

import re

# What would end a piece of code or a cell of a table: shown by a sign that looks like it.
UNLIKE_CODE = str.maketrans("`|", "’¦")
SIGNS = frozenset("\\`*_[]<>|#~&")
# What begins a list, a rule or a heading's underline when it stands first on a line.
OPENING = re.compile(r"^(?:[-+=]|[0-9]{1,9}[.)])")


def line(text: str) -> str:
    """Keep what people typed on its line and out of the markup."""
    escaped = inside(text)
    if found := OPENING.match(escaped):
        end = found.end() - 1
        return f"{escaped[:end]}\\{escaped[end:]}"
    return escaped


def inside(text: str) -> str:
    """Do the same for what does not stand first on its line."""
    return "".join(f"\\{sign}" if sign in SIGNS else sign for sign in flat(text))


def code(text: str) -> str:
    """Show in a table's cell what one could type: nothing in it is markup."""
    return f"`{flat(text).translate(UNLIKE_CODE)}`"


def flat(text: str) -> str:
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def text(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
    return "\n\n".join(line(part) for part in paragraphs if part.strip())
