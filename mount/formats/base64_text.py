"""Bytes of other segments as base64 text: pictures inside Ogg comments."""

import binascii
from dataclasses import dataclass

from musefs.index.media.facts import Span
from musefs.mount.formats.layout import Layout, read_layout
from musefs.mount.formats.reading import ReadContext


@dataclass(frozen=True, slots=True, eq=False)
class Base64Text:
    """The base64 form of a layout; any part of it is encoded alone, in groups of three bytes."""

    content: Layout

    @property
    def length(self) -> int:
        """Length of the text, with its padding."""
        return base64_length(self.content.size)

    @property
    def originals(self) -> tuple[Span, ...]:
        """Ranges that the content reads."""
        return self.content.originals

    @property
    def uses_art(self) -> bool:
        """Whether the content is a picture that a user added."""
        return self.content.uses_art

    @property
    def held_bytes(self) -> int:
        """What the content keeps."""
        return self.content.generated_bytes

    @property
    def is_light(self) -> bool:
        """As light as the content."""
        return self.content.is_light

    def read(self, offset: int, length: int, context: ReadContext) -> bytes:
        """Encode the groups that the range touches."""
        first = offset // 4
        last = -(-(offset + length) // 4)
        data = read_layout(self.content, first * 3, (last - first) * 3, context)
        text = binascii.b2a_base64(data, newline=False)
        return text[offset - first * 4 : offset - first * 4 + length]


def base64_length(length: int) -> int:
    """Return the length of the base64 form of `length` bytes."""
    return -(-length // 3) * 4
