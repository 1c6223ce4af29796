"""An index of original files, written as a scan writes it, for tests of what is served from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.index_rows import blocks, rows, scanned_art, scanned_tags
from support.tracks import Tags

from musefs.index.media.facts import Anatomy, Span
from musefs.index.schema.library_tables import TRACKS
from musefs.index.write import IndexWriter


def write_index(path: Path, tracks: Sequence[tuple[Anatomy, int, Tags]]) -> None:
    """Write and publish an index with (anatomy, size, tags) as tracks 0, 1 and so on."""
    when = {
        "published_change_at": 1_700_000_000_000_000,
        "state": "present",
        "published_version": 1,
    }
    with IndexWriter(path) as writer:
        writer.append(
            TRACKS,
            rows(
                TRACKS,
                [
                    when
                    | {
                        "track_id": track_id,
                        "path": f"/{track_id}",
                        "record_number": track_id,
                        "format": anatomy.format.value,
                        "size": size,
                        "audio_offset": anatomy.audio.offset,
                        "audio_length": anatomy.audio.length,
                    }
                    for track_id, (anatomy, size, _) in enumerate(tracks)
                ],
            ),
        )
        writer.append(*scanned_tags({n: tags for n, (_, _, tags) in enumerate(tracks)}))
        writer.append(*blocks([row for n, (a, _, _) in enumerate(tracks) for row in _blocks(n, a)]))
        writer.append(
            *scanned_art([row for n, (a, _, _) in enumerate(tracks) for row in _art(n, a)])
        )
        writer.publish("scan")


def _blocks(track_id: int, anatomy: Anatomy) -> list[Mapping[str, Any]]:
    return [
        {
            "track_id": track_id,
            "ordinal": ordinal,
            "kind": block.kind.value,
            "key": block.key,
            "length": block.length,
            "encoding": block.encoding.value,
            "spans": _spans(block.spans),
            "body": block.body,
        }
        for ordinal, block in enumerate(anatomy.blocks)
    ]


def _art(track_id: int, anatomy: Anatomy) -> list[Mapping[str, Any]]:
    return [
        {
            "track_id": track_id,
            "ordinal": ordinal,
            "picture_type": picture.picture_type,
            "mime": picture.mime,
            "description": picture.description,
            "width": picture.width,
            "height": picture.height,
            "depth": picture.depth,
            "colors": picture.colors,
            "length": picture.length,
            "encoding": picture.encoding.value,
            "skip": picture.skip,
            "spans": _spans(picture.spans),
        }
        for ordinal, picture in enumerate(anatomy.pictures)
    ]


def _spans(spans: tuple[Span, ...]) -> list[dict[str, int]]:
    return [{"offset": span.offset, "length": span.length} for span in spans]
