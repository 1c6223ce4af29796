"""F10 on a live volume, for those who have one: MUSEFS_ADMIN_TESTS=1 MUSEFS_LIVE_VOLUME=C:.

A volume in use changes between the two passes, so this is the drift rule of the reference system:
counts within 0.2 %, and of every 997th entry more than 99.9 % of names and 99 % of sizes equal.
"""

import os
from typing import Any

import pytest
from support.scanning import reference, reference_rows, stream

from musefs.index.counters import Counter
from musefs.pipeline.volume.opening import VolumeSource, open_source

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("MUSEFS_ADMIN_TESTS") != "1", reason="set MUSEFS_ADMIN_TESTS=1 to run it"
    ),
    pytest.mark.expected_degradations(*Counter),
    pytest.mark.timeout(3600),
]
STEP = 997
DRIFT = 0.002


def by_record(rows: dict[str, list[dict[str, Any]]]) -> dict[int, tuple[Any, set[str]]]:
    names: dict[int, set[str]] = {}
    for row in rows["names"]:
        names.setdefault(row["entry_id"], set()).add(row["name"])
    return {
        row["record_number"]: (row["size"], names.get(row["entry_id"], set()))
        for row in rows["entries"]
    }


def test_f10_streaming_scan_matches_reference_on_a_live_volume() -> None:
    """F10: the drift rule, since a live volume changes between two passes."""
    source = open_source(os.environ.get("MUSEFS_LIVE_VOLUME", "C:"))
    assert isinstance(source, VolumeSource)
    with source.volume as volume:
        ours = by_record(stream(volume).rows)
        theirs = by_record(reference_rows(reference(volume)))
    assert abs(len(ours) - len(theirs)) <= DRIFT * len(theirs) + 1
    sample = sorted(set(ours) & set(theirs))
    sample = sample[::STEP] if len(sample) > 100 * STEP else sample
    names = sum(ours[number][1] == theirs[number][1] for number in sample)
    sizes = sum(ours[number][0] == theirs[number][0] for number in sample)
    assert names >= 0.999 * len(sample)
    assert sizes >= 0.99 * len(sample)
