"""How much of one file the tag stage believes: every bound, with its reason.

A file is hostile until read. Each limit costs only the value that passes it, never the file, and
what is dropped is counted as `tag_values_dropped`.
"""

from typing import Final

MAX_KEY_CHARACTERS: Final = 256
"""Longest tag name. The longest in use, freeform atoms and TXXX descriptions, stay below 64."""

MAX_VALUE_BYTES: Final = 262_144
"""Longest value. A long novel chapter as lyrics is 40 KiB; the reference has the same bound."""

MAX_VALUES: Final = 4096
"""Values kept of one file. Box sets with a performer for each track stay below 300."""

MAX_ITEMS_WALKED: Final = 65_536
"""Comments, frames or atoms looked at in one file, kept or not: bounds the time of a forged one."""

MAX_NOTES: Final = 100
"""Repairs and losses listed for one file and counter; a file that needs more is beyond telling."""

MAX_TAG_TEXT_BYTES: Final = 4 * 1024 * 1024
"""Text read of one file, all tags together: 16 values of the longest allowed length."""

MAX_NESTING: Final = 8
"""Depth of nested atoms or elements; the deepest real tag, moov.udta.meta.ilst.----.data, has 6."""

MAX_SYNC_SEARCH_BYTES: Final = 65_536
"""How far after a tag the first frame may be: zero padding of taggers stays below 32 KiB."""

MAX_LAST_PAGE_SEARCH_BYTES: Final = 131_072
"""How far from the end the last Ogg page is searched: two pages of the largest size."""
