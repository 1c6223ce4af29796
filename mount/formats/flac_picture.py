"""Writing the head of a FLAC picture, for PICTURE blocks and Ogg's picture comments."""

import struct

import polars as pl

from musefs.index.media.facts import Picture

_FIXED_HEAD_BYTES = 32
"""Eight 32-bit numbers: type, two text lengths, width, height, depth, colours, data length."""


def picture_head(picture: Picture, padding: int = 0) -> bytes:
    """Return everything before the image's bytes; `padding` spaces lengthen the description."""
    mime = picture.mime.encode()
    description = picture.description.encode() + b" " * padding
    return b"".join(
        (
            struct.pack(">II", picture.picture_type, len(mime)),
            mime,
            len(description).to_bytes(4, "big"),
            description,
            struct.pack(
                ">5I",
                picture.width,
                picture.height,
                picture.depth,
                picture.colors,
                picture.length,
            ),
        )
    )


def head_length(picture: Picture) -> int:
    """Return the length of `picture_head` without padding."""
    return _FIXED_HEAD_BYTES + len(picture.mime.encode()) + len(picture.description.encode())


def head_length_column() -> pl.Expr:
    """Return `head_length` over rows of the table art."""
    texts = pl.col("mime").str.len_bytes() + pl.col("description").str.len_bytes()
    return texts.cast(pl.Int64) + _FIXED_HEAD_BYTES
