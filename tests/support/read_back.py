"""Served tags as mutagen reads them, under the keys of the index."""

from pathlib import Path

from mutagen.id3 import ID3, Frame
from mutagen.mp4 import MP4, MP4FreeForm
from support.tracks import Tags

from musefs.index.edit import vocabulary


def id3_tags(path_or_tags: Path | ID3) -> Tags:
    """Return the tags of an ID3v2 tag, frames that are no text left out."""
    tags = path_or_tags if isinstance(path_or_tags, ID3) else ID3(path_or_tags, translate=False)
    found: Tags = {}
    for frame in tags.values():
        for key, values in _id3_values(frame):
            found.setdefault(key, []).extend(values)
    return found


def _id3_values(frame: Frame) -> list[tuple[str, list[str]]]:
    name = frame.FrameID
    if name == "TXXX":
        return [(vocabulary.from_txxx(frame.desc), list(frame.text))]
    if name in ("COMM", "USLT"):
        key = vocabulary.qualify(vocabulary.from_id3(name) or "", frame.lang, frame.desc)
        return [(key, [frame.text] if isinstance(frame.text, str) else list(frame.text))]
    if name == "TIPL":
        return [(vocabulary.from_role(role) or role, [person]) for role, person in frame.people]
    if name == "TMCL":
        return [("performer", [f"{person} ({role})"]) for role, person in frame.people]
    if name == "POPM":
        plays = [("playcount", [str(frame.count)])] if getattr(frame, "count", 0) else []
        return [("rating", [str(frame.rating)]), *plays]
    if name == "PCNT":
        return [("playcount", [str(frame.count)])]
    if name == "UFID" and frame.owner == vocabulary.UFID_OWNER:
        return [("musicbrainz_trackid", [frame.data.decode()])]
    if name == "WFED":
        return [("podcasturl", [frame.url])]
    if name == "PCST":
        return [("podcast", [str(frame.value)])]
    if name.startswith("T") or name in ("MVNM", "MVIN"):
        return [(vocabulary.from_id3(name) or name.lower(), [str(text) for text in frame.text])]
    return []


def mp4_tags(path: Path) -> Tags:
    """Return the tags of an MP4 file; pairs as `N/M`, pictures left out."""
    found: Tags = {}
    for atom, value in (MP4(path).tags or {}).items():
        values = value if isinstance(value, list) else [value]
        if atom.startswith("----:"):
            key = vocabulary.from_freeform(atom.split(":", 2)[2])
            texts = [v.decode() for v in values if isinstance(v, MP4FreeForm) and v.dataformat == 1]
        elif atom == "covr":
            continue
        else:
            key = vocabulary.from_mp4(atom) or atom
            texts = [_mp4_text(v) for v in values]
        if texts:
            found.setdefault(key, []).extend(texts)
    return found


def _mp4_text(value: object) -> str:
    if isinstance(value, tuple):
        return f"{value[0]}/{value[1]}" if value[1] else str(value[0])
    return str(int(value)) if isinstance(value, bool) else str(value)
