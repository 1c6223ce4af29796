"""One file: what a base record and its extension records say together.

This is where the rules of names, sizes and links stand in plain words. The compiled parser applies
the same ones to records that stand alone; files spread over several records always come here.
"""

from collections import Counter as Multiset
from collections.abc import Sequence
from dataclasses import dataclass, field

from musefs.index.counters import Counter
from musefs.index.schema.enums import RecordState
from musefs.pipeline.ntfs.attribute import (
    Attribute,
    AttributeType,
    DamagedAttribute,
    Extent,
    walk_attributes,
)
from musefs.pipeline.ntfs.attribute_list import (
    AttributeListError,
    ListEntry,
    parse_attribute_list,
)
from musefs.pipeline.ntfs.content import ContentFacts
from musefs.pipeline.ntfs.file_name import FileName, NameSpace, parse_file_name
from musefs.pipeline.ntfs.integers import Bytes
from musefs.pipeline.ntfs.record import RecordHeader, parse_header
from musefs.pipeline.ntfs.reparse import TAG_WOF, ReparsePoint, parse_reparse
from musefs.pipeline.ntfs.standard_information import (
    FileAttribute,
    StandardInformation,
    parse_standard_information,
)

MAX_SIZE = (1 << 63) - 1
NAMES_LIMIT = 65_535
"""Names kept of one file: the link count has 16 bits, so more cannot be true."""
WOF_STREAM = "WofCompressedData".encode("utf-16-le")
BAD_CLUSTER_RECORD = 8
"""Its stream $Bad claims the size of the volume and occupies nothing."""


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """One fixed-up record with its attributes, and how many of them were damaged."""

    record_number: int
    header: RecordHeader
    attributes: tuple[Attribute, ...]
    bad_attributes: int


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """One hard link, with the 8.3 name that belongs to it."""

    name: FileName
    short_utf16: bytes | None = None


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One named data stream."""

    utf16: bytes
    size: int
    allocated: int


@dataclass(slots=True)
class EntryFacts:
    """All that is known of one file, ready to become rows."""

    record_number: int
    header: RecordHeader
    state: RecordState = RecordState.OK
    size: int | None = None
    allocated: int = 0
    valid_size: int | None = None
    information: StandardInformation | None = None
    reparse: ReparsePoint | None = None
    links: list[LinkFacts] = field(default_factory=list[LinkFacts])
    streams: list[StreamFacts] = field(default_factory=list[StreamFacts])
    content: ContentFacts | None = None
    data: Attribute | None = None
    extents: list[Extent] = field(default_factory=list[Extent])
    damage: Multiset[Counter] = field(default_factory=Multiset[Counter])


def parse_record(record_number: int, record: Bytes) -> ParsedRecord:
    """Decode a record whose fixups were applied."""
    header = parse_header(record)
    attributes: list[Attribute] = []
    bad = 0
    for item in walk_attributes(record, header.first_attribute, header.used_bytes):
        if isinstance(item, DamagedAttribute):
            bad += 1
        else:
            attributes.append(item)
    return ParsedRecord(record_number, header, tuple(attributes), bad)


def build_entry(base: ParsedRecord, extensions: Sequence[ParsedRecord] = ()) -> EntryFacts:
    """Merge `base` and its `extensions`, which must be sorted by record number."""
    entry = EntryFacts(base.record_number, base.header)
    listed = _listed_entries(base, entry.damage)
    _check_listed(entry, listed, {part.record_number for part in extensions})
    names: list[FileName] = []
    for part in (base, *extensions):
        entry.damage[Counter.BAD_ATTRIBUTES] += part.bad_attributes
        for attribute in part.attributes:
            _take(entry, attribute, part.record_number, names, listed)
    if len(names) > NAMES_LIMIT:
        entry.damage[Counter.NAMES_OVER_LIMIT] += len(names) - NAMES_LIMIT
    entry.links = pair_names(names[:NAMES_LIMIT])
    _settle_reparse(entry)
    entry.allocated = min(entry.allocated, MAX_SIZE)
    settle_state(entry)
    return entry


def settle_state(entry: EntryFacts) -> None:
    """Derive the state from the damage that was counted."""
    harmless = {Counter.DUPLICATE_EXTENTS, Counter.MISSING_EXTENTS, Counter.RECORDS_WITHOUT_NAME}
    if any(count for counter, count in entry.damage.items() if counter not in harmless):
        entry.state = RecordState.DAMAGED
    elif entry.damage[Counter.MISSING_EXTENTS]:
        entry.state = RecordState.INCOMPLETE


def _listed_entries(base: ParsedRecord, damage: Multiset[Counter]) -> list[ListEntry]:
    """Return the entries of a resident attribute list, as far as it can be read."""
    entries: list[ListEntry] = []
    for attribute in base.attributes:
        if attribute.type_code == AttributeType.ATTRIBUTE_LIST and attribute.value is not None:
            try:
                entries.extend(parse_attribute_list(attribute.value))
            except AttributeListError:
                damage[Counter.BAD_ATTRIBUTE_LISTS] += 1
    return entries


def _check_listed(entry: EntryFacts, listed: list[ListEntry], present: set[int]) -> None:
    """Count records that the list names and nobody has seen."""
    wanted = {item.holder.record_number for item in listed} - {entry.record_number}
    entry.damage[Counter.MISSING_EXTENTS] += len(wanted - present)


def _take(
    entry: EntryFacts,
    attribute: Attribute,
    holder: int,
    names: list[FileName],
    listed: list[ListEntry],
) -> None:
    match attribute.type_code:
        case AttributeType.STANDARD_INFORMATION:
            _take_information(entry, attribute)
        case AttributeType.FILE_NAME:
            name = None if attribute.value is None else parse_file_name(attribute.value)
            if name is None:
                entry.damage[Counter.BAD_NAMES] += 1
            else:
                names.append(name)
        case AttributeType.DATA if attribute.name:
            _take_stream(entry, attribute)
        case AttributeType.DATA if not entry.header.is_directory:
            _take_data(entry, attribute, _is_listed(listed, holder))
        case AttributeType.REPARSE_POINT if entry.reparse is None:
            _take_reparse(entry, attribute)
        case _:
            pass


def _take_information(entry: EntryFacts, attribute: Attribute) -> None:
    if entry.information is not None:
        return
    if attribute.value is not None:
        entry.information = parse_standard_information(attribute.value)
    if entry.information is None:
        entry.damage[Counter.BAD_ATTRIBUTES] += 1


def _sizes(attribute: Attribute) -> tuple[int, int] | None:
    """Return (size, allocated), or None for an extent that does not begin the attribute."""
    if attribute.extent is None:
        return len(attribute.value or b""), 0
    if attribute.extent.lowest_vcn:
        return None
    return attribute.extent.real, attribute.extent.total_allocated


def _take_stream(entry: EntryFacts, attribute: Attribute) -> None:
    sizes = _sizes(attribute)
    if sizes is None:
        return
    if any(stream.utf16 == attribute.name for stream in entry.streams):
        entry.damage[Counter.DUPLICATE_EXTENTS] += 1
        return
    allocated = 0 if entry.record_number == BAD_CLUSTER_RECORD else sizes[1]
    entry.streams.append(StreamFacts(attribute.name, sizes[0], allocated))
    entry.allocated += allocated


def _take_data(entry: EntryFacts, attribute: Attribute, listed: bool) -> None:
    """Keep the first beginning of the content, or the one that the attribute list names."""
    sizes = _sizes(attribute)
    if sizes is None:
        if attribute.extent is not None:
            entry.extents.append(attribute.extent)
        return
    if entry.data is not None:
        entry.damage[Counter.DUPLICATE_EXTENTS] += 1
        if not listed:
            return
        entry.allocated -= (_sizes(entry.data) or (0, 0))[1]
        entry.extents = [extent for extent in entry.extents if extent.lowest_vcn]
    entry.data, entry.size = attribute, sizes[0]
    entry.allocated += sizes[1]
    entry.valid_size = entry.size
    if attribute.extent is not None:
        entry.valid_size = min(attribute.extent.initialised, entry.size)
        entry.extents.insert(0, attribute.extent)


def _is_listed(listed: list[ListEntry], holder: int) -> bool:
    return any(
        item.type_code == AttributeType.DATA
        and not item.named
        and item.lowest_vcn == 0
        and item.holder.record_number == holder
        for item in listed
    )


def _take_reparse(entry: EntryFacts, attribute: Attribute) -> None:
    if attribute.value is None:
        entry.reparse = ReparsePoint(0)  # not resident: _settle_reparse finds the tag elsewhere
        return
    entry.reparse = parse_reparse(attribute.value)
    if entry.reparse is None or entry.reparse.damaged:
        entry.damage[Counter.BAD_REPARSE_POINTS] += 1


def _settle_reparse(entry: EntryFacts) -> None:
    """Find the tag of a non-resident reparse point in the name, and hide WOF's own stream."""
    if entry.reparse is not None and entry.reparse.tag == 0:
        attributes = entry.information.attributes if entry.information else 0
        known = bool(attributes & FileAttribute.REPARSE and entry.links)
        entry.reparse = ReparsePoint(entry.links[0].name.reparse_tag) if known else None
    if entry.reparse is not None and entry.reparse.tag == TAG_WOF:
        entry.streams = [stream for stream in entry.streams if stream.utf16 != WOF_STREAM]


def pair_names(names: list[FileName]) -> list[LinkFacts]:
    """Return one link for each name that is not an 8.3 name, the primary one first.

    An 8.3 name joins the Win32 name in the same directory. Only a file that has nothing else gets
    links from its 8.3 names.
    """
    links = [LinkFacts(name) for name in names if name.name_space is not NameSpace.DOS]
    if not links:
        return [LinkFacts(name) for name in names]
    for short in (name for name in names if name.name_space is NameSpace.DOS):
        for index, link in enumerate(links):
            fits = link.name.name_space is NameSpace.WIN32 and link.short_utf16 is None
            if fits and link.name.parent == short.parent:
                links[index] = LinkFacts(link.name, short.utf16)
                break
    windows = (NameSpace.WIN32, NameSpace.WIN32_DOS)
    primary = next((i for i, link in enumerate(links) if link.name.name_space in windows), 0)
    return [links[primary], *links[:primary], *links[primary + 1 :]]
