"""Questions about the music: what is there, what is missing, what is there twice."""

from musefs.index.read.question import Question, Subject


def _ask(name: str, words: str, sql: str, note: str = "") -> Question:
    return Question(name, words, Subject.LIBRARY, sql.strip(), note)


def _count_by(key: str) -> str:
    return f"""
SELECT value AS {key}, count(DISTINCT track_id) AS tracks,
  round(sum(duration_seconds) / 3600, 2) AS hours
FROM tags JOIN tracks USING (track_id) WHERE key = '{key}' AND state <> 'missing'
GROUP BY ALL ORDER BY tracks DESC, value LIMIT 25
"""


LIBRARY_QUESTIONS: tuple[Question, ...] = (
    _ask(
        "formats",
        "Which formats and codecs is the music in?",
        "SELECT format, codec, tracks, bytes, hours, kbit_per_second, served_as_they_are "
        "FROM audio_formats",
    ),
    _ask("artists", "Which artists have the most tracks?", _count_by("artist")),
    _ask("genres", "Which genres are there?", _count_by("genre")),
    _ask("labels", "Which labels are there?", _count_by("label")),
    _ask(
        "years",
        "From which years is the music?",
        r"""
SELECT try_cast(regexp_extract(value, '\d{4}') AS INTEGER) AS year,
  count(DISTINCT track_id) AS tracks
FROM tags WHERE key = 'date' GROUP BY ALL HAVING year IS NOT NULL ORDER BY year
""",
    ),
    _ask(
        "albums",
        "Which albums are there, and are they whole?",
        """
SELECT coalesce(albumartist, artist) AS artist, album, min(date) AS date, count(*) AS tracks,
  max(try_cast(totaltracks AS INTEGER)) AS should_be,
  round(sum(duration_seconds) / 60, 1) AS minutes
FROM tracks_v WHERE album IS NOT NULL AND state <> 'missing'
GROUP BY ALL ORDER BY artist, date, album
""",
    ),
    _ask(
        "bitrates",
        "What are the bit rates, by codec?",
        """
SELECT coalesce(codec, format::VARCHAR) AS codec, bitrate // 1000 AS kbit_per_second,
  count(*) AS tracks
FROM tracks WHERE bitrate IS NOT NULL AND state <> 'missing' GROUP BY ALL ORDER BY ALL
""",
    ),
    _ask(
        "poor_quality",
        "Which tracks are below 128 kbit/s?",
        """
SELECT artist, album, title, codec, bitrate // 1000 AS kbit_per_second, path
FROM tracks_v WHERE bitrate < 128000 ORDER BY bitrate, path LIMIT 50
""",
    ),
    _ask(
        "high_resolution",
        "Which tracks are better than a CD?",
        """
SELECT artist, album, title, sample_rate, bits_per_sample, path FROM tracks_v
WHERE sample_rate > 48000 OR bits_per_sample > 16 ORDER BY path LIMIT 50
""",
    ),
    _ask(
        "missing_tags",
        "How many tracks lack each important tag?",
        """
SELECT wanted.key AS tag, count(*) AS tracks_without
FROM tracks t,
  (VALUES ('title'), ('artist'), ('album'), ('albumartist'), ('tracknumber'), ('date'),
          ('genre')) wanted(key)
WHERE t.state <> 'missing' AND NOT EXISTS (
  FROM tags g WHERE g.track_id = t.track_id AND g.key = wanted.key AND g.value <> '')
GROUP BY ALL ORDER BY tracks_without DESC, tag
""",
    ),
    _ask(
        "tag_completeness",
        "Which tags are in use, and in how much of the library?",
        "SELECT key, tracks, share FROM tag_completeness LIMIT 50",
    ),
    _ask(
        "pictures",
        "Which tracks have pictures, and how large are they?",
        """
SELECT CASE WHEN a.track_id IS NULL THEN 'none' WHEN a.length < 50000 THEN 'below 50 kB'
    WHEN a.length < 500000 THEN '50 to 500 kB' ELSE '500 kB and more' END AS picture,
  count(DISTINCT t.track_id) AS tracks, coalesce(sum(a.length), 0)::BIGINT AS bytes
FROM tracks t LEFT JOIN art a ON a.track_id = t.track_id AND a.ordinal = (
  SELECT min(ordinal) FROM art WHERE track_id = t.track_id)
WHERE t.state <> 'missing' GROUP BY ALL ORDER BY tracks DESC
""",
        "The first picture of each track.",
    ),
    _ask(
        "loudness",
        "Which tracks carry loudness tags?",
        r"""
SELECT try_cast(regexp_extract(value, '[-+]?\d+(\.\d+)?') AS DOUBLE) AS gain_db,
  count(*) AS tracks
FROM tags WHERE key IN ('replaygain_track_gain', 'r128_track_gain')
GROUP BY ALL HAVING gain_db IS NOT NULL ORDER BY gain_db
""",
    ),
    _ask(
        "duplicates",
        "Which tracks have the same audio, whatever their tags and names?",
        "SELECT fingerprint, copies, wasted_bytes, paths FROM duplicates LIMIT 50",
    ),
    _ask(
        "similar_artists",
        "Which artists are written in several ways?",
        """
SELECT lower(strip_accents(regexp_replace(value, '^(the|die|les) |[^[:alnum:]]', '', 'gi')))
    AS sounds_like,
  list(DISTINCT value ORDER BY value) AS spellings, count(DISTINCT track_id) AS tracks
FROM tags WHERE key IN ('artist', 'albumartist') GROUP BY ALL
HAVING count(DISTINCT value) > 1 ORDER BY tracks DESC, sounds_like LIMIT 50
""",
    ),
    _ask(
        "naming_collisions",
        "Which tracks would get the same name under artist/album/title?",
        """
SELECT coalesce(albumartist, artist, 'Unknown') AS artist, coalesce(album, 'Unknown') AS album,
  coalesce(title, 'Unknown') AS title, count(*) AS tracks, list(path ORDER BY path) AS paths
FROM tracks_v WHERE state <> 'missing' GROUP BY ALL HAVING count(*) > 1
ORDER BY tracks DESC, artist, album, title LIMIT 50
""",
        "`musefs-mount INDEX --dry-run` answers it for your template, rule for rule.",
    ),
    _ask(
        "edited",
        "What did I change, beside what the files say?",
        "SELECT track_id, key, scanned, served FROM edited_tags ORDER BY track_id, key LIMIT 100",
    ),
    _ask(
        "longest",
        "Which tracks are the longest?",
        """
SELECT artist, title, round(duration_seconds / 60, 1) AS minutes, path FROM tracks_v
WHERE duration_seconds IS NOT NULL ORDER BY duration_seconds DESC, path LIMIT 25
""",
    ),
    _ask(
        "not_synthesised",
        "Which tracks are served as they are, and why?",
        "SELECT path, format, reason FROM tracks WHERE NOT synthesised ORDER BY path LIMIT 100",
    ),
    _ask(
        "vanished",
        "Which tracks were there before and are gone?",
        "SELECT track_id, path, missing_since FROM tracks WHERE state = 'missing' ORDER BY path",
    ),
)
