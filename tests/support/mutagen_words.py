"""What mutagen says of a file, in the words of the library: the oracle of the tag readers.

It shares the vocabulary with the readers and nothing else.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import mutagen
from mutagen import apev2, asf, id3, mp3, mp4
from mutagen.id3 import TimeStampTextFrame
from mutagen.mp4 import AtomDataType

from musefs.index.edit import vocabulary

Words = dict[str, list[str]]

ROLES = {"mix": "mixer", "dj-mix": "djmixer"}
PICTURES = ("metadata_block_picture", "coverart", "coverartmime")


def words_of(path: Path) -> Words:
    """Return key → values of one file."""
    words: dict[str, list[str]] = defaultdict(list)
    try:
        song = mutagen.File(path)
        if song is not None and song.tags is not None:
            add(song.tags, words)
    except mp3.HeaderNotFoundError:  # it wants more frames than a short file has
        add(id3.ID3(path), words)
    if path.suffix == ".mp3":
        try:
            extra: dict[str, list[str]] = defaultdict(list)
            add_ape(apev2.APEv2(path), extra)
        except apev2.error:
            extra = {}
        for key, values in extra.items():
            words.setdefault(key, values)
    return {key: values for key, values in words.items() if any(values)}


def add(tags: Any, words: Words) -> None:
    if isinstance(tags, id3.ID3Tags):
        add_id3(tags, words)
    elif isinstance(tags, mp4.MP4Tags):
        add_mp4(tags, words)
    elif isinstance(tags, apev2.APEv2):
        add_ape(tags, words)
    elif isinstance(tags, asf.ASFTags):
        add_asf(tags, words)
    else:
        for key, value in tags:
            if key.lower() not in PICTURES:
                words[vocabulary.from_vorbis(key)].append(value)


def add_ape(tags: Any, words: Words) -> None:
    for key, value in tags.items():
        if value.kind != apev2.BINARY:
            words[vocabulary.from_ape(key)].extend(str(value).split("\0"))


def add_asf(tags: Any, words: Words) -> None:
    for name, value in tags:
        if isinstance(value, asf.ASFByteArrayAttribute):
            continue
        text = value.value
        plain = str(int(text)) if isinstance(text, bool | int) else text
        words[vocabulary.from_asf(name)].append(plain)


def add_id3(tags: id3.ID3Tags, words: Words) -> None:
    for frame in tags.values():
        name = type(frame).__name__
        if isinstance(frame, id3.TXXX):
            words[vocabulary.from_txxx(frame.desc)].extend(frame.text)
        elif isinstance(frame, id3.COMM):
            words[language_key("comment", frame)].extend(frame.text)
        elif isinstance(frame, id3.USLT):
            words[language_key("lyrics", frame)].append(frame.text)
        elif isinstance(frame, id3.POPM):
            words["rating"] = [str(frame.rating)]
            if getattr(frame, "count", 0):
                words["playcount"] = [str(frame.count)]
        elif isinstance(frame, id3.UFID) and frame.owner == vocabulary.UFID_OWNER:
            words["musicbrainz_trackid"].append(frame.data.decode())
        elif isinstance(frame, id3.TIPL | id3.IPLS):
            for role, person in frame.people:
                words[ROLES.get(role, role)].append(person)
        elif isinstance(frame, id3.TMCL):
            for role, person in frame.people:
                words["performer"].append(f"{person} ({role})")
        elif isinstance(frame, id3.TCON):
            words["genre"].extend(frame.genres)
        elif isinstance(frame, TimeStampTextFrame):
            key = vocabulary.from_id3(name) or name.lower()
            words[key].extend(str(t).replace(" ", "T") for t in frame.text)
        elif isinstance(frame, id3.TextFrame) and name.startswith("T"):
            words[vocabulary.from_id3(name) or name.lower()].extend(frame.text)


def language_key(key: str, frame: Any) -> str:
    if not frame.desc or frame.desc == "ID3v1 Comment":
        return key
    return vocabulary.qualify(key, frame.lang, frame.desc)


def add_mp4(tags: Any, words: Words) -> None:
    for name, values in tags.items():
        if name == "covr":
            continue
        if name.startswith("----"):
            key = vocabulary.from_freeform(name.split(":", 2)[2])
            texts = [bytes(v) for v in values]
            kinds = [v.dataformat for v in values]
            for text, kind in zip(texts, kinds, strict=True):
                if kind == AtomDataType.UTF8 or (kind == AtomDataType.IMPLICIT and is_text(text)):
                    words[key].append(text.decode())
            continue
        key = vocabulary.from_mp4(name) or name
        if isinstance(values, bool):
            words[key].append("1" if values else "0")
            continue
        for value in values:
            if isinstance(value, tuple):
                number, total = value
                words[key].append(f"{number}/{total}" if total else str(number or ""))
            else:
                words[key].append(str(value))


def is_text(data: bytes) -> bool:
    try:
        return min(data.decode(), default=" ") >= "\t"
    except UnicodeDecodeError:
        return False
