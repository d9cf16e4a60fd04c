"""What follows from grants and runs: ledger lines, totals and journal, made by the database.

The keys are those the ledger itself would have written; `allocations.queries.drift()` holds
the totals against the lines.
"""

from django.db import connection

from fabriek.allocations.queries import drift

GRANTS = """
    INSERT INTO allocations_line
           (allocation_id, key, kind, share_id, gpu_seconds, run_key, at, note)
    SELECT g.allocation_id, 'grant:' || g.id || ':' || s.code, 'grant', s.id, g.gpu_seconds,
           '', g.granted_at, ''
    FROM allocations_grant g JOIN allocations_share s ON s.id = g.share_id ORDER BY g.id"""
OF_RUNS = """
    INSERT INTO allocations_line
           (allocation_id, key, kind, share_id, gpu_seconds, run_key, at, note)
    SELECT r.allocation_id, k.kind || ':' || r.key || ':' || s.code, k.kind, s.id,
           CASE k.kind WHEN 'spend' THEN r.gpu_seconds_used ELSE r.gpus * r.timeout_s END,
           r.key, CASE k.kind WHEN 'hold' THEN r.asked_at ELSE r.ended_at END, ''
    FROM runs_run r
    JOIN allocations_grant g ON g.allocation_id = r.allocation_id
    JOIN allocations_share s ON s.id = g.share_id
    JOIN (VALUES (1, 'hold'), (2, 'release'), (3, 'spend')) AS k (place, kind)
      ON k.kind = 'hold' OR r.ended_at IS NOT NULL
    ORDER BY r.asked_at, k.place"""
TOTALS = """
    UPDATE allocations_allocation a SET gpu_seconds_held = t.held, gpu_seconds_spent = t.spent,
           gpu_seconds_expired = t.expired
    FROM (SELECT allocation_id,
                 coalesce(sum(gpu_seconds) FILTER (WHERE kind = 'hold'), 0)
               - coalesce(sum(gpu_seconds) FILTER (WHERE kind = 'release'), 0) AS held,
                 coalesce(sum(gpu_seconds) FILTER (WHERE kind = 'spend'), 0) AS spent,
                 coalesce(sum(gpu_seconds) FILTER (WHERE kind = 'expire'), 0) AS expired
          FROM allocations_line GROUP BY allocation_id) t
    WHERE t.allocation_id = a.id"""
EXPIRIES = """
    INSERT INTO allocations_line
           (allocation_id, key, kind, share_id, gpu_seconds, run_key, at, note)
    SELECT a.id, 'expire:0:' || s.code, 'expire', s.id,
           a.gpu_seconds_granted - a.gpu_seconds_held - a.gpu_seconds_spent, '',
           (a.ends_on + 1)::timestamptz, ''
    FROM allocations_allocation a JOIN allocations_grant g ON g.allocation_id = a.id
    JOIN allocations_share s ON s.id = g.share_id
    WHERE a.ends_on < current_date
      AND a.gpu_seconds_granted > a.gpu_seconds_held + a.gpu_seconds_spent"""
JOURNAL = """
    INSERT INTO kernel_entry (at, by_id, verb, subject_kind, subject_id, thread, details)
    SELECT k.at, CASE k.verb WHEN 'ask' THEN r.asked_by_id END, 'runs.' || k.verb, 'runs.run',
           r.id, c.code, '{}'::jsonb
    FROM runs_run r JOIN cases_case c ON c.id = r.case_id,
    LATERAL (VALUES (1, 'ask', r.asked_at), (2, 'enqueue', r.asked_at),
                    (3, 'start', r.started_at),
                    (4, CASE r.state WHEN 'succeeded' THEN 'succeed' WHEN 'failed' THEN 'fail'
                        WHEN 'lost' THEN 'lose' ELSE 'stop' END, r.ended_at))
      AS k (place, verb, at)
    WHERE k.at IS NOT NULL ORDER BY k.at, k.place"""


def make() -> None:
    with connection.cursor() as cursor:
        for statement in (GRANTS, OF_RUNS, TOTALS, EXPIRIES, TOTALS, JOURNAL, "VACUUM ANALYZE"):
            cursor.execute(statement)
    if wrong := drift().count():
        raise RuntimeError(f"The ledgers of {wrong} allocations do not add up.")
