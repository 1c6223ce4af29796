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
        "rates",
        "How fast was each phase while it worked?",
        """
SELECT phase, items, bytes, busy_seconds, round(items / busy_seconds)::BIGINT AS items_per_second,
  round(bytes / busy_seconds)::BIGINT AS bytes_per_second
FROM scan_phases WHERE scan_id = (SELECT scan_id FROM meta) AND busy_seconds > 0 AND items > 0
ORDER BY started_seconds, phase
""",
        "Busy time is summed over threads, so several threads together were faster than this.",
    ),
    _ask(
        "faster_disk",
        "What would a faster disk have given?",
        """
WITH last AS (FROM scan_phases WHERE scan_id = (SELECT scan_id FROM meta)),
  whole AS (SELECT max(ended_seconds) - min(started_seconds) AS seconds FROM last),
  read AS (SELECT busy_seconds AS busy FROM last WHERE phase = 'read'),
  parse AS (SELECT busy_seconds / greatest(1, ceil(
      busy_seconds / nullif(ended_seconds - started_seconds, 0))) AS least
    FROM last WHERE phase = 'parse')
SELECT speed AS times_as_fast,
  round(seconds - greatest(0, busy - greatest(busy / speed, coalesce(least, 0))), 3) AS seconds
FROM whole, read LEFT JOIN parse ON true, (SELECT unnest([1, 2, 4, 8, 16]) AS speed)
ORDER BY speed
""",
        "An estimate: reading the records gets faster until parsing them is what takes the time.",
    ),
    _ask(
        "speed_by_record",
        "How many records a second were read and parsed, along the table?",
        """
SELECT chunk, first_record, first_record + records AS end_record, records,
  round(records * 1e9 / greatest(1, read_ended_ns - read_started_ns))::BIGINT
    AS read_per_second,
  round(records * 1e9 / greatest(1, parse_ended_ns - parse_started_ns))::BIGINT
    AS parsed_per_second,
  round(bytes * 1e9 / greatest(1, read_ended_ns - read_started_ns))::BIGINT
    AS read_bytes_per_second
FROM scan_chunks WHERE scan_id = (SELECT scan_id FROM meta) ORDER BY chunk
""",
        "One row a chunk of 16 MiB. Chunks are read and parsed side by side, so the slower of the "
        "two sets the pace. A directory has no such table: its scans have no rows.",
    ),
    _ask(
        "table_by_record",
        "How is the table of file records filled?",
        """
SELECT record_number // width * width AS from_record, count(*) AS entries,
  count(*) FILTER (WHERE is_directory) AS folders,
  count(*) FILTER (WHERE NOT is_directory) AS files,
  count(*) FILTER (WHERE state <> 'ok') AS damaged
FROM entries, (SELECT greatest(16, max(record_number) // 200) AS width FROM entries)
GROUP BY ALL ORDER BY from_record
""",
    ),
)
