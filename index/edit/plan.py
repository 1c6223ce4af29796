"""What musefs-tag is asked to do, resolved and frozen: whose tags, and which action.

Made by `cli` from the flags; carried out by `commands`. Keys are as typed: `vocabulary` normalises
them where they are used.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from musefs.index.command.common import CommonPlan


class TableFormat(StrEnum):
    """How exported tags are written."""

    CSV = "csv"
    """track_id, path, key, ordinal, value."""
    JSONL = "jsonl"
    """An object a track, with `tags` as key to list of values."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tracks are meant: those that satisfy everything that is given."""

    where: str | None = None
    """SQL condition over tracks_v."""
    paths: tuple[str, ...] = ()
    """Globs of original paths; any of them."""
    tracks: tuple[int, ...] = ()
    """Track ids; any of them."""
    everything: bool = False
    """Whether all tracks are meant because the user said so."""

    @property
    def given(self) -> bool:
        """Return whether the user selected anything."""
        return bool(self.where or self.paths or self.tracks or self.everything)


@dataclass(frozen=True, slots=True)
class ListTracks:
    """Show tracks with their most used tags."""

    limit: int
    """0 is no limit."""


@dataclass(frozen=True, slots=True)
class GetTags:
    """Show every value of `keys`, or of all keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetTags:
    """Replace all values of each key; a key given several times gets several values."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AddTags:
    """Add values after those that are there; one that is there already is not doubled."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RemoveTags:
    """Remove keys, or one value of a key."""

    keys: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EditArt:
    """Show pictures; set, remove or export those of one type."""

    picture_type: int
    """As in ID3 and FLAC: 3 is the front cover."""
    set_from: Path | None
    remove: bool
    export_to: Path | None


@dataclass(frozen=True, slots=True)
class DiffTags:
    """Show what is served against what the files said."""


@dataclass(frozen=True, slots=True)
class ResetTags:
    """Take edits back, of `keys` or of everything."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExportTags:
    """Write tags as a table."""

    target: Path
    """`-` is standard output."""
    format: TableFormat | None
    """None goes by the file's name."""


@dataclass(frozen=True, slots=True)
class ImportTags:
    """Set tags from a table that ExportTags wrote."""

    source: Path
    """`-` is standard input."""
    format: TableFormat | None


@dataclass(frozen=True, slots=True)
class UndoChange:
    """Take the last change set back."""


Action = (
    ListTracks
    | GetTags
    | SetTags
    | AddTags
    | RemoveTags
    | EditArt
    | DiffTags
    | ResetTags
    | ExportTags
    | ImportTags
    | UndoChange
)


@dataclass(frozen=True, slots=True)
class TagPlan:
    """One run of musefs-tag."""

    index: Path
    action: Action
    selection: Selection = field(default_factory=Selection)
    """For an action that changes something, `given` is True; else nothing given means all."""
    dry_run: bool = False
    common: CommonPlan = field(default_factory=CommonPlan)
