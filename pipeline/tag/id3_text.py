"""What the frames of an ID3v2 tag, and the 128 bytes of ID3v1, mean in the words of the library.

Text frames, comments, lyrics, ratings and MusicBrainz identifiers are read here; everything else
(PRIV, GEOB, SYLT, chapters, URLs) is carried over by the walker in musefs.index.media.id3.
"""

import re
from typing import Final

from mutagen._constants import GENRES

from musefs.index.media.facts import Encoding
from musefs.index.media.id3 import Id3Parts, read_tags
from musefs.index.media.id3_tag import StoredFrame, Texts, frame_content
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.limits import MAX_VALUE_BYTES
from musefs.pipeline.tag.naming import (
    MUSICBRAINZ_OWNER,
    id3_described_key,
    id3_key,
    id3_language_key,
    id3_person_key,
)
from musefs.pipeline.tag.text import from_latin1, from_utf8, from_utf16
from musefs.pipeline.tag.window import Window

_LONGEST_FRAME: Final = 4 * MAX_VALUE_BYTES
"""UTF-16 doubles a value and a frame may hold several."""

_PEOPLE: Final = frozenset({"TIPL", "TMCL", "IPLS"})
_NOT_SIMPLE: Final = frozenset({"TXXX", "COMM", "USLT", *_PEOPLE})
_SPECIAL: Final = frozenset({"TCON", "UFID", *_PEOPLE})

_OBSOLETE: Final = frozenset({"TSIZ", "TRDA", "TDAT", "TIME", "TYER", "TORY"})
"""Read only to make newer frames of them, or without meaning once the file has changed."""

_GENRE: Final = re.compile(r"((?:\((?:[0-9]+|RX|CR)\))*)(.+)?", re.DOTALL)

_Key = str | tuple[str, str, str]
_Values = dict[_Key, list[str]]
"""The values of each frame by its id; by id, description and language where there may be several.
"""


def read_id3(window: Window, offset: int, tags: Collected) -> int:
    """Add what the ID3v2 tags that begin at `offset` say, the first before the others.

    Returns where they end. For formats whose walker does not collect the frames itself.
    """
    parts = Id3Parts()
    end = read_tags(window.read_at, offset, parts)
    tags.pictures += parts.pictures
    add_frames(window, parts, tags)
    return end


def add_frames(window: Window, parts: Id3Parts, tags: Collected) -> None:
    """Add what the frames say that a walker collected; a second tag fills what the first left."""
    texts = parts.texts
    if not texts:
        return
    if texts[0][0] == texts[-1][0]:  # one tag, as nearly always
        _add_tag(window, texts, tags)
        return
    for number in sorted({number for number, _, _ in texts}):
        _add_tag(window, [text for text in texts if text[0] == number], tags)
        tags.seal()


def _add_tag(window: Window, texts: Texts, tags: Collected) -> None:
    values: _Values = {}
    for _, name, content in texts:
        if isinstance(content, StoredFrame):
            _read_stored(window, content, values, tags)
            continue
        text = _plain_text(content) if name not in _NOT_SIMPLE else None
        if text is None:
            _read_frame(name, content, values, tags)
        elif name not in values:
            values[name] = [text]
        elif text not in values[name]:
            values[name].append(text)
    _add_dates(values)
    pairs: list[tuple[str, str]] = []
    for key, found in values.items():
        if key in _SPECIAL or isinstance(key, tuple):
            pairs += _spelled_out(key, found)
        elif key not in _OBSOLETE:
            word = id3_key(key)
            pairs += [(word, text) for text in found]
    tags.add_all(pairs)


def _plain_text(content: bytes) -> str | None:
    """Return the one text that nearly every frame holds; None for what needs a closer look."""
    encoding = content[0]
    try:
        if encoding == 3 or (encoding == 0 and content.isascii()):
            text = content[1:].decode().rstrip("\0")
        elif encoding == 1 and content[1:3] == b"\xff\xfe":
            text = content[3:].decode("utf-16-le").removesuffix("\0")
        else:
            return None
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _read_stored(window: Window, frame: StoredFrame, values: _Values, tags: Collected) -> None:
    if frame.length > _LONGEST_FRAME:
        tags.drop(f"{frame.frame_id}: frame of {frame.length} bytes")
        return
    if frame.encoding is Encoding.RAW:
        content = window.read_at(*frame.stored)
    else:
        content = frame_content(window.read_at, frame)
    if content:
        _read_frame(frame.frame_id, content, values, tags)


def _read_frame(name: str, content: bytes, values: _Values, tags: Collected) -> None:
    if name == "POPM":
        _read_popularity(content, values)
    elif name == "UFID":
        owner, _, identifier = content.partition(b"\0")
        if owner == MUSICBRAINZ_OWNER and identifier.isascii():
            values.setdefault(name, [identifier.decode("ascii").rstrip("\0")])
    elif content[0] > 3:
        tags.drop(f"{name}: unknown text encoding {content[0]}")
    elif name == "TXXX":
        description, *texts = _texts(content[0], content[1:], tags) or [""]
        _merge(values, (name, description, ""), texts)
    elif name in ("COMM", "USLT"):
        language = content[1:4].decode("latin-1").rstrip("\0 ")
        description, *texts = _texts(content[0], content[4:], tags) or [""]
        _merge(values, (name, description, language), texts)
    elif name in _PEOPLE:
        _add_people(values, name, _texts(content[0], content[1:], tags))
    else:
        _merge(values, name, _texts(content[0], content[1:], tags))


def _add_people(values: _Values, name: str, texts: list[str]) -> None:
    """Add the pairs of one list; a second list of its kind goes on, unless it says the same."""
    pairs = texts[: len(texts) // 2 * 2]
    known = values.setdefault(name, [])
    if pairs != known:
        known += pairs


def _merge(values: _Values, key: _Key, texts: list[str]) -> None:
    known = values.get(key)
    if known is None or key[0] == "USLT":
        values[key] = texts
    else:
        known.extend(text for text in texts if text not in known)


def _texts(encoding: int, data: bytes, tags: Collected) -> list[str]:
    """Return the NUL-separated texts; a NUL at the very end ends the last and begins none."""
    if encoding in (1, 2):
        return _wide_texts(encoding, data, tags)
    if data.endswith(b"\0"):
        data = data[:-1]
    if encoding == 3:
        return from_utf8(data, tags).split("\0")
    return from_latin1(data, tags).split("\0")


def _wide_texts(encoding: int, data: bytes, tags: Collected) -> list[str]:
    if len(data) % 2:
        data = data[:-1] if data.endswith(b"\0") else data + b"\0"
    order = "utf-16-be" if encoding == 2 else "utf-16-le"
    texts: list[str] = []
    start = 0
    while start < len(data):
        end = data.find(b"\0\0", start)
        while end >= 0 and (end - start) % 2:
            end = data.find(b"\0\0", end + 1)
        end = len(data) if end < 0 else end
        piece = data[start:end]
        if piece[:2] == b"\xfe\xff":
            order = "utf-16-be"
        elif piece[:2] == b"\xff\xfe":
            order = "utf-16-le"
        texts.append(from_utf16(piece, tags, order))
        start = end + 2
    return texts


def _read_popularity(content: bytes, values: _Values) -> None:
    _, _, rest = content.partition(b"\0")
    if rest:
        values.setdefault(("POPM", "rating", ""), [str(rest[0])])
        count = int.from_bytes(rest[1:9])
        if count:
            values.setdefault(("POPM", "playcount", ""), [str(count)])


def _add_dates(values: _Values) -> None:
    """Make TDRC of TYER, TDAT and TIME, and TDOR of TORY, where the newer frame is missing."""
    years = values.get("TYER", [])
    if years and "TDRC" not in values:
        days = values.get("TDAT", [])
        times = values.get("TIME", [])
        dates = [
            _date(year, days[n] if n < len(days) else "", times[n] if n < len(times) else "")
            for n, year in enumerate(years)
        ]
        values["TDRC"] = dates
    original = values.get("TORY")
    if original and "TDOR" not in values:
        values["TDOR"] = original


def _date(year: str, day: str, time: str) -> str:
    """Return `year` completed by DDMM and HHMM where they are well formed."""
    year = year.strip()
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", year) is None:
        if not (len(year) == 4 and year.isdecimal() and len(day) == 4 and day.isdecimal()):
            return year
        year = f"{year}-{day[2:]}-{day[:2]}"
    return f"{year}T{time[:2]}:{time[2:]}:00" if len(time) == 4 and time.isdecimal() else year


def _spelled_out(key: _Key, texts: list[str]) -> list[tuple[str, str]]:
    """Return key and value of each text of a frame that is more than text under its own name."""
    name, description, language = (key, "", "") if isinstance(key, str) else key
    if name in _PEOPLE:
        pairs = zip(texts[::2], texts[1::2], strict=False)
        return [id3_person_key(name, role, person) for role, person in pairs]
    if name == "TXXX":
        word = id3_described_key(description)
    elif name in ("COMM", "USLT"):
        word = id3_language_key(name, language, description)
        texts = texts if name == "COMM" else ["\n".join(texts)]
    else:
        word = id3_key(name) if name != "POPM" else description
    return [(word, text) for text in (_genres(texts) if name == "TCON" else texts)]


def _genres(texts: list[str]) -> list[str]:
    """Spell numeric genres out: "17", "(17)", "(17)Rock", "(RX)" and "((I think" alike."""
    genres: list[str] = []
    for text in texts:
        if text.isdecimal():
            genres.append(genre_name(int(text)) or text)
        elif text in ("CR", "RX"):
            genres.append("Cover" if text == "CR" else "Remix")
        elif text.startswith("("):
            genres.extend(_bracketed_genres(text))
        else:
            genres.append(text)
    return genres


def _bracketed_genres(text: str) -> list[str]:
    match = _GENRE.match(text)
    if match is None:
        return [text]
    numbers, name = match.groups()
    genres: list[str] = []
    for number in numbers[1:-1].split(")(") if numbers else ():
        if number in ("CR", "RX"):
            genres.append("Cover" if number == "CR" else "Remix")
        else:
            genres.append(genre_name(int(number[:9])) or number)
    if name:
        name = name[1:] if name.startswith("((") else name
        if name not in genres:
            genres.append(name)
    return genres


def genre_name(number: int) -> str | None:
    """Return the name of an ID3v1 genre number."""
    return GENRES[number] if 0 <= number < len(GENRES) else None


def read_id3v1(data: bytes, tags: Collected) -> None:
    """Add what the 128 bytes of an ID3v1 tag say."""
    for key, first, end in (
        ("TIT2", 3, 33), ("TPE1", 33, 63), ("TALB", 63, 93), ("TDRC", 93, 97), ("COMM", 97, 127),
    ):  # fmt: skip
        if key == "COMM" and data[125] == 0 and data[126]:
            end = 125
        text = from_latin1(data[first:end].split(b"\0", 1)[0].rstrip(), tags)
        tags.add(id3_key(key) if key != "COMM" else id3_language_key(key, "", ""), text)
    if data[125] == 0 and data[126]:
        tags.add(id3_key("TRCK"), str(data[126]))
    genre = genre_name(data[127])
    if genre is not None:
        tags.add(id3_key("TCON"), genre)
