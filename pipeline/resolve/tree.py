"""Who is whose parent among the folders, and how far each chain of parents can be believed.

For every step the sequence is compared: a parent that is in use with another sequence is another
folder by now, and a path through it would be a lie.
"""

from dataclasses import dataclass

import numpy as np

from musefs.index.counters import Counter, degrade
from musefs.index.schema.enums import PathState
from musefs.pipeline.ntfs.reference_number import ROOT_RECORD
from musefs.pipeline.parse.columns import Numbers
from musefs.pipeline.parse.folders import FolderRows, ParentCounts

MAX_DEPTH = 1024
"""Deepest folder believed: a path of 32,767 units has at most 16,384, real ones have dozens."""
STATES = tuple(PathState)
OK, DELETED, ORPHAN, BROKEN = range(4)
METAFILES = 16
"""Records below are the file system's own files; with $Extend's children they stay hidden."""
_HIDDEN_OR_SYSTEM = 0x6


@dataclass(frozen=True, slots=True)
class FolderTree:
    """The folders as a forest, in the order of `FolderRows`."""

    parents: Numbers
    """Place of the parent, -1 for the root and for folders without a believable one."""
    levels: list[Numbers]
    """Places by distance from the top of their tree."""
    states: Numbers
    hidden: Numbers
    child_sequences: Numbers
    """The sequence that children refer to: one less than now for a deleted folder."""
    unresolved: int
    """Names whose folder is not here."""


def child_sequences(folders: FolderRows) -> Numbers:
    """Return the sequence that names inside each folder carry; deletion raises it, never to 0."""
    former = (folders.sequences - 2) % 0xFFFF + 1
    return np.where(folders.in_use != 0, folders.sequences, former)


def plant(folders: FolderRows, parents: list[ParentCounts], records: int) -> FolderTree:
    """Link all folders and settle their states."""
    sequences = child_sequences(folders)
    places = np.full(max(records, 1), -1, np.int64)
    places[folders.record_numbers] = np.arange(len(sequences))
    links, states = _link(folders, sequences, places)
    levels = _levels(links, states)
    hidden = _own_hidden(folders)
    for level in levels[1:]:
        above = links[level]
        states[level] = np.maximum(states[level], states[above])
        hidden[level] |= hidden[above]
    unresolved = _count_unresolved(parents, sequences, places)
    return FolderTree(links, levels, states, hidden, sequences, unresolved)


def _find(places: Numbers, records: Numbers) -> Numbers:
    """Return the place of each record among the folders, -1 where there is none."""
    inside = records < len(places)
    return np.where(inside, places[np.where(inside, records, 0)], -1)


def _link(
    folders: FolderRows, sequences: Numbers, places: Numbers
) -> tuple[Numbers, Numbers]:  # fmt: skip
    above = _find(places, folders.parent_records)
    live, is_root = folders.in_use != 0, folders.record_numbers == ROOT_RECORD
    if not len(above):
        return above, above.copy()
    same = (above >= 0) & (sequences[above] == folders.parent_sequences)
    believed = same & (~live | (folders.in_use[above] != 0)) & ~is_root
    lost = np.where(live, BROKEN, ORPHAN)
    states = np.where(believed | is_root, np.where(live, OK, DELETED), lost)
    return np.where(believed, above, -1), states


def _own_hidden(folders: FolderRows) -> Numbers:
    own = (folders.attributes & _HIDDEN_OR_SYSTEM != 0) | (folders.record_numbers < METAFILES)
    hidden: Numbers = (own & (folders.record_numbers != ROOT_RECORD)).astype(np.int64)
    return hidden


def _levels(links: Numbers, states: Numbers) -> list[Numbers]:
    """Return places level by level, cutting loops and what lies too deep; changes both arrays."""
    levels = _descend(links, np.flatnonzero(links < 0))
    reached = np.zeros(len(links), bool)
    for level in levels:
        reached[level] = True
    while not reached.all():
        start = _member_of_loop(links, int(np.flatnonzero(~reached)[0]))
        degrade(Counter.PARENT_LOOPS, "a folder is inside itself (folder %d of the scan)", start)
        links[start], states[start] = -1, BROKEN
        for depth, level in enumerate(_descend(links, np.array([start]))):
            reached[level] = True
            if depth == len(levels):
                levels.append(level)
            else:
                levels[depth] = np.concatenate([levels[depth], level])
    return _cut_depth(links, states, levels)


def _descend(links: Numbers, top: Numbers) -> list[Numbers]:
    """Return `top`, its children, theirs, and so on; never enters what is not below `top`."""
    order = np.argsort(links, kind="stable")
    sorted_links = links[order]
    levels: list[Numbers] = []
    while len(top):
        levels.append(top)
        first = np.searchsorted(sorted_links, top, "left")
        counts = np.searchsorted(sorted_links, top, "right") - first
        starts = np.repeat(first - np.cumsum(counts) + counts, counts)
        top = order[starts + np.arange(counts.sum())]
    return levels


def _member_of_loop(links: Numbers, start: int) -> int:
    """Return the lowest place in the loop that the chain from `start` runs into."""
    seen: set[int] = set()
    while start not in seen:
        seen.add(start)
        start = int(links[start])
    loop = {start}
    place = int(links[start])
    while place != start:
        loop.add(place)
        place = int(links[place])
    return min(loop)


def _cut_depth(links: Numbers, states: Numbers, levels: list[Numbers]) -> list[Numbers]:
    """Make folders that lie too deep tops of their own, as often as needed."""
    while len(levels) > MAX_DEPTH:
        cut, deeper = levels[MAX_DEPTH], levels[MAX_DEPTH:]
        degrade(Counter.PATHS_TOO_DEEP, "%d folders lie too deep", len(cut), amount=len(cut))
        links[cut], states[cut] = -1, BROKEN
        kept = levels[:MAX_DEPTH]
        levels = [
            np.concatenate([part for part in (level, extra) if part is not None])
            for level, extra in zip(kept, [*deeper[:MAX_DEPTH], *[None] * len(kept)], strict=False)
        ] + deeper[MAX_DEPTH:]
    return levels


def _count_unresolved(parents: list[ParentCounts], sequences: Numbers, places: Numbers) -> int:
    unresolved = 0
    for part in parents:
        record = part.references & ((1 << 48) - 1)
        sequence = part.references >> 48 & 0xFFFF
        place = _find(places, record)
        known = (place >= 0) & (sequences[place] == sequence) if len(sequences) else place > 0
        unresolved += int(part.counts[~known].sum())
    return unresolved
