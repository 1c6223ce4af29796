"""Triggers: whatever client edits the index, versions, the change log and undo stay true.

Each is a statement trigger with transition tables. A trigger may write to a table whose own
trigger logs, but never in a circle: DuckDB refuses to create such a chain. So deleting a track
cannot delete its tags; `musefs-scan --check` finds what is left over, and the next scan drops it.
"""

from dataclasses import dataclass

_EVENTS = {
    "insert": ("NEW TABLE AS n", "n"),
    "update": ("OLD TABLE AS o NEW TABLE AS n", "n UNION SELECT {column} FROM o"),
    "delete": ("OLD TABLE AS o", "o"),
}

_SERVED_COLUMNS = (
    "path", "path_bytes", "format", "codec", "duration_seconds", "bitrate", "sample_rate",
    "bits_per_sample", "channels", "size", "mtime_ns", "ctime_ns", "lsn", "audio_offset",
    "audio_length", "synthesised", "state",
)  # fmt: skip
"""Columns of tracks that the mount serves from. The version and its time are not among them: a
trigger on tags sets these and has logged the change already."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One statement trigger."""

    name: str
    table: str
    event: str
    body: str

    @property
    def sql(self) -> str:
        """The CREATE TRIGGER statement."""
        tables = _EVENTS[self.event][0]
        return (
            f"CREATE TRIGGER {self.name} AFTER {self.event.upper()} ON {self.table} "
            f"REFERENCING {tables} FOR EACH STATEMENT {self.body}"
        )


def _touched(event: str, column: str) -> str:
    source = _EVENTS[event][1].format(column=column)
    return f"SELECT {column} FROM {source}"


def _bump(tracks: str) -> str:
    return (
        "UPDATE tracks SET content_version = content_version + 1, "
        f"updated_at = get_current_timestamp()::TIMESTAMP WHERE track_id IN ({tracks})"
    )


def _log(tracks: str, kind: str) -> str:
    return (
        f"INSERT INTO changes (track_id, kind) SELECT track_id, '{kind}' "
        f"FROM (SELECT DISTINCT track_id FROM ({tracks})) ORDER BY track_id"
    )


def _versioned(table: str, kind: str) -> list[Trigger]:
    triggers: list[Trigger] = []
    for event in _EVENTS:
        touched = _touched(event, "track_id")
        triggers.append(Trigger(f"{table}_{event}_version", table, event, _bump(touched)))
        triggers.append(Trigger(f"{table}_{event}_log", table, event, _log(touched, kind)))
    return triggers


_NEXT_SET = "(SELECT coalesce(max(change_set), 0) + 1 FROM edits)"


def _record_edits(before: str, after: str) -> str:
    return (
        "INSERT INTO edits (change_set, track_id, key, ordinal, before, after) "
        f"SELECT {_NEXT_SET}, coalesce(b.track_id, a.track_id), coalesce(b.key, a.key), "
        "coalesce(b.ordinal, a.ordinal), b.value, a.value "
        f"FROM {before} b FULL JOIN {after} a "
        "ON a.track_id = b.track_id AND a.key = b.key AND a.ordinal = b.ordinal "
        "WHERE a.value IS DISTINCT FROM b.value"
    )


_NOTHING = "(SELECT track_id, key, ordinal, value FROM tags WHERE false)"


def _edit_triggers() -> list[Trigger]:
    return [
        Trigger("tags_insert_undo", "tags", "insert", _record_edits(_NOTHING, "n")),
        Trigger("tags_update_undo", "tags", "update", _record_edits("o", "n")),
        Trigger("tags_delete_undo", "tags", "delete", _record_edits("o", _NOTHING)),
    ]


def _track_triggers() -> list[Trigger]:
    columns = ", ".join(_SERVED_COLUMNS)
    changed = (
        f"SELECT track_id FROM (SELECT track_id, {columns} FROM n "
        f"EXCEPT SELECT track_id, {columns} FROM o)"
    )
    return [
        Trigger("tracks_insert_log", "tracks", "insert", _log("SELECT track_id FROM n", "added")),
        Trigger("tracks_update_log", "tracks", "update", _log(changed, "track")),
        Trigger("tracks_delete_log", "tracks", "delete", _log("SELECT track_id FROM o", "removed")),
    ]


def _art_data_triggers() -> list[Trigger]:
    triggers: list[Trigger] = []
    for event in ("update", "delete"):
        tracks = f"SELECT track_id FROM art WHERE art_hash IN ({_touched(event, 'art_hash')})"
        triggers.append(Trigger(f"art_data_{event}_version", "art_data", event, _bump(tracks)))
        triggers.append(Trigger(f"art_data_{event}_log", "art_data", event, _log(tracks, "art")))
    return triggers


TRIGGERS: tuple[Trigger, ...] = (
    *_track_triggers(),
    *_versioned("tags", "tags"),
    *_edit_triggers(),
    *_versioned("art", "art"),
    *_versioned("blocks", "track"),
    *_art_data_triggers(),
)
