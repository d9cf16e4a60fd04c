"""A connection that is kept, and asked whether it still works only where that is in doubt.

Before the first question of each call Django sends another, `SELECT 1`, and waits for it. A
server that ended a connection says so, and what it said can be seen without asking: then, and
after a silence in which something between us may have dropped it, Django's question is sent.
"""

import select
import time

from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper

# What stands between us and a server forgets a connection after minutes.
SILENCE_S = 10.0


class DatabaseWrapper(base.DatabaseWrapper):
    worked_at = 0.0
    health_check_done: bool  # Django's own

    def cursor_that_plans_once(self) -> CursorWrapper:
        """Give a cursor that sends words beside the text: see `kernel.prepared`."""
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            wrapped: CursorWrapper = self._prepare_cursor(  # type: ignore[attr-defined]
                self.Database.Cursor(self.connection)
            )
        return wrapped

    def close_if_unusable_or_obsolete(self) -> None:
        """Come to the end of a call, or the beginning: note when it last was in order."""
        if self.health_check_done:
            self.worked_at = time.monotonic()
        super().close_if_unusable_or_obsolete()

    def close_if_health_check_failed(self) -> None:
        if not self.health_check_done and self._is_in_order():
            self.health_check_done = True
        super().close_if_health_check_failed()

    def _is_in_order(self) -> bool:
        if self.connection is None or self.connection.closed or self.errors_occurred:
            return False
        if time.monotonic() - self.worked_at > SILENCE_S:
            return False
        # Whatever it says between two questions, a farewell or less, is a reason to ask.
        said = select.poll()
        said.register(self.connection.fileno(), select.POLLIN)
        return not said.poll(0)
