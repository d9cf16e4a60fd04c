"""What a template writes whatever a row says: text that gives no words of the row away."""

from fabriek.quality.worker.job import Json, Trouble
from fabriek.runs.worker.pieces import Span
from fabriek.runs.worker.template import Chat
from fabriek_recipes.chat import BadTemplate
from fabriek_recipes.conversations import Message, Row

# Stands for all that a row says; of private use, so that neither rows nor templates have it.
GAP = "\ue0f3"
BARE_TOOL: Json = {
    "type": "function",
    "function": {"name": GAP, "description": GAP, "parameters": {GAP: GAP}},
}


def of_template(row: Row, chat: Chat) -> tuple[str, ...]:
    """Render a row of the same build that says nothing; nothing where that fails."""
    tools = [BARE_TOOL] if row.tools else None
    try:
        text = chat.render([_bare(one) for one in row.messages], False, tools=tools)
    except (BadTemplate, Trouble):
        return ()
    return tuple(piece for piece in text.split(GAP) if piece)


def spans(signs: tuple[str, ...], whole: str) -> list[Span]:
    """Find them in order in what the template made of the row itself.

    Found in a wrong place, they are still no more than what the template always writes.
    """
    found: list[Span] = []
    at = 0
    for sign in signs:
        start = whole.find(sign, at)
        if start < 0:
            break
        at = start + len(sign)
        found.append((start, at))
    return found


def others(spans: list[Span], length: int) -> list[Span]:
    """Give all that lies between these spans."""
    found: list[Span] = []
    at = 0
    for start, end in sorted(spans):
        if start > at:
            found.append((at, start))
        at = max(at, end)
    return [*found, (at, length)] if at < length else found


def _bare(message: Message) -> dict[str, object]:
    bare: dict[str, object] = {"role": message.role, "content": GAP if message.content else ""}
    if message.calls:
        function: Json = {"name": GAP, "arguments": {GAP: GAP}}
        call: Json = {"id": GAP, "type": "function", "function": function}
        bare["tool_calls"] = [call for _one in message.calls]
    if message.answers:
        bare["tool_call_id"] = GAP
    if message.name:
        bare["name"] = GAP
    return bare
