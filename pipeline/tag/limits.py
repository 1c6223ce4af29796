"""How much of one file the tag stage believes: every bound, with its reason.

A file is hostile until read. Each limit costs only the value that passes it, never the file, and
what is dropped is counted as `tag_values_dropped`.
"""

from typing import Final

MAX_KEY_CHARACTERS: Final = 256
"""Longest tag name, as in the vocabulary; nobody writes half as long ones."""

MAX_VALUE_BYTES: Final = 262_144
"""Longest value, 256 KiB: an opera's libretto as lyrics fits. The reference has the same bound."""

MAX_VALUES: Final = 4096
"""Values kept of one file, as in the reference; a guess far above what taggers write."""

MAX_PICTURES: Final = 4096
"""Pictures kept of one file, as the walkers of other formats keep."""

MAX_ITEMS_WALKED: Final = 65_536
"""Comments, frames or atoms looked at in one file, kept or not: bounds the time of a forged one."""

MAX_NOTES: Final = 100
"""Repairs and losses listed for one file and counter; a file that needs more is beyond telling."""

MAX_TAG_TEXT_BYTES: Final = 4 * 1024 * 1024
"""Text read of one file, all tags together: 16 values of the longest allowed length."""

MAX_NESTING: Final = 8
"""Depth of nested atoms or elements; the deepest real tag, moov.udta.meta.ilst.----.data, has 6."""

MAX_SYNC_SEARCH_BYTES: Final = 65_536
"""How far after a tag the first frame may be: twice the padding that taggers leave; a guess."""

MAX_LAST_PAGE_SEARCH_BYTES: Final = 131_072
"""How far from the end the last Ogg page is searched: two pages of the largest size."""
