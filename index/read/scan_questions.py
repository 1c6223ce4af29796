"""Questions about the scan itself: where its time went, what it met, what it could not read."""

from musefs.index.read.question import Question, Subject


def _ask(name: str, words: str, sql: str, note: str = "") -> Question:
    return Question(name, words, Subject.SCAN, sql.strip(), note)


SCAN_QUESTIONS: tuple[Question, ...] = (
    _ask(
        "phases",
        "Where did the last scan spend its time?",
        """
SELECT phase, started_seconds, ended_seconds, busy_seconds, items, bytes
FROM scan_phases WHERE scan_id = (SELECT scan_id FROM meta) ORDER BY started_seconds, phase
""",
        "Phases overlap: the sum of their times is more than the scan took, and that is the gain.",
    ),
    _ask(
        "scans",
        "Which scans made this index?",
        """
SELECT s.generation, s.started_at, s.tool_version, s.records, s.bytes_read, s.peak_rss_bytes,
  round(epoch(s.finished_at - s.started_at), 2) AS seconds
FROM scans s ORDER BY s.generation
""",
    ),
    _ask(
        "damage",
        "What did the last scan meet that was not as it should be?",
        """
SELECT counter, value FROM scan_counters
WHERE scan_id = (SELECT scan_id FROM meta) ORDER BY value DESC, counter
""",
        "docs/counters.md says what each counter means.",
    ),
    _ask(
        "problems",
        "Which files could not be read fully, and why?",
        "SELECT path, counter, reason FROM problems ORDER BY path LIMIT 100",
    ),
    _ask(
        "health",
        "What deserves attention?",
        "SELECT finding, cases, look FROM health WHERE cases > 0 ORDER BY cases DESC",
    ),
    _ask(
        "table_by_record",
        "How is the table of file records filled?",
        """
SELECT record_number // 1000 * 1000 AS from_record, count(*) AS entries,
  count(*) FILTER (WHERE is_directory) AS folders, count(*) FILTER (WHERE state <> 'ok') AS damaged
FROM entries GROUP BY ALL ORDER BY from_record
""",
    ),
)
