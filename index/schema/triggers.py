"""Triggers: whatever client edits the index, versions, the change log and undo stay true.

Each is a statement trigger with transition tables. A trigger may write to a table whose own
trigger logs, but never in a circle: DuckDB refuses to create such a chain. So no trigger can count
a version in `tracks` itself; the view track_versions counts it from the log, which therefore only
grows. And deleting a track cannot delete its tags; `musefs-scan --check` finds what is left over,
and the next scan drops it.
"""

from dataclasses import dataclass

from musefs.index.schema.library_tables import ART

PICTURES_KEY = "=pictures"
"""The key of pictures in edits; tags never hold an equals sign in theirs."""

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
"""Columns of tracks that the mount serves from; of others no change is logged."""


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


def _log(tracks: str, kind: str) -> str:
    return (
        f"INSERT INTO changes (track_id, kind) SELECT track_id, '{kind}' "
        f"FROM (SELECT DISTINCT track_id FROM ({tracks})) ORDER BY track_id"
    )


def _logged(table: str, kind: str) -> list[Trigger]:
    return [
        Trigger(f"{table}_{event}_log", table, event, _log(_touched(event, "track_id"), kind))
        for event in _EVENTS
    ]


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


_ART = ", ".join(column.name for column in ART.columns)


def _pictures(rows: str) -> str:
    """Return rows of art as one JSON text a track."""
    return (
        "SELECT track_id, to_json(list(a ORDER BY ordinal))::VARCHAR AS rows "
        f"FROM {rows} a GROUP BY track_id"
    )


def _record_pictures(event: str) -> str:
    """Write the touched tracks' pictures before and after; what was is what is, taken back."""
    new = f"SELECT {_ART} FROM n" if event != "delete" else f"SELECT {_ART} FROM art WHERE false"
    old = f"SELECT {_ART} FROM o" if event != "insert" else f"SELECT {_ART} FROM art WHERE false"
    touched = f"({_touched(event, 'track_id')})"
    now = f"(SELECT {_ART} FROM art WHERE track_id IN {touched})"
    was = f"((FROM {now} EXCEPT ALL {new}) UNION ALL {old})"
    return (
        "INSERT INTO edits (change_set, track_id, key, ordinal, before, after) "
        f"SELECT {_NEXT_SET}, track_id, '{PICTURES_KEY}', 0, b.rows, a.rows "
        f"FROM ({_pictures(was)}) b FULL JOIN ({_pictures(now)}) a USING (track_id) "
        "WHERE a.rows IS DISTINCT FROM b.rows ORDER BY track_id"
    )


def _picture_triggers() -> list[Trigger]:
    return [
        Trigger(f"art_{event}_undo", "art", event, _record_pictures(event)) for event in _EVENTS
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
        triggers.append(Trigger(f"art_data_{event}_log", "art_data", event, _log(tracks, "art")))
    return triggers


def _growing_log() -> list[Trigger]:
    """Refuse what would take lines out of the log: a version that sank would be given twice."""
    words = "changes only grows: versions and mounts are counted by it"
    return [
        Trigger(
            f"changes_{event}_refused",
            "changes",
            event,
            f"INSERT INTO problems (path, counter, reason) SELECT '', '', error('{words}') FROM o",
        )
        for event in ("update", "delete")
    ]


TRIGGERS: tuple[Trigger, ...] = (
    *_growing_log(),
    *_track_triggers(),
    *_logged("tags", "tags"),
    *_edit_triggers(),
    *_logged("art", "art"),
    *_picture_triggers(),
    *_logged("blocks", "track"),
    *_art_data_triggers(),
)
