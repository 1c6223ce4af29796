"""Inode numbers: a 63-bit function of a node's path and, for files, of which bytes they are.

The same index gives the same numbers on every machine and after every remount, with nothing
stored; new bytes get a new number (decision record: an inode is immutable). The hash exists twice:
over columns for a build and over one name for a change; a test holds them equal.

A number that two nodes would share goes to the one whose path sorts first; the others take the
next one in their own sequence. With a million nodes that happens once in ten million mounts.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]

ROOT_INODE: Final = 1
INODE_BITS: Final = 63
"""Below 2^63, so that a number is the same in signed and unsigned columns."""

_MASK: Final = (1 << 64) - 1
# Odd constants of good bit balance; 2^64 / golden ratio and two of Stafford's mixers.
_LENGTH: Final = 0x9E3779B97F4A7C15
_WORD: Final = 0xBF58476D1CE4E5B9
_CHAIN: Final = 0x94D049BB133111EB
_VERSION: Final = 0xD6E8FEB86659FD93
_ROOT_HASH: Final = 0x6D75736566730001


def _avalanche(value: int) -> int:
    value = ((value ^ (value >> 30)) * _WORD) & _MASK
    value = ((value ^ (value >> 27)) * _CHAIN) & _MASK
    return value ^ (value >> 31)


def _avalanche_column(values: Words) -> Words:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(_WORD)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(_CHAIN)
    return values ^ (values >> np.uint64(31))


def name_hash(name: bytes) -> int:
    """Hash one name, eight bytes at a time."""
    value = (len(name) * _LENGTH) & _MASK
    for start in range(0, len(name), 8):
        word = int.from_bytes(name[start : start + 8], "little")
        value = ((value ^ word) * _WORD) & _MASK
        value ^= value >> 29
    return value


def name_hashes(blob: bytes, ends: npt.NDArray[np.int64]) -> Words:
    """Hash every name of a blob; name i ends at ends[i] and begins where the one before ends."""
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    lengths = ends - starts
    values = lengths.astype(np.uint64) * np.uint64(_LENGTH)
    padded = np.frombuffer(blob + bytes(8), dtype=np.uint8)
    words = np.ndarray((len(blob) + 1,), dtype="<u8", buffer=padded, strides=(1,))
    active = np.flatnonzero(lengths > 0)
    position = 0
    while len(active):
        word = words[starts[active] + position]
        left = np.minimum(lengths[active] - position, 8).astype(np.uint64)
        word = word & (np.uint64(_MASK) >> (np.uint64(64) - left * np.uint64(8)))
        mixed = (values[active] ^ word) * np.uint64(_WORD)
        values[active] = mixed ^ (mixed >> np.uint64(29))
        position += 8
        active = active[lengths[active] > position]
    return values


def root_path_hash() -> int:
    """Return the path hash of the root."""
    return _ROOT_HASH


def path_hash(parent_hash: int, name: bytes) -> int:
    """Return the hash of the path that continues a parent's with `name`."""
    return _avalanche((parent_hash * _CHAIN + name_hash(name)) & _MASK)


def path_hashes(parent_hashes: Words, names: Words) -> Words:
    """Return `path_hash` over columns, given the names' hashes."""
    return _avalanche_column(parent_hashes * np.uint64(_CHAIN) + names)


def inode_of(path: int, version: int | None, attempt: int = 0, bits: int = INODE_BITS) -> int:
    """Return the inode of a path hash: with a version for files, None for directories."""
    if version is not None:
        path = _avalanche((path + (version + 1) * _VERSION) & _MASK)
    if attempt:
        path = _avalanche((path + attempt * _LENGTH) & _MASK)
    return path >> (64 - bits)


def inode_column(
    paths: Words, versions: Numbers, is_file: npt.NDArray[np.bool_], bits: int = INODE_BITS
) -> Numbers:
    """Return `inode_of` over columns."""
    with_version = _avalanche_column(paths + (versions + 1).astype(np.uint64) * np.uint64(_VERSION))
    return (np.where(is_file, with_version, paths) >> np.uint64(64 - bits)).astype(np.int64)


def settle_clashes(
    inodes: Numbers,
    path_of: Callable[[int], bytes],
    number_of: Callable[[int, int], int],
) -> tuple[int, npt.NDArray[np.int32]]:
    """Give every node but the root (node 0) a number of its own, in place.

    Return how many nodes clashed, and all nodes in ascending order of their numbers.
    `number_of(node, attempt)` is a node's sequence of numbers. Sub-quadratic whatever the clashes.
    """
    ranked = np.argsort(inodes)
    in_order = inodes[ranked]
    same = in_order[1:] == in_order[:-1]
    if not same.any() and in_order[0] == ROOT_INODE:
        return 0, ranked.astype(np.int32)
    clashing = inodes <= ROOT_INODE
    clashing[ranked[1:][same]] = True
    clashing[ranked[:-1][same]] = True
    clashing[0] = False
    nodes: Sequence[int] = np.flatnonzero(clashing).tolist()
    taken: set[int] = set(inodes[~clashing].tolist())
    for node in sorted(nodes, key=path_of):
        attempt = 0
        while (number := number_of(node, attempt)) in taken or number <= ROOT_INODE:
            attempt += 1
        taken.add(number)
        inodes[node] = number
    return len(nodes), np.argsort(inodes).astype(np.int32)
