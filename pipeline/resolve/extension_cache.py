"""Extension records, kept while they stream past so that nothing is read twice.

At most 128 Ki of them stay in memory. Of those beyond, only the number is kept; they are read
from the volume again when the deferred records are built, with the same result.
"""

from collections.abc import Callable, Iterator

from musefs.index.counters import Counter, degrade
from musefs.pipeline.parse.stream import KeptRecord

EXTENSION_CACHE_CAP = 128 << 10
"""Records held: 128 MiB of records of 1 KiB."""

ReadRecord = Callable[[int], bytearray | None]
"""Reads one raw record from the volume; None if it cannot be had."""


class ExtensionCache:
    """Collects extension records in the order of the stream."""

    def __init__(self, cap: int = EXTENSION_CACHE_CAP) -> None:
        """Hold at most `cap` records."""
        self._cap = cap
        self._held: list[KeptRecord] = []
        self._skipped: list[int] = []

    def __len__(self) -> int:
        return len(self._held) + len(self._skipped)

    @property
    def skipped(self) -> int:
        """Records of which only the number was kept."""
        return len(self._skipped)

    def keep(self, record: KeptRecord) -> None:
        """Keep a record, or its number when the cache is full."""
        if len(self._held) < self._cap:
            self._held.append(record)
            return
        self._skipped.append(record.record_number)
        words = "extension cache is full, record %d is read again"
        degrade(Counter.EXT_NAME_CACHE_SKIPPED, words, record.record_number)

    def drain(self, read_record: ReadRecord) -> Iterator[tuple[int, bytearray]]:
        """Yield (number, record) in record order and forget them."""
        held, self._held = self._held, []
        skipped, self._skipped = self._skipped, []
        for kept in held:
            yield kept.record_number, bytearray(kept.record)
        for number in skipped:
            record = read_record(number)
            if record is None:
                degrade(Counter.UNREADABLE_RECORDS, "extension record %d", number)
            else:
                yield number, record
