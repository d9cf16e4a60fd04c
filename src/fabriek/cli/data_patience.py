"""Ask once more where the portal is away for a moment, as when it is started again."""

import time
from collections.abc import Callable

import httpx

from fabriek.cli import http

# A portal that is started again is back within these.
PAUSES_S = (0.5, 1, 2, 4, 8, 15)
# What a proxy says for a portal that does not answer, or a portal that has no room now.
AWAY = {502, 503, 504}


def repeated(
    ask: Callable[[], httpx.Response], pause: Callable[[float], None] = time.sleep
) -> http.Json:
    """Give what the portal says; only for what changes nothing when it is asked twice."""
    for pause_s in PAUSES_S:
        try:
            answer = ask()
        except httpx.LocalProtocolError:
            break  # it is not the portal: what is sent changed on its way
        except httpx.TransportError:
            pass
        else:
            if answer.status_code not in AWAY:
                return _read(answer)
        pause(pause_s)
    with http.reached():
        return _read(ask())


def _read(answer: httpx.Response) -> http.Json:
    said: http.Json = http.read(answer)
    return said
