"""Compiled: where a readable file's content lies; twin of `musefs.pipeline.ntfs.content`."""

from musefs.pipeline.parse.bits import i64, int64, signed, u16, u32
from musefs.pipeline.parse.columns import NO_LENGTH, Bytes, Count, Numbers, Row
from musefs.pipeline.parse.compiled import part

# Order of musefs.index.backing.content.ContentKind, whose text the batches carry.
RESIDENT, RUNS, COMPRESSED, ENCRYPTED, DEDUPLICATED, CLOUD, WOF, DAMAGED = range(8)

_MAX_VCN = 1 << 41
_SPANS, _BLOB = Count.SPANS, Count.BLOB


@part
def put_runs(
    record: Bytes, at: int, end: int, cluster_bytes: int, clusters: int, spans: Numbers,
    counts: Numbers,
) -> int:  # fmt: skip
    """Append the byte ranges of a run list; return its clusters, or -1 if it cannot be true."""
    lcn = int64(0)
    total = int64(0)
    while at < end and record[at]:
        length_bytes, offset_bytes = int64(record[at] & 15), int64(record[at] >> 4)
        after = at + 1 + length_bytes + offset_bytes
        if length_bytes < 1 or length_bytes > 8 or offset_bytes > 8 or after > end:
            return -1
        count = signed(record, at + 1, length_bytes)
        if count <= 0 or count > _MAX_VCN or total + count > _MAX_VCN:
            return -1
        total += count
        offset = int64(-1)
        if offset_bytes:
            lcn += signed(record, after - offset_bytes, offset_bytes)
            if lcn < 0 or lcn > clusters or lcn + count > clusters:
                return -1
            offset = lcn * cluster_bytes
        place = counts[_SPANS]
        spans[place] = offset
        spans[place + 1] = count * cluster_bytes
        counts[_SPANS] = place + 2
        at = after
    return total


@part
def refusal(flags: int, has_tag: bool, tag: int) -> int:
    """Return why content cannot be had, or -1."""
    if has_tag and tag == 0x80000013:
        return DEDUPLICATED
    if has_tag and tag & 0xFFFF0FFF == 0x9000001A:
        return CLOUD
    if has_tag and tag == 0x80000017:
        return WOF
    return ENCRYPTED if flags & 0x4000 else -1


@part
def put_resident(record: Bytes, at: int, blob: Bytes, counts: Numbers) -> int:
    """Append the value of a resident attribute; return its length."""
    value, length = at + u16(record, at + 0x14), u32(record, at + 0x10)
    place = counts[_BLOB]
    for index in range(length):
        blob[place + index] = record[value + index]
    counts[_BLOB] = place + length
    return length


@part
def put_extent(
    record: Bytes, at: int, size: int, cluster_bytes: int, clusters: int, spans: Numbers,
    counts: Numbers,
) -> bool:  # fmt: skip
    """Append the runs of the one extent; False, with nothing appended, if they cannot be true."""
    before = counts[_SPANS]
    end = at + u32(record, at + 4)
    runs_at = at + u16(record, at + 0x20)
    total = put_runs(record, runs_at, end, cluster_bytes, clusters, spans, counts)
    needed = size // cluster_bytes + (size % cluster_bytes > 0)
    if total < 0 or total != i64(record, at + 0x18) + 1 or total < needed:
        counts[_SPANS] = before
        return False
    return True


@part
def emit_content(
    record: Bytes, at: int, entry: Row, line: Row, cluster_bytes: int, clusters: int, blob: Bytes,
    spans: Numbers, counts: Numbers,
) -> bool:  # fmt: skip
    """Write where the content at attribute `at` lies; False if its runs are damaged."""
    line.entry = entry.entry
    line.size, line.valid_size = entry.size, entry.valid_size
    line.unit_clusters = 0
    line.first_byte = -1
    line.resident_length = line.runs = NO_LENGTH
    flags = u16(record, at + 0x0C)
    kind = refusal(flags, entry.has_reparse != 0, int64(entry.reparse_tag))
    if kind < 0 and record[at + 8] == 0:
        kind = RESIDENT
        line.resident_length = put_resident(record, at, blob, counts)
    elif kind < 0:
        before = counts[_SPANS]
        kind = DAMAGED
        if put_extent(record, at, entry.size, cluster_bytes, clusters, spans, counts):
            kind = RUNS
            if flags & 1 and record[at + 0x22]:
                kind = COMPRESSED
                line.unit_clusters = 1 << int64(record[at + 0x22])
            line.runs = (counts[_SPANS] - before) // 2
            for place in range(before, counts[_SPANS], 2):
                if spans[place] >= 0:
                    line.first_byte = spans[place]
                    break
    line.kind = kind
    return kind != DAMAGED
