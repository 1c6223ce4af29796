"""Is this the volume that the index is of? One index is one volume, and edits belong to its files.

The first thing that both sides know decides: the serial number, then the moment of formatting,
which a saved $MFT tells as well. Directories know neither, so their path decides. What knows
nothing at all in common is taken for the same: a guess in the user's favour, who named the index.
"""

import os

import pyarrow as pa

from musefs.index.schema.enums import VolumeKind
from musefs.index.write.previous import VolumeIdentity


def identity_of(row: pa.RecordBatch) -> VolumeIdentity:
    """Return the identity in a row of the table volumes."""
    facts = row.to_pylist()[0]
    return VolumeIdentity(
        VolumeKind(facts["kind"]),
        facts["source"],
        facts["root_path"],
        facts["serial"],
        facts["label"],
        facts["formatted_raw"],
    )


def is_same_volume(before: VolumeIdentity, now: VolumeIdentity) -> bool:
    """Say whether a scan of `now` may go on with an index of `before`."""
    if VolumeKind.DIRECTORY in (before.kind, now.kind):
        return before.kind is now.kind and _place(before) == _place(now)
    if before.serial is not None and now.serial is not None:
        return before.serial == now.serial
    if before.formatted_raw is not None and now.formatted_raw is not None:
        return before.formatted_raw == now.formatted_raw
    return True


def _place(directory: VolumeIdentity) -> str:
    return os.path.normcase(os.path.realpath(directory.source))


def in_words(volume: VolumeIdentity) -> str:
    """Return how a message names a volume: label and serial number where it has them."""
    if volume.kind is VolumeKind.DIRECTORY:
        return f"the directory {volume.source}"
    label = f" '{volume.label}'" if volume.label else ""
    serial = f", serial {volume.serial}" if volume.serial else ""
    kind = "the saved $MFT of" if volume.kind is VolumeKind.MFT else "the volume"
    name = label or (" a volume" if volume.kind is VolumeKind.MFT else "")
    return f"{kind}{name} ({volume.source}{serial})"
