"""The closed list of counters, and `degrade`, the only way to fall back.

A fallback that is not counted and logged in one step is a bug. Counters end up in the summary of
a scan, in `scan_counters`, in `--stats`, and in the mount's metrics file. Who needs a new one
adds a line here and a line in docs/counters.md; a test compares the two.
"""

import logging
import threading
from collections import Counter as Multiset
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum

_log = logging.getLogger(__name__)

LOGGED_PER_COUNTER = 10
"""Warnings logged for one counter in one run; the rest are counted and logged at debug level."""


class Counter(StrEnum):
    """Everything that is counted when something is not as it should be."""

    # how a scan read the volume
    SCAN_PIPELINE_FALLBACKS = "scan_pipeline_fallbacks"
    EXT_NAME_CACHE_SKIPPED = "ext_name_cache_skipped"
    UNREADABLE_RECORDS = "unreadable_records"
    UNREACHABLE_RECORDS = "unreachable_records"
    BACKUP_BOOT_SECTOR_USED = "backup_boot_sector_used"
    MFT_MIRROR_USED = "mft_mirror_used"
    READ_RETRIES = "read_retries"
    # what a scan met in FILE records
    TORN_RECORDS = "torn_records"
    BAAD_RECORDS = "baad_records"
    GARBAGE_RECORDS = "garbage_records"
    BAD_FIXUP_ARRAYS = "bad_fixup_arrays"
    BAD_ATTRIBUTES = "bad_attributes"
    BAD_NAMES = "bad_names"
    BAD_RUN_LISTS = "bad_run_lists"
    BAD_ATTRIBUTE_LISTS = "bad_attribute_lists"
    BAD_REPARSE_POINTS = "bad_reparse_points"
    DUPLICATE_EXTENTS = "duplicate_extents"
    MISSING_EXTENTS = "missing_extents"
    STALE_EXTENSIONS = "stale_extensions"
    RECORDS_WITHOUT_NAME = "records_without_name"
    NAMES_OVER_LIMIT = "names_over_limit"
    # what a scan met in parent chains
    UNRESOLVED_PARENTS = "unresolved_parents"
    PARENT_LOOPS = "parent_loops"
    PATHS_TOO_DEEP = "paths_too_deep"
    # how a walk went on other file systems
    UNREADABLE_FOLDERS = "unreadable_folders"
    UNREADABLE_ENTRIES = "unreadable_entries"
    # tags
    TAG_FILES_FAILED = "tag_files_failed"
    TAG_FILES_CHANGED = "tag_files_changed"
    WRONG_EXTENSIONS = "wrong_extensions"
    TAG_VALUES_DROPPED = "tag_values_dropped"
    TAG_TEXT_REPAIRED = "tag_text_repaired"
    TAG_BLOCKS_DROPPED = "tag_blocks_dropped"
    PICTURES_DROPPED = "pictures_dropped"
    # index
    BATCH_RESTORES = "batch_restores"
    SYNC_FAILURES = "sync_failures"
    LEFTOVERS_SWEPT = "leftovers_swept"
    INDEX_KEPT_ASIDE = "index_kept_aside"
    EDITS_KEPT = "edits_kept"
    PICTURES_NOT_EXPORTED = "pictures_not_exported"
    # mount
    BACKING_CHANGED = "backing_changed"
    BACKING_MISSING = "backing_missing"
    READ_ERRORS = "read_errors"
    SERVED_UNTOUCHED = "served_untouched"
    TRACKS_SKIPPED = "tracks_skipped"
    COMPANIONS_DROPPED = "companions_dropped"
    REFRESH_FAILURES = "refresh_failures"
    REFRESH_GAP_FALLBACKS = "refresh_gap_fallbacks"
    INDEX_BUSY = "index_busy"
    INDEX_WATCH_FALLBACKS = "index_watch_fallbacks"
    PASSTHROUGH_FALLBACKS = "passthrough_fallbacks"
    HANDLER_CRASHES = "handler_crashes"
    DIRECTORY_HANDLES_REFUSED = "directory_handles_refused"
    KERNEL_TUNING_SKIPPED = "kernel_tuning_skipped"
    NOTIFY_FALLBACKS = "notify_fallbacks"


class Tally:
    """Counts of one run; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Multiset[Counter] = Multiset()

    def add(self, counter: Counter, amount: int = 1) -> int:
        """Count and return the new total of `counter`."""
        with self._lock:
            self._counts[counter] += amount
            return self._counts[counter]

    def __getitem__(self, counter: Counter) -> int:
        with self._lock:
            return self._counts[counter]

    def snapshot(self) -> Mapping[Counter, int]:
        """Return the counters that are not zero, in the order of the list."""
        with self._lock:
            return {counter: self._counts[counter] for counter in Counter if self._counts[counter]}


_current = Tally()


def current_tally() -> Tally:
    """Return the tally that `degrade` adds to."""
    return _current


@contextmanager
def fresh_tally() -> Generator[Tally]:
    """Count into a new tally for the length of one run.

    Process-wide on purpose: the threads of a run must not have to be handed their counter.
    """
    global _current
    previous, _current = _current, Tally()
    try:
        yield _current
    finally:
        _current = previous


def degrade(
    counter: Counter,
    message: str,
    *args: object,
    amount: int = 1,
    level: int = logging.WARNING,
) -> None:
    """Count a fallback and say so; the only way to do either.

    `message` and `args` are in logging's form. After LOGGED_PER_COUNTER lines a counter goes on
    counting and logs at debug level only: a disk with a million bad records must not fill a log.
    `level` is lower where nothing is wrong for the user.
    """
    total = _current.add(counter, amount)
    level = level if total - amount < LOGGED_PER_COUNTER else logging.DEBUG
    _log.log(level, f"{message} [{counter.value}]", *args, extra={"counter": counter.value})
