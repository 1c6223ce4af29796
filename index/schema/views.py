"""Views: the usual questions, answered by name in any DuckDB client."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class View:
    """One view, what it answers, and what its columns are where the name does not say."""

    name: str
    comment: str
    sql: str
    columns: Mapping[str, str] = field(default_factory=dict[str, str])


ORPHAN_FOLDER = "/$OrphanFiles/"
"""Where names are shown whose folder is not known, as in other forensic tools."""

_DELETED_FOLDERS = """
  SELECT d.record_number, d.sequence, d.path, d.hidden
  FROM directories d JOIN entries e USING (entry_id) WHERE NOT e.in_use
"""

FILES = View(
    "files",
    "Every name on the volume with its full path: one row a hard link, folders included.",
    f"""
SELECT e.entry_id, n.ordinal,
  coalesce(d.path, g.path, '{ORPHAN_FOLDER}') || n.name AS path,
  coalesce(d.path, g.path, '{ORPHAN_FOLDER}') AS folder,
  n.name, lower(regexp_extract(n.name, '[^.]\\.([^.]+)$', 1)) AS extension,
  e.is_directory, e.size, e.allocated, e.created, e.modified, e.changed, e.accessed,
  (e.attributes & 6) <> 0 OR coalesce(d.hidden, g.hidden, false) AS hidden,
  e.in_use, e.record_number, e.sequence, n.short_name, e.link_count, e.state,
  CASE WHEN d.entry_id IS NOT NULL THEN d.path_state
       WHEN g.path IS NOT NULL THEN 'deleted_parent' ELSE 'orphan' END AS path_state
FROM names n JOIN entries e USING (entry_id)
LEFT JOIN directories d ON d.record_number = n.parent_record AND d.sequence = n.parent_sequence
LEFT JOIN ({_DELETED_FOLDERS}) g
  ON g.record_number = n.parent_record AND g.sequence = n.parent_sequence + 1
     AND d.entry_id IS NULL
WHERE NOT (n.parent_record = e.record_number AND n.name = '.')
""",
    {
        "path": "full path from the volume's root, display text",
        "folder": "path of the folder, which ends with a slash",
        "extension": "lower case, without the dot; empty if there is none",
        "ordinal": "0 for the primary name; others are further hard links",
        "hidden": "hidden or system itself, or inside such a folder",
        "path_state": "what the parent chain says; orphans are shown under /$OrphanFiles/",
    },
)

_SHOWN_TAGS = (
    "title", "artist", "album", "albumartist", "genre", "date", "composer", "tracknumber",
    "totaltracks", "discnumber", "totaldiscs", "compilation", "label",
)  # fmt: skip

TRACKS_V = View(
    "tracks_v",
    "Tracks with their most used tags as columns, as the mount serves them.",
    "SELECT t.track_id, "
    + ", ".join(f"g.{key}" for key in _SHOWN_TAGS)
    + """, t.format, t.codec, t.duration_seconds, t.bitrate, t.sample_rate,
  t.bits_per_sample, t.channels, t.size, coalesce(a.pictures, 0) AS pictures,
  t.state, t.synthesised, t.path
FROM tracks t LEFT JOIN (
  SELECT track_id, """
    + ", ".join(
        f"string_agg(value, '; ' ORDER BY ordinal) FILTER (WHERE key = '{key}') AS {key}"
        for key in _SHOWN_TAGS
    )
    + """ FROM tags GROUP BY track_id) g USING (track_id)
LEFT JOIN (SELECT track_id, count(*) AS pictures FROM art GROUP BY track_id) a USING (track_id)
""",
    {"artist": "all values, joined with '; '", "pictures": "number of pictures served"},
)

TRACK_VERSIONS = View(
    "track_versions",
    "The version of what each track serves now: it grows with every change, whoever made it.",
    """
SELECT t.track_id,
  t.published_version + coalesce(c.sequence - m.published_sequence, 0) AS content_version,
  greatest(t.published_change_at, c.changed_at) AS updated_at
FROM (SELECT coalesce(max(published_sequence), 0) AS published_sequence FROM meta) m
CROSS JOIN tracks t LEFT JOIN (
  SELECT track_id, max(sequence) AS sequence, max(changed_at) AS changed_at FROM changes
  WHERE sequence > coalesce((SELECT max(published_sequence) FROM meta), 0) GROUP BY track_id
) c USING (track_id)
""",
    {
        "content_version": "as published, and as many more as the last change since is behind that",
        "updated_at": "last change of what is served, UTC",
    },
)

DUPLICATES = View(
    "duplicates",
    "Tracks with the same audio, whatever their tags and names.",
    """
SELECT coalesce(audio_hash, fingerprint) AS fingerprint, count(*) AS copies,
  max(size) AS size, (sum(size) - max(size))::BIGINT AS wasted_bytes,
  list(track_id ORDER BY path) AS track_ids, list(path ORDER BY path) AS paths
FROM tracks WHERE coalesce(audio_hash, fingerprint) IS NOT NULL AND state = 'present'
GROUP BY 1 HAVING count(*) > 1 ORDER BY wasted_bytes DESC, fingerprint
""",
    {"wasted_bytes": "what all copies but the largest occupy"},
)

DUPLICATE_FILES = View(
    "duplicate_files",
    "Files of any kind with the same name and the same size: a hint, not a proof.",
    """
SELECT name, size, count(*) AS copies, size * (count(*) - 1) AS wasted_bytes,
  list(path ORDER BY path) AS paths
FROM files WHERE NOT is_directory AND ordinal = 0 AND size > 0 AND in_use
GROUP BY name, size HAVING count(*) > 1 ORDER BY wasted_bytes DESC, name
""",
)

LARGEST_FOLDERS = View(
    "largest_folders",
    "Folders by the size of everything below them.",
    """
WITH RECURSIVE own AS (
  SELECT d.entry_id, d.parent_id, d.path, coalesce(sum(e.size), 0) AS bytes,
    coalesce(sum(e.allocated), 0) AS allocated, count(e.entry_id) AS files
  FROM directories d
  LEFT JOIN names n ON n.parent_record = d.record_number AND n.parent_sequence = d.sequence
    AND n.ordinal = 0
  LEFT JOIN entries e ON e.entry_id = n.entry_id AND NOT e.is_directory
  GROUP BY ALL
), up AS (
  SELECT entry_id, parent_id, bytes, allocated, files FROM own WHERE files > 0
  UNION ALL
  SELECT o.entry_id, o.parent_id, u.bytes, u.allocated, u.files
  FROM up u JOIN own o ON o.entry_id = u.parent_id AND o.entry_id <> u.entry_id
)
SELECT o.path, sum(u.files)::BIGINT AS files, sum(u.bytes)::BIGINT AS bytes,
  sum(u.allocated)::BIGINT AS allocated, any_value(o.bytes)::BIGINT AS own_bytes
FROM up u JOIN own o USING (entry_id)
GROUP BY o.entry_id, o.path ORDER BY bytes DESC, o.path
""",
    {
        "bytes": "length of all files below, each counted at its primary name",
        "own_bytes": "length of the files directly inside",
    },
)

EXTENSIONS = View(
    "extensions",
    "What kinds of file the volume holds, by extension.",
    """
SELECT extension, count(*) AS files, sum(size)::BIGINT AS bytes, max(size) AS largest
FROM files WHERE NOT is_directory AND ordinal = 0 AND in_use
GROUP BY extension ORDER BY bytes DESC, extension
""",
)

AUDIO_FORMATS = View(
    "audio_formats",
    "What kinds of audio the library holds.",
    """
SELECT format, codec, count(*) AS tracks, sum(size)::BIGINT AS bytes,
  round(sum(duration_seconds) / 3600, 1) AS hours, round(avg(bitrate) / 1000) AS kbit_per_second,
  count(*) FILTER (WHERE NOT synthesised) AS served_as_they_are
FROM tracks WHERE state <> 'missing' GROUP BY ALL ORDER BY tracks DESC, format, codec
""",
)

TAG_COMPLETENESS = View(
    "tag_completeness",
    "How many tracks have each tag.",
    """
SELECT key, count(DISTINCT track_id) AS tracks,
  round(count(DISTINCT track_id) / nullif((SELECT count(*) FROM tracks), 0), 4) AS share
FROM tags GROUP BY key ORDER BY tracks DESC, key
""",
    {"share": "part of all tracks, from 0 to 1"},
)

EDITED_TAGS = View(
    "edited_tags",
    "Tags that are served otherwise than the file says: what users changed.",
    """
SELECT track_id, key, s.scanned, t.served
FROM (SELECT track_id, key, list(value ORDER BY ordinal, value) AS scanned
      FROM scanned_tags GROUP BY ALL) s
FULL JOIN (SELECT track_id, key, list(value ORDER BY ordinal, value) AS served
      FROM tags GROUP BY ALL) t USING (track_id, key)
WHERE s.scanned IS DISTINCT FROM t.served
""",
    {
        "scanned": "the file's values at the last scan; NULL if it has none",
        "served": "the values that the mount serves; NULL if the tag was removed",
    },
)

HEALTH = View(
    "health",
    "What deserves attention, one row a question, with the number of cases.",
    """
WITH had AS (
  SELECT t.track_id, bool_or(g.key = 'title') AS title, bool_or(g.key = 'artist') AS artist,
    bool_or(g.key = 'album') AS album, bool_or(g.key = 'tracknumber') AS tracknumber,
    bool_or(g.key = 'date') AS date
  FROM tracks t LEFT JOIN tags g USING (track_id) WHERE t.state <> 'missing' GROUP BY t.track_id
)
SELECT 'tracks without title' AS finding, count(*) AS cases,
  'SELECT * FROM tracks_v WHERE title IS NULL' AS look FROM had WHERE title IS NOT true
UNION ALL SELECT 'tracks without artist', count(*),
  'SELECT * FROM tracks_v WHERE artist IS NULL' FROM had WHERE artist IS NOT true
UNION ALL SELECT 'tracks without album', count(*),
  'SELECT * FROM tracks_v WHERE album IS NULL' FROM had WHERE album IS NOT true
UNION ALL SELECT 'tracks without track number', count(*),
  'SELECT * FROM tracks_v WHERE tracknumber IS NULL' FROM had WHERE tracknumber IS NOT true
UNION ALL SELECT 'tracks without date', count(*),
  'SELECT * FROM tracks_v WHERE date IS NULL' FROM had WHERE date IS NOT true
UNION ALL SELECT 'tracks without picture', count(*),
  'SELECT * FROM tracks_v WHERE pictures = 0' FROM tracks t
  WHERE state <> 'missing' AND NOT EXISTS (FROM art a WHERE a.track_id = t.track_id)
UNION ALL SELECT 'tracks served as they are', count(*),
  'SELECT path, reason FROM tracks WHERE NOT synthesised' FROM tracks WHERE NOT synthesised
UNION ALL SELECT 'tracks whose file is gone', count(*),
  'SELECT path FROM tracks WHERE state = ''missing''' FROM tracks WHERE state = 'missing'
UNION ALL SELECT 'groups of tracks with the same audio', count(*), 'FROM duplicates'
  FROM duplicates
UNION ALL SELECT 'files with problems', count(*), 'FROM problems' FROM problems
UNION ALL SELECT 'names without a known folder', count(*),
  'SELECT path FROM files WHERE path_state <> ''ok''' FROM files WHERE path_state <> 'ok'
UNION ALL SELECT 'records that cannot be trusted', count(*),
  'SELECT * FROM entries WHERE state <> ''ok''' FROM entries WHERE state <> 'ok'
UNION ALL SELECT 'degradations of the last scan', coalesce(sum(value), 0)::BIGINT,
  'FROM scan_counters' FROM scan_counters WHERE scan_id = (SELECT scan_id FROM meta)
""",
    {"look": "a query that shows the cases"},
)

_SI_FLAGS = ", ".join(
    f"CASE WHEN e.attributes & {bit} <> 0 THEN '{name}' END"
    for bit, name in (
        (0x1, "ReadOnly"), (0x2, "Hidden"), (0x4, "System"), (0x20, "Archive"),
        (0x40, "Device"), (0x80, "Normal"), (0x100, "Temporary"), (0x200, "SparseFile"),
        (0x400, "ReparsePoint"), (0x800, "Compressed"), (0x1000, "Offline"),
        (0x2000, "NotContentIndexed"), (0x4000, "Encrypted"),
    )
)  # fmt: skip

_MFTECMD_SHARED = f"""
  e.in_use AS "InUse",
  CASE WHEN d.path IS NULL THEN '.\\PathUnknown'
       ELSE '.' || replace(rtrim(d.path, '/'), '/', '\\') END AS "ParentPath",
  e.created AS "Created0x10", n.fn_created AS "Created0x30",
  e.modified AS "LastModified0x10", n.fn_modified AS "LastModified0x30",
  e.changed AS "LastRecordChange0x10", n.fn_changed AS "LastRecordChange0x30",
  e.accessed AS "LastAccess0x10", n.fn_accessed AS "LastAccess0x30",
  e.lsn AS "LogfileSequenceNumber", e.security_id AS "SecurityId",
  e.reparse_target AS "ReparseTarget", e.name_count AS "ReferenceCount",
  concat_ws('|', {_SI_FLAGS}) AS "SiFlags",
  CASE n.namespace WHEN 'posix' THEN 'Posix' WHEN 'win32' THEN 'Windows'
       WHEN 'dos' THEN 'Dos' ELSE 'DosWindows' END AS "NameType",
  e.created_raw <> 0 AND e.created_raw < n.fn_created_raw AS "SI<FN",
  e.created_raw % 10000000 = 0 OR e.modified_raw % 10000000 = 0 AS "uSecZeros",
  e.modified_raw < e.created_raw AS "Copied"
"""

_MFTECMD_FROM = """
FROM names n JOIN entries e USING (entry_id)
LEFT JOIN directories d ON d.record_number = n.parent_record AND d.sequence = n.parent_sequence
"""

MFTECMD = View(
    "mftecmd",
    "The volume under the column names of MFTECmd, one row a name and one a named stream.",
    f"""
SELECT e.record_number AS "EntryNumber", e.sequence AS "SequenceNumber",
  n.parent_record AS "ParentEntryNumber", n.parent_sequence AS "ParentSequenceNumber",
  n.name AS "FileName", regexp_extract(n.name, '[^.](\\.[^.]+)$', 1) AS "Extension",
  e.is_directory AS "IsDirectory", e.stream_count > 0 AS "HasAds", false AS "IsAds",
  coalesce(e.size, 0) AS "FileSize", {_MFTECMD_SHARED} {_MFTECMD_FROM}
UNION ALL
SELECT e.record_number, e.sequence, n.parent_record, n.parent_sequence,
  n.name || ':' || s.name, regexp_extract(s.name, '[^.](\\.[^.]+)$', 1),
  false, false, true, s.size, {_MFTECMD_SHARED} {_MFTECMD_FROM}
JOIN streams s ON s.entry_id = n.entry_id AND n.ordinal = 0
""",
    {
        "Created0x30": "always filled, also where it equals 0x10",
        "SI<FN": "created in $STANDARD_INFORMATION before $FILE_NAME: perhaps set by hand",
    },
)

VIEWS: tuple[View, ...] = (
    FILES, TRACKS_V, TRACK_VERSIONS, DUPLICATES, DUPLICATE_FILES, LARGEST_FOLDERS, EXTENSIONS,
    AUDIO_FORMATS, TAG_COMPLETENESS, EDITED_TAGS, HEALTH, MFTECMD,
)  # fmt: skip
