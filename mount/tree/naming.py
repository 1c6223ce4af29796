"""Who gets a contested name: the reference's rule, one directory at a time.

Wishes are served in ascending order (track id first); whoever finds the name taken gets the first
free ` (k)`. A directory is one wish however many tracks lie in it, with the lowest order in it; it
is known by its rendered name, so all of its tracks stay together also when the name it shows is
another (the reference makes a new directory for each of them there).

Only names that are wanted twice, and names that look as if a suffix had been put on, can have an
influence on each other. Callers hand over at least those; the rest of a directory may stay away.
"""

from collections.abc import Iterable
from typing import NamedTuple

from musefs.mount.tree.components import MAX_COMPONENT_BYTES, split_extension, vary
from musefs.mount.tree.folding import fold_bytes

LOOKS_SUFFIXED = r" \([0-9]+\)"
"""Every varied name matches this expression."""

SHORT_NAME_BYTES = 230
"""Names up to this length are varied without being trimmed, whatever the number."""


class Wish(NamedTuple):
    """One entry of a directory and the name it asks for; sorts in the order of service."""

    order: int
    is_file: bool
    name: bytes
    key: int
    """What the caller knows the entry by."""


def assign_names(wishes: Iterable[Wish], *, case_insensitive: bool = False) -> dict[int, bytes]:
    """Return the names of those entries that do not get the name they asked for."""
    taken: set[bytes] = set()
    next_number: dict[bytes, int] = {}
    varied: dict[int, bytes] = {}
    for wish in sorted(wishes):
        folded = fold_bytes(wish.name) if case_insensitive else wish.name
        if folded not in taken:
            taken.add(folded)
            continue
        # names are only ever taken, never freed: the search may go on where it last ended
        series = folded if len(wish.name) <= SHORT_NAME_BYTES else wish.name
        number = next_number.get(series, 2)
        while True:
            name = vary(wish.name, number)
            number += 1
            folded = fold_bytes(name) if case_insensitive else name
            if folded not in taken:
                break
        next_number[series] = number
        taken.add(folded)
        varied[wish.key] = name
    return varied


def base_of(name: bytes) -> bytes:
    """Return the stem without any ` (k)` at its end: names that compete share this beginning."""
    stem, _ = split_extension(name)
    while stem.endswith(b")"):
        opening = stem.rfind(b" (")
        if opening < 0 or not stem[opening + 2 : -1].isdigit():
            break
        stem = stem[:opening]
    return stem


assert SHORT_NAME_BYTES + len(" (999999999999)") <= MAX_COMPONENT_BYTES  # noqa: S101 - a theorem
