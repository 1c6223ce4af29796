"""How each key is written into an MP4 tag list: which atom, and what kind of value.

The names come from the vocabulary; this adds the grammar of values: iTunes keeps some as integers
of a certain width and two as pairs of numbers. Values that do not fit there become freeform items
of the same name, so nothing is lost. Synthesis and the rule of sizes both ask here.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from musefs.index.edit.vocabulary import BY_KEY, FREEFORM_MEAN, freeform_name, mp4_atom
from musefs.mount.formats.id3_keys import KEYS_REMEMBERED

WIDTHS: Final = {
    "tmpo": 2, "cpil": 1, "pgap": 1, "pcst": 1, "shwm": 1, "©mvi": 2, "©mvc": 2, "stik": 1,
    "rtng": 1, "hdvd": 1, "akID": 1, "tvsn": 4, "tves": 4, "cnID": 4, "geID": 4, "atID": 4,
    "sfID": 4, "cmID": 4, "plID": 8,
}  # fmt: skip
"""Atoms that hold integers, and how many bytes of them."""

PAIR_WIDTHS: Final = {"trkn": 8, "disk": 6}
"""Atoms that hold a number and a total, and the bytes of the value."""

LARGEST_NUMBER: Final = 0xFFFF
INTEGER: Final = r"^[0-9]{1,18}$"
NUMBER: Final = r"^[0-9]{1,5}$"
NUMBER_AND_TOTAL: Final = r"^([0-9]{1,5})(?:/([0-9]{0,5}))?$"

_TEXT_ATOMS: Final = frozenset({"apID", "ownr", "purd", "xid ", "sdes", "tven", "tvnn"})
"""Text atoms of the iTunes store that the vocabulary has no key for: their key is their name."""
_BY_FOLDED: Final = {atom.lower(): atom for atom in (*WIDTHS, *_TEXT_ATOMS)}
_MEAN: Final = FREEFORM_MEAN.encode()
_FULL_BOX_BYTES: Final = 12


class Kind(Enum):
    """What the values of an atom are."""

    TEXT = "text"
    FREEFORM = "freeform"
    INTEGER = "integer"
    PAIR = "pair"


@dataclass(frozen=True, slots=True)
class AtomPlan:
    """How the values of one key are written."""

    kind: Kind
    atom: bytes
    width: int
    freeform: bytes
    """Mean and name: what a freeform item of this key begins with."""


@lru_cache(KEYS_REMEMBERED)
def atom_plan(key: str) -> AtomPlan:
    """Return how a key is written."""
    atom = mp4_atom(key) or _own_atom(key)
    freeform = freeform_head(_MEAN, freeform_name(key).encode())
    if atom is None or total_of(key) is not None:
        return AtomPlan(Kind.FREEFORM, b"----", 0, freeform)
    name = atom.encode("latin-1")
    if atom in PAIR_WIDTHS:
        return AtomPlan(Kind.PAIR, name, PAIR_WIDTHS[atom], freeform)
    if atom in WIDTHS:
        return AtomPlan(Kind.INTEGER, name, WIDTHS[atom], freeform)
    return AtomPlan(Kind.TEXT, name, 0, freeform)


def _own_atom(key: str) -> str | None:
    """Return the atom whose name a key is, for atoms that the vocabulary has no key for."""
    if key in BY_KEY:
        return None
    if len(key) == 4 and key[0] == "©" and key.isprintable() and max(key) < "\u0100":
        return key
    return _BY_FOLDED.get(key.lower())


def total_of(key: str) -> str | None:
    """Return the key of the number in whose atom this total stands."""
    word = BY_KEY.get(key)
    if word is None or word.pair_of is None or BY_KEY[word.pair_of].mp4 != word.mp4:
        return None
    return word.pair_of


def _totals() -> dict[str, str]:
    found = {word.key: total_of(word.key) for word in BY_KEY.values()}
    return {number: total for total, number in found.items() if number is not None}


TOTALS: Final = _totals()
"""Key of the number → key of the total that shares its atom."""


def freeform_head(mean: bytes, name: bytes) -> bytes:
    """Return the mean and name atoms of a freeform item."""
    return b"".join(
        (len(text) + _FULL_BOX_BYTES).to_bytes(4, "big") + kind + bytes(4) + text
        for kind, text in ((b"mean", mean), (b"name", name))
    )


_match_number = re.compile(NUMBER[:-1] + r"\Z").match
_match_pair = re.compile(NUMBER_AND_TOTAL[:-1] + r"\Z").match
_match_integer = re.compile(INTEGER[:-1] + r"\Z").match


def integer_value(value: str, width: int) -> bytes | None:
    """Return an integer atom's value; None for what is none or too large."""
    if _match_integer(value) is None or int(value) > largest_integer(width):
        return None
    return int(value).to_bytes(width, "big")


def largest_integer(width: int) -> int:
    """Return the largest number that an integer atom holds: they are signed beyond one byte."""
    return 0xFF if width == 1 else (1 << (8 * width - 1)) - 1


def number_value(value: str) -> int | None:
    """Return a plain number of a track or disc, or of all of them."""
    if _match_number(value) is None or int(value) > LARGEST_NUMBER:
        return None
    return int(value)


def pair_value(value: str) -> tuple[int, int] | None:
    """Return number and total of `N` or `N/M`; None for what is neither."""
    match = _match_pair(value)
    if match is None:
        return None
    number, total = int(match[1]), int(match[2] or "0")
    return (number, total) if max(number, total) <= LARGEST_NUMBER else None
