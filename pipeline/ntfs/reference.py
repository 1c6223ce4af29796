"""The reference parser: a whole logical $MFT, one record at a time, in plain Python.

Slow on purpose and free of every trick of the real scan: no threads, no chunks, no caps. The
equivalence gate (F10) holds the streaming scan to exactly this answer.
"""

from collections import Counter as Multiset
from collections import defaultdict
from dataclasses import dataclass, field

from musefs.index.backing.content import ContentKind
from musefs.index.counters import Counter
from musefs.index.schema.enums import RecordState
from musefs.pipeline.ntfs.attribute import AttributeType
from musefs.pipeline.ntfs.content import Geometry, locate_content
from musefs.pipeline.ntfs.entry import (
    EntryFacts,
    ParsedRecord,
    build_entry,
    parse_record,
    settle_state,
)
from musefs.pipeline.ntfs.extensions import packed_extension, packed_table
from musefs.pipeline.ntfs.record import SlotState, open_slot, parse_header
from musefs.pipeline.ntfs.reference_number import FIRST_USER_RECORD, FileReference

SLOT_DAMAGE = {
    SlotState.BAAD: Counter.BAAD_RECORDS,
    SlotState.GARBAGE: Counter.GARBAGE_RECORDS,
    SlotState.TORN: Counter.TORN_RECORDS,
    SlotState.BAD_FIXUPS: Counter.BAD_FIXUP_ARRAYS,
}
_READABLE = frozenset(packed for packed, _ in packed_table())


@dataclass(slots=True)
class ReferenceScan:
    """Entries in scan order, so that the position is the entry id; and what was counted."""

    entries: list[EntryFacts] = field(default_factory=list[EntryFacts])
    damage: Multiset[Counter] = field(default_factory=Multiset[Counter])


def scan_reference(
    mft: bytes, record_bytes: int, geometry: Geometry, *, deleted: bool = False
) -> ReferenceScan:
    """Parse every whole record of a logical $MFT."""
    scan = ReferenceScan()
    bases: list[ParsedRecord | EntryFacts] = []
    extensions: dict[tuple[int, int, bool], list[ParsedRecord]] = defaultdict(list)
    for number in range(len(mft) // record_bytes):
        slot = bytearray(mft[number * record_bytes : (number + 1) * record_bytes])
        state = open_slot(slot)
        if state in SLOT_DAMAGE:
            scan.damage[SLOT_DAMAGE[state]] += 1
        if state in {SlotState.BAAD, SlotState.GARBAGE, SlotState.NEVER_USED}:
            continue
        header = parse_header(slot)
        if not (header.in_use or deleted):
            continue
        if state is not SlotState.RECORD:
            if header.is_base:
                bases.append(unusable_entry(number, slot, state))
            continue
        record = parse_record(number, slot)
        if header.is_base:
            bases.append(record)
        else:
            extensions[extension_key(header.base_reference, header.in_use)].append(record)
    for base in bases:
        entry = base if isinstance(base, EntryFacts) else _gather(base, extensions, geometry)
        scan.damage.update(entry.damage)
        scan.entries.append(entry)
    scan.damage[Counter.STALE_EXTENSIONS] += sum(map(len, extensions.values()))
    scan.damage = +scan.damage
    return scan


def unusable_entry(record_number: int, slot: bytes | bytearray, state: SlotState) -> EntryFacts:
    """Return an entry for a record of which only the header may be believed."""
    entry = EntryFacts(record_number, parse_header(slot))
    entry.state = RecordState.TORN if state is SlotState.TORN else RecordState.DAMAGED
    return entry


def extension_key(base_reference: int, in_use: bool) -> tuple[int, int, bool]:
    """Return (base record, sequence that the base must have now, in use).

    A deletion raises the sequence of the base by one (never to 0) but not in its extensions.
    """
    reference = FileReference.from_raw(base_reference)
    sequence = reference.sequence if in_use else reference.sequence % 0xFFFF + 1
    return reference.record_number, sequence, in_use


def has_list(record: ParsedRecord) -> bool:
    """Say whether the record claims to have extension records."""
    return any(a.type_code == AttributeType.ATTRIBUTE_LIST for a in record.attributes)


def finish_entry(entry: EntryFacts, geometry: Geometry) -> None:
    """Add what a complete entry needs: its content's place, and the count of missing names."""
    header = entry.header
    if header.in_use and not entry.links and entry.record_number >= FIRST_USER_RECORD:
        entry.damage[Counter.RECORDS_WITHOUT_NAME] += 1
    readable = any(packed_extension(link.name.utf16) in _READABLE for link in entry.links)
    if entry.data is None or not readable or not geometry.cluster_bytes:
        return
    tag = entry.reparse.tag if entry.reparse else None
    entry.content = locate_content(entry.data, entry.extents, tag, geometry)
    if entry.content.kind is ContentKind.DAMAGED:
        entry.damage[Counter.BAD_RUN_LISTS] += 1
        settle_state(entry)


def _gather(
    base: ParsedRecord,
    extensions: dict[tuple[int, int, bool], list[ParsedRecord]],
    geometry: Geometry,
) -> EntryFacts:
    parts: list[ParsedRecord] = []
    if has_list(base):
        key = (base.record_number, base.header.sequence, base.header.in_use)
        parts = extensions.pop(key, [])
    entry = build_entry(base, parts)
    finish_entry(entry, geometry)
    return entry
