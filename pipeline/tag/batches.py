"""From what workers learned to batches of the index's tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from musefs.index.schema.column import Table
from musefs.index.schema.library_tables import BLOCKS, PROBLEMS, SCANNED_ART, SCANNED_TAGS
from musefs.pipeline.tag.learned import Learned, Spans

_arrow: Any = pa
"""pyarrow where its stubs leave a constructor partly unknown."""

if TYPE_CHECKING:
    import polars as pl

    AnyArray = pa.Array[Any]
else:
    AnyArray = pa.Array  # not subscriptable outside of its stubs

FILE_COLUMNS: Final = (
    "row", "format", "codec", "duration_seconds", "bitrate", "sample_rate", "bits_per_sample",
    "channels", "size", "mtime_ns", "ctime_ns", "audio_offset", "audio_length", "synthesised",
    "reason", "fingerprint", "audio_hash", "state",
)  # fmt: skip

_TYPES: Final[dict[str, pa.DataType]] = {
    "row": pa.int64(), "duration_seconds": pa.float64(), "synthesised": pa.bool_(),
    "size": pa.int64(), "mtime_ns": pa.int64(), "ctime_ns": pa.int64(),
    "audio_offset": pa.int64(), "audio_length": pa.int64(), "bitrate": pa.int32(),
    "sample_rate": pa.int32(), "bits_per_sample": pa.int32(), "channels": pa.int32(),
}  # fmt: skip

_SPANS: Final = pa.struct([("offset", pa.int64()), ("length", pa.int64())])


def file_table(learned: Learned) -> pa.Table:
    """Return what was learned of the files themselves; one row a file."""
    columns: list[Sequence[object]] = list(zip(*learned.files, strict=True))
    columns = columns or [()] * len(FILE_COLUMNS)
    schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in FILE_COLUMNS])
    arrays: list[AnyArray] = [
        pa.array(c, type=t) for c, t in zip(columns, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def tag_batch(learned: Learned, track_ids: AnyArray) -> pa.RecordBatch:
    """Return rows of scanned_tags; `track_ids` is the id of each row of the stage's list."""
    return _batch(
        SCANNED_TAGS,
        [
            track_ids.take(pa.array(learned.tag_rows, pa.int64())),
            learned.tag_keys,
            learned.tag_ordinals,
            learned.tag_values,
        ],
    )


def block_batch(learned: Learned, track_ids: AnyArray) -> pa.RecordBatch:
    """Return rows of blocks."""
    row, ordinal, kind, key, length, encoding, spans, body = zip(*learned.blocks, strict=True)
    ids = track_ids.take(pa.array(row, pa.int64()))
    return _batch(BLOCKS, [ids, ordinal, kind, key, length, encoding, span_array(spans), body])


def art_batch(learned: Learned, track_ids: AnyArray) -> pa.RecordBatch:
    """Return rows of scanned_art."""
    row, *middle = zip(*(art[:-1] for art in learned.art), strict=True)
    ids = track_ids.take(pa.array(row, pa.int64()))
    spans = span_array([art[-1] for art in learned.art])
    return _batch(SCANNED_ART, [ids, *middle, spans, [None] * len(row)])


def problem_batch(
    learned: Learned, track_ids: AnyArray, entry_ids: AnyArray, paths: AnyArray
) -> pa.RecordBatch:
    """Return rows of problems: one for each file and counter, with its first words."""
    first: dict[tuple[int, str], tuple[str, int]] = {}
    for row, counter, words in learned.notes:
        known = first.get((row, counter))
        first[row, counter] = (words, 1) if known is None else (known[0], known[1] + 1)
    rows = pa.array([row for row, _ in first], pa.int64())
    return _batch(
        PROBLEMS,
        [
            entry_ids.take(rows),
            track_ids.take(rows),
            paths.take(rows),
            [counter for _, counter in first],
            [
                words if count == 1 else f"{words} ({count} times)"
                for words, count in first.values()
            ],
        ],
    )


def span_array(spans: Sequence[Spans]) -> AnyArray:
    """Return lists of byte ranges; no ranges are NULL."""
    offsets: list[int | None] = []
    flat: Spans = []
    for some in spans:
        offsets.append(len(flat) if some else None)
        flat.extend(some)
    offsets.append(len(flat))
    pairs: AnyArray = _arrow.StructArray.from_arrays(
        [pa.array([o for o, _ in flat], pa.int64()), pa.array([n for _, n in flat], pa.int64())],
        fields=list(_SPANS),
    )
    lists: AnyArray = _arrow.ListArray.from_arrays(pa.array(offsets, pa.int32()), pairs)
    return lists


def column_array(column: "pl.Series") -> AnyArray:
    """Return a column of a frame as the batches take it."""
    untyped: Any = column  # polars does not say of what its array is
    array: AnyArray = untyped.to_arrow()
    return array


def _batch(table: Table, columns: Sequence[AnyArray | Sequence[object]]) -> pa.RecordBatch:
    schema = table.arrow_schema
    arrays: list[AnyArray] = [
        column if isinstance(column, pa.Array) else pa.array(column, type=kind)
        for column, kind in zip(columns, schema.types, strict=True)
    ]
    batch: pa.RecordBatch = _arrow.RecordBatch.from_arrays(arrays, schema=schema)
    return batch
