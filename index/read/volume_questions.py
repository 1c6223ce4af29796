"""Questions about the volume: what takes the space, what is old, linked, streamed, slack."""

from musefs.index.read.question import Question, Subject


def _ask(name: str, words: str, sql: str, note: str = "") -> Question:
    return Question(name, words, Subject.VOLUME, sql.strip(), note)


VOLUME_QUESTIONS: tuple[Question, ...] = (
    _ask(
        "volume",
        "What volume is this, and when was it scanned?",
        """
SELECT v.kind, v.source, v.label, v.serial, v.total_bytes, v.bytes_per_cluster,
  m.entries, m.names, m.generation, m.published_at
FROM volumes v, meta m
""",
    ),
    _ask(
        "largest_files",
        "Which files are the largest?",
        """
SELECT path, size, modified FROM files
WHERE NOT is_directory AND ordinal = 0 AND in_use AND size IS NOT NULL
ORDER BY size DESC, path LIMIT 25
""",
        "ordinal = 0 counts a file once, however many hard links it has.",
    ),
    _ask(
        "largest_folders",
        "Which folders hold the most, everything below them included?",
        "SELECT path, files, bytes, own_bytes FROM largest_folders WHERE path <> '/' LIMIT 25",
    ),
    _ask(
        "space_by_top_folders",
        "How is the space divided among the first two levels of folders?",
        """
SELECT split_part(folder, '/', 2) AS top, split_part(folder, '/', 3) AS second,
  sum(size)::BIGINT AS bytes, count(*) AS files
FROM files WHERE NOT is_directory AND ordinal = 0 AND in_use
GROUP BY ALL HAVING bytes > 0 ORDER BY bytes DESC
""",
        "An empty top is the volume's root itself.",
    ),
    _ask(
        "space_by_extension",
        "Which kinds of file take the most space?",
        """
SELECT CASE extension WHEN '' THEN '(none)' ELSE extension END AS extension,
  files, bytes, largest
FROM extensions WHERE bytes > 0 LIMIT 25
""",
    ),
    _ask(
        "space_by_age",
        "How old is what lies here?",
        """
SELECT year(modified) AS year, count(*) AS files, sum(size)::BIGINT AS bytes
FROM files WHERE NOT is_directory AND ordinal = 0 AND in_use AND modified IS NOT NULL
GROUP BY ALL ORDER BY year
""",
        "By the last change of the content, which copying keeps.",
    ),
    _ask(
        "untouched",
        "What has not been changed for ten years and is large?",
        """
SELECT path, size, modified FROM files
WHERE NOT is_directory AND ordinal = 0 AND in_use AND size > 1000000
  AND modified < now()::TIMESTAMP - INTERVAL 10 YEAR
ORDER BY size DESC, path LIMIT 25
""",
    ),
    _ask(
        "hard_links",
        "Which files have several names?",
        """
SELECT e.record_number, e.name_count, e.size,
  list(f.path ORDER BY f.ordinal) AS paths
FROM entries e JOIN files f USING (entry_id)
WHERE e.name_count > 1 AND NOT e.is_directory
GROUP BY ALL ORDER BY e.size DESC NULLS LAST LIMIT 25
""",
        "Their bytes are on the disk once.",
    ),
    _ask(
        "streams",
        "What is hidden in named data streams?",
        """
SELECT f.path, s.name AS stream, s.size
FROM streams s JOIN files f USING (entry_id) WHERE f.ordinal = 0
ORDER BY s.size DESC, f.path LIMIT 25
""",
        "Zone.Identifier is what browsers write on downloads.",
    ),
    _ask(
        "slack",
        "How much space is lost between the end of files and the end of their clusters?",
        """
SELECT CASE WHEN size < 4096 THEN 'below 4 KiB' WHEN size < 65536 THEN '4 to 64 KiB'
    WHEN size < 1048576 THEN '64 KiB to 1 MiB' ELSE '1 MiB and more' END AS size_class,
  count(*) AS files, sum(size)::BIGINT AS bytes,
  sum(greatest(allocated - size, 0))::BIGINT AS slack_bytes, min(size) AS from_size
FROM entries WHERE NOT is_directory AND in_use AND size IS NOT NULL AND allocated > 0
GROUP BY ALL ORDER BY from_size
""",
    ),
    _ask(
        "saved_space",
        "What is compressed or sparse, and how much does it save?",
        """
SELECT CASE WHEN attributes & 2048 <> 0 THEN 'compressed' ELSE 'sparse' END AS how,
  count(*) AS files, sum(size)::BIGINT AS bytes, sum(allocated)::BIGINT AS allocated_bytes
FROM entries WHERE attributes & 2560 <> 0 AND NOT is_directory AND in_use AND size IS NOT NULL
GROUP BY ALL ORDER BY bytes DESC
""",
    ),
    _ask(
        "duplicate_files",
        "Which files of any kind look like copies, by name and size?",
        "SELECT name, size, copies, wasted_bytes, paths FROM duplicate_files LIMIT 25",
        "A hint, not a proof; for music ask `duplicates`, which compares the audio.",
    ),
    _ask(
        "deep_paths",
        "Which paths are too long for Windows programs?",
        """
SELECT path, length(path) AS characters FROM files
WHERE length(path) > 259 AND in_use ORDER BY characters DESC, path LIMIT 25
""",
    ),
    _ask(
        "strange_names",
        "Which names do other systems refuse?",
        r"""
SELECT path FROM files
WHERE in_use AND regexp_matches(name, '[<>:"|?*\\]|[. ]$') AND name <> '.'
ORDER BY path LIMIT 50
""",
    ),
    _ask(
        "links",
        "Where do symbolic links and junctions lead?",
        """
SELECT f.path, e.reparse_target FROM entries e JOIN files f USING (entry_id)
WHERE e.reparse_target IS NOT NULL AND f.ordinal = 0 ORDER BY f.path LIMIT 50
""",
    ),
    _ask(
        "recent",
        "What changed last?",
        """
SELECT path, size, modified FROM files
WHERE NOT is_directory AND ordinal = 0 AND in_use AND NOT hidden AND modified IS NOT NULL
ORDER BY modified DESC, path LIMIT 25
""",
    ),
)
