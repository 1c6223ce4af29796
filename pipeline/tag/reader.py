"""Read a chunk of files through a backing; each file costs only itself, whatever it holds."""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from musefs.index import counters
from musefs.index.counters import Counter
from musefs.index.errors import BackingChangedError, MusefsError
from musefs.pipeline.tag.formats import extension_of
from musefs.pipeline.tag.learned import Learned
from musefs.pipeline.tag.media import NotMusicError, read_media
from musefs.pipeline.tag.sources import Job, Opened, Opener
from musefs.pipeline.tag.sweep import sweep_chunk
from musefs.pipeline.tag.window import Piece


def read_chunk(
    opener: Opener, jobs: Sequence[Job], *, full_hash: bool = False, sweep: bool = False
) -> Learned:
    """Read every file of a chunk and return what was learned, failures included.

    With `sweep` what nearly every file is asked for is read first, in the order of the disk.
    """
    learned = Learned()
    swept = sweep_chunk(opener, jobs) if sweep else {}
    with _fallbacks_noted() as fallbacks:
        for job in jobs:
            _read_job(opener, job, learned, full_hash=full_hash, pieces=swept.pop(job.row, ()))
            if fallbacks:
                learned.notes.extend((job.row, counter, words) for counter, words in fallbacks)
                fallbacks.clear()
    return learned


def _read_job(
    opener: Opener, job: Job, learned: Learned, *, full_hash: bool, pieces: Sequence[Piece]
) -> None:
    opened: Opened | None = None
    try:
        opened = opener.open(job)
        content, stamp = opened
        try:
            reading = read_media(
                content.read_at,
                content.size,
                extension_of(job.path),
                full_hash=full_hash,
                pieces=pieces,
            )
            opener.check_unchanged(opened)
        finally:
            content.close()
        learned.add_reading(job.row, reading, stamp)
    except NotMusicError:
        learned.left_out.append(job.row)
    except BackingChangedError as error:
        _fail(learned, job, opened, Counter.TAG_FILES_CHANGED, error.message)
    except MusefsError as error:
        _fail(learned, job, opened, Counter.TAG_FILES_FAILED, error.message)
    except Exception as error:  # noqa: BLE001 - border: one hostile file must not cost a chunk
        reason = f"reading it ended in {type(error).__name__}: {error}"
        _fail(learned, job, opened, Counter.TAG_FILES_FAILED, reason)


def _fail(learned: Learned, job: Job, opened: Opened | None, counter: Counter, reason: str) -> None:
    stamp = opened.stamp if opened else job.recorded()
    learned.add_failure(job.row, stamp, counter, reason)


class _NoteTaker(logging.Handler):
    """Collects what `degrade` says while one chunk is read."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.notes: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        counter = getattr(record, "counter", None)
        if isinstance(counter, str):
            words = record.getMessage().removesuffix(f" [{counter}]")
            self.notes.append((counter, words))


@contextmanager
def _fallbacks_noted() -> Generator[list[tuple[str, str]]]:
    """Turn fallbacks of walkers into notes; the stage counts and logs notes once, by itself."""
    logger = logging.getLogger(counters.__name__)
    taker = _NoteTaker()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(taker)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        with counters.fresh_tally():
            yield taker.notes
    finally:
        logger.removeHandler(taker)
        logger.setLevel(level)
        logger.propagate = propagate
