"""Builds the entries that needed more than their own record, after the stream, from memory."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from musefs.index.counters import Counter, degrade
from musefs.pipeline.ntfs.content import Geometry
from musefs.pipeline.ntfs.entry import EntryFacts, ParsedRecord, build_entry, parse_record
from musefs.pipeline.ntfs.record import SlotState, open_slot, parse_header
from musefs.pipeline.ntfs.reference import (
    extension_key,
    finish_entry,
    has_list,
    unusable_entry,
)
from musefs.pipeline.parse.stream import KeptRecord
from musefs.pipeline.resolve.extension_cache import ExtensionCache, ReadRecord

Extensions = dict[tuple[int, int, bool], list[tuple[int, bytearray]]]
"""Raw records by the base that they belong to: parsed, they would take ten times the memory."""


class DeferredRecords:
    """Joins deferred base records with their extensions."""

    def __init__(self, cache: ExtensionCache, geometry: Geometry, read_record: ReadRecord) -> None:
        """`read_record` is used only for extensions over the cap and for torn records."""
        self._cache = cache
        self._geometry = geometry
        self._read_record = read_record

    def resolve(self, deferred: Sequence[KeptRecord]) -> Iterator[tuple[int, EntryFacts]]:
        """Yield (entry id, facts) in the order of the stream; counts all damage."""
        extensions = self._gather()
        for kept in deferred:
            entry = self._build(kept, extensions)
            if kept.entry_id is None:
                continue
            for counter, count in entry.damage.items():
                if count:
                    words = "record %d: %s"
                    degrade(counter, words, kept.record_number, counter.value, amount=count)
            yield kept.entry_id, entry
        stale = sum(map(len, extensions.values()))
        if stale:
            words = "%d extension records belong to no file"
            degrade(Counter.STALE_EXTENSIONS, words, stale, amount=stale)

    def _gather(self) -> Extensions:
        extensions: Extensions = defaultdict(list)
        for number, raw in self._cache.drain(self._read_record):
            if open_slot(raw) is SlotState.RECORD:
                header = parse_header(raw)
                key = extension_key(header.base_reference, header.in_use)
                extensions[key].append((number, raw))
        return extensions

    def _build(self, kept: KeptRecord, extensions: Extensions) -> EntryFacts:
        raw = bytearray(kept.record)
        state = open_slot(raw)
        if state is SlotState.TORN:
            raw, state = self._read_again(kept.record_number, raw)
        if state is not SlotState.RECORD:
            return unusable_entry(kept.record_number, raw, state)
        record = parse_record(kept.record_number, raw)
        parts: list[ParsedRecord] = []
        if has_list(record):
            header = record.header
            key = (record.record_number, header.sequence, header.in_use)
            parts = [parse_record(*part) for part in extensions.pop(key, [])]
        entry = build_entry(record, parts)
        finish_entry(entry, self._geometry)
        return entry

    def _read_again(self, number: int, torn: bytearray) -> tuple[bytearray, SlotState]:
        """Read a torn record of a live volume once more: it may just have been written."""
        degrade(Counter.READ_RETRIES, "record %d was torn and is read again", number)
        again = self._read_record(number)
        if again is not None and open_slot(again) is SlotState.RECORD:
            return again, SlotState.RECORD
        return torn, SlotState.TORN
