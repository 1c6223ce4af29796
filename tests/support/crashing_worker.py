"""A tag worker that dies at files with `crash` in their names, as a bug in native code would."""

import os
from collections.abc import Sequence

from musefs.pipeline.tag import worker
from musefs.pipeline.tag.learned import Learned
from musefs.pipeline.tag.reader import read_chunk
from musefs.pipeline.tag.sources import Job, Opener


def crash_or_read(opener: Opener, jobs: Sequence[Job], **options: bool) -> Learned:
    if any(b"crash" in job.path for job in jobs):
        os._exit(77)
    return read_chunk(opener, jobs, **options)


if __name__ == "__main__":
    worker.read_chunk = crash_or_read
    worker.main()
