"""Playlists of the volume, rewritten so that they lead to served paths.

Lines are read as players read them: relative to the playlist, absolute on the volume, with a
Windows drive or as a file URL, compared without regard to case as NTFS does. An entry that leads
to no served track is left out together with what was said about it; web addresses stay.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import polars as pl

from musefs.mount.tree.folding import fold, fold_column
from musefs.mount.tree.placement import LeafKind, order_of
from musefs.mount.tree.tree import Tree

PLAYLIST_FOLDER: Final = "Playlists"
"""Where playlists are shown, at the root of the mount."""

MAX_PLAYLIST_BYTES: Final = 16 << 20
"""Larger files with that ending are no playlists."""

_WEB = re.compile(r"(?i)^(?!file:)[a-z][a-z0-9+.-]+://")
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class PlaylistLine:
    """One line; `target` is the folded path on the volume that it leads to."""

    text: str
    target: str | None = None

    @property
    def is_kept(self) -> bool:
        """Say whether the line stays as it is: a header line or a web address."""
        return self.target is None


def parse_playlist(data: bytes, folder: str) -> list[PlaylistLine]:
    """Read a playlist that lies in a folder of the volume (which ends with a slash)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # the older .m3u: as Windows wrote it
        text = data.decode("cp1252", "replace")
    return [_line(line.strip(), folder) for line in text.splitlines() if line.strip()]


def _line(text: str, folder: str) -> PlaylistLine:
    if text.startswith("#") or _WEB.match(text):
        return PlaylistLine(text)
    path = (
        unquote(re.sub(r"(?i)^file:(//(localhost)?)?", "", text))
        if text[:5].lower() == "file:"
        else text
    )
    path = path.replace("\\", "/")
    path = _DRIVE.sub("", path.lstrip("/") if _DRIVE.match(path.lstrip("/")) else path)
    return PlaylistLine(text, fold(posixpath.normpath(posixpath.join(folder, path))))


def served_paths(tree: Tree, tracks: pl.DataFrame, targets: Iterable[str]) -> dict[str, str]:
    """Return folded path on the volume → path in the tree, for targets that are served tracks."""
    wanted = pl.Series(sorted(set(targets)), dtype=pl.String)
    found = tracks.select("track_id", fold_column(tracks["path"])).filter(
        pl.col("path").is_in(wanted.implode())
    )
    orders = {order_of(LeafKind.TRACK, track_id): path for track_id, path in found.iter_rows()}
    served: dict[str, str] = {}
    for node in tree.leaves_of(set(orders)):
        path = tree.path(node).decode()
        original = orders[tree.order(node)]
        served[original] = min(path, served.get(original, path))
    return served


def write_playlist(
    lines: Iterable[PlaylistLine], served: Mapping[str, str], folder: str = PLAYLIST_FOLDER
) -> tuple[bytes, int]:
    """Return a playlist that lies in `folder` of the tree, and how many entries were left out."""
    written: list[str] = []
    about: list[str] = []
    dropped = 0
    for line in lines:
        if line.text.startswith("#EXTM3U") or (line.is_kept and not line.text.startswith("#")):
            written += [*about, line.text]
            about = []
        elif line.is_kept:
            about.append(line.text)
        elif (path := served.get(line.target or "")) is not None:
            written += [*about, posixpath.relpath(path, folder)]
            about = []
        else:
            dropped += 1
            about = []
    return "".join(f"{line}\n" for line in written).encode(), dropped


def plan_playlist(
    name: str, entry_id: int, row: int, body: bytes
) -> tuple[str, int, int, int, int]:
    """Return the placement of a rewritten playlist, as a row of PLACEMENT_SCHEMA.

    The version is made of the bytes: what a playlist says changes when a track's path does.
    """
    from hashlib import blake2b

    stem = re.sub(r"\.[^.]*$", "", name)
    version = int.from_bytes(blake2b(body, digest_size=8).digest(), "little") >> 2
    return f"{PLAYLIST_FOLDER}/{stem}.m3u8", int(LeafKind.PLAYLIST), entry_id, row, version
