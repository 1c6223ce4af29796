"""How each key is written into an ID3v2.4 tag: which frame, and what its content begins with.

The names come from the vocabulary; this adds only how frames are built. Synthesis and the rule of
sizes both ask here, so they cannot differ. A library has a few hundred keys: answers are kept.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from musefs.index.edit.vocabulary import (
    BY_KEY,
    PERFORMER,
    UFID_OWNER,
    id3_frame,
    qualified,
    txxx_description,
)

UTF8: Final = b"\x03"
"""The encoding byte of every text that is written."""

KEYS_REMEMBERED: Final = 8192
"""Bounds the memory that odd keys can take; a library uses a few hundred."""

OWNER: Final = UFID_OWNER.encode()
MUSICBRAINZ, RATING, PLAYS, PODCAST = "musicbrainz_trackid", "rating", "playcount", "podcast"
SPECIAL: Final = (MUSICBRAINZ, RATING, PLAYS, PODCAST)
"""Keys in frames that are no text; values that do not fit there go into TXXX frames."""

IDENTIFIER: Final = r"^[\x21-\x7E]{1,64}$"
"""What a UFID frame may hold; MusicBrainz writes 36 characters."""
RATING_VALUE: Final = r"^[0-9]{1,3}$"
COUNT_VALUE: Final = r"^[0-9]{1,18}$"
MUSICIAN: Final = r"^([^\x00]+) \(((?:[^()\x00]|\([^()\x00]*\))+)\)$"
"""A performer with an instrument, which may have brackets of its own."""
LARGEST_RATING: Final = 255
LARGEST_COUNT: Final = 0xFFFF_FFFF

_NAMED_OTHERWISE: Final = frozenset({"UFID", "POPM", "PCNT", "PCST"})
"""Frames of the keys in SPECIAL."""


class Form(Enum):
    """How values become frames."""

    TEXT = "text"
    """One frame, values between NULs."""
    EACH = "each"
    """One frame for each value (comments)."""
    WHOLE = "whole"
    """One frame, values as lines (lyrics)."""
    PEOPLE = "people"
    """Pairs of role and person in a frame that several keys share."""


@dataclass(frozen=True, slots=True)
class FramePlan:
    """How the values of one key are written."""

    form: Form
    frame_id: bytes
    head: bytes
    """The content before the first value; before each one in a list of people."""


@lru_cache(KEYS_REMEMBERED)
def frame_plan(key: str) -> FramePlan:
    """Return how a key is written."""
    described = qualified(key)
    name = described[0] if described else key
    frame = id3_frame(name)
    if frame in ("COMM", "USLT"):
        _, language, description = described or ("", "", "")
        head = UTF8 + _language(language) + clean(description).encode() + b"\0"
        form = Form.EACH if frame == "COMM" else Form.WHOLE
        return FramePlan(form, frame.encode("ascii"), head)
    if key in ROLES:
        return FramePlan(Form.PEOPLE, b"TIPL", ROLES[key].encode("ascii") + b"\0")
    if frame is None or frame in _NAMED_OTHERWISE or pair_of(key) is not None:
        return FramePlan(Form.TEXT, b"TXXX", UTF8 + clean(txxx_description(key)).encode() + b"\0")
    return FramePlan(Form.TEXT, frame.encode("ascii"), b"" if frame[0] == "W" else UTF8)


def pair_of(key: str) -> str | None:
    """Return the key in whose frame this one can stand behind a slash."""
    word = BY_KEY.get(key)
    if word is None or word.pair_of is None or BY_KEY[word.pair_of].id3 != word.id3:
        return None
    return word.pair_of


def _pairs() -> dict[str, str]:
    found = {word.key: pair_of(word.key) for word in BY_KEY.values()}
    return {number: total for total, number in found.items() if number is not None}


PAIRS: Final = _pairs()
"""Key of the number → key of the total that may share its frame."""

ROLES: Final = {word.key: word.role for word in BY_KEY.values() if word.role}
"""Keys that share the list of involved people, TIPL, and their roles in it."""

PEOPLE: Final = frozenset((*ROLES, PERFORMER))
"""Keys whose values, or some of them, stand in lists of people."""

SUPERSEDING: Final = {
    word.key: word.id3
    for word in BY_KEY.values()
    if word.id3 and word.id3[0] != "T" and word.id3 not in ("COMM", "USLT", "UFID", "POPM")
}
"""Keys whose frames the scan carries over as blocks: the block gives way to a tag of this key."""


def clean(text: str) -> str:
    """Return a text in which no NUL ends what is meant to go on; the length stays the same."""
    return text.replace("\0", " ")


def _language(language: str) -> bytes:
    """Return three bytes; `XXX` where none is known."""
    plain = re.sub(r"[^a-zA-Z]", "X", language)
    return (plain + "XXX")[:3].encode("ascii")
