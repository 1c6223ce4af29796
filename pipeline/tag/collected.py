"""What is gathered while one file is read: tags in order, and notes on what was lost or mended.

All limits on values are kept here, so that no reader of a tag format can forget one.
"""

from typing import TYPE_CHECKING, Final

from musefs.index.counters import Counter
from musefs.pipeline.tag.limits import (
    MAX_KEY_CHARACTERS,
    MAX_NOTES,
    MAX_TAG_TEXT_BYTES,
    MAX_VALUE_BYTES,
    MAX_VALUES,
)

if TYPE_CHECKING:
    from musefs.index.media.facts import Anatomy, Picture

_LONGEST_UNMEASURED: Final = MAX_VALUE_BYTES // 4
"""Characters that fit into the limit whatever they are: most values need no encoding to know."""


class Collected:
    """Tags and notes of one file."""

    __slots__ = ("_keys", "_text_bytes", "anatomy", "notes", "pairs", "pictures", "refusal")

    def __init__(self) -> None:
        self.anatomy: Anatomy | None = None
        """Set by readers that needed the walker's answer themselves, so that it walks once."""
        self.refusal: str | None = None
        """Why that walker refused, if it did."""
        self.pictures: list[Picture] = []
        """Pictures by reference, of formats that no walker walks."""
        self.pairs: list[tuple[str, str]] = []
        self.notes: list[tuple[str, str]] = []
        self._keys: set[str] = set()
        self._text_bytes = 0

    def note(self, counter: Counter, words: str) -> None:
        """Remember that something was lost or mended."""
        if len(self.notes) < MAX_NOTES:
            self.notes.append((counter.value, words))

    def drop(self, words: str) -> None:
        """Remember that a value was dropped, and why."""
        self.note(Counter.TAG_VALUES_DROPPED, words)

    def has(self, key: str) -> bool:
        """Say whether a source of higher precedence gave `key`."""
        return key in self._keys

    def seal(self) -> None:
        """End one tag: what follows fills only keys that it did not have."""
        self._keys = {key for key, _ in self.pairs}

    def add(self, key: str, value: str) -> None:
        """Keep one value, unless the tag before this one had the key or a limit forbids."""
        self._text_bytes += len(value)
        if (
            0 < len(value) <= _LONGEST_UNMEASURED
            and 0 < len(key) <= MAX_KEY_CHARACTERS
            and self._text_bytes <= MAX_TAG_TEXT_BYTES
            and len(self.pairs) < MAX_VALUES
            and "\0" not in value
        ):
            if key not in self._keys:
                self.pairs.append((key, value))
        elif value and key not in self._keys:
            self._add_unusual(key, value)

    def add_all(self, pairs: list[tuple[str, str]]) -> None:
        """Keep all values of one tag: what `add` does, with its limits asked once where they hold.

        Nearly every file has a few short texts: that takes a third of the time.
        """
        text = "".join([value for _, value in pairs])
        keys = [key for key, _ in pairs]
        if (
            self._keys
            or not pairs
            or self._text_bytes + len(text) > _LONGEST_UNMEASURED
            or len(self.pairs) + len(pairs) > MAX_VALUES
            or "\0" in text
            or "" in keys
            or max(map(len, keys)) > MAX_KEY_CHARACTERS
        ):
            for key, value in pairs:
                self.add(key, value)
            return
        self._text_bytes += len(text)
        self.pairs += [pair for pair in pairs if pair[1]]

    def _add_unusual(self, key: str, value: str) -> None:
        if "\0" in value:
            value = value.replace("\0", " ").strip()
            self.note(Counter.TAG_TEXT_REPAIRED, f"NUL characters inside {key[:64]}")
        if not value:
            return
        if not self._fits(key, value):
            return
        if len(self.pairs) >= MAX_VALUES or self._text_bytes > MAX_TAG_TEXT_BYTES:
            self.drop(f"{key[:64]}: more values than a file may have")
            return
        self.pairs.append((key, value))

    def _fits(self, key: str, value: str) -> bool:
        if not key or len(key) > MAX_KEY_CHARACTERS:
            self.drop(f"name of {len(key)} characters: {key[:32]}")
            return False
        if len(value.encode()) > MAX_VALUE_BYTES:
            self.drop(f"{key}: value of {len(value)} characters")
            return False
        return True
