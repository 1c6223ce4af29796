"""A process that reads chunks of files: jobs come in on its standard input, answers go out.

A process and not a thread: reading tags is work on many small Python objects, which the
interpreter's lock does one after the other (ADR 0040), and a crash costs one file instead of the
scan. A plain child with two pipes
and not multiprocessing: it needs no importable main module and no helper processes, and it works
the same from a notebook, on Windows and under a debugger.
"""

import contextlib
import gc
import os
import pickle
import signal
import struct
import sys
from dataclasses import dataclass
from typing import IO, Final, TypeVar

from musefs.pipeline.tag.reader import read_chunk
from musefs.pipeline.tag.sources import BytesSource, Job

T = TypeVar("T")

_LENGTH: Final = struct.Struct("<Q")

READY: Final = "ready"
"""The first thing a worker says, when its source is open."""


CHUNKS_PER_COLLECTION: Final = 64
"""Chunks between two searches for cycles: some 4000 files."""


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker must know before its first chunk."""

    source: BytesSource
    full_hash: bool = False
    sweep: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Files to be read together."""

    jobs: list[Job]


def send(stream: IO[bytes], thing: object) -> None:
    """Write one object with its length in front."""
    data = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes], kind: type[T]) -> T:
    """Read one object; raises EOFError when the other side is gone or says something else."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    thing = pickle.loads(data)  # noqa: S301 - both ends of the pipe are this program
    if not isinstance(thing, kind):
        raise EOFError  # noqa: TRY004 - it is no worker of ours: as good as gone
    return thing


def serve(incoming: IO[bytes], outgoing: IO[bytes]) -> None:
    """Answer chunks until there are no more."""
    setup = receive(incoming, WorkerSetup)
    opener = setup.source.opener()
    send(outgoing, READY)
    chunks = 0
    with contextlib.suppress(EOFError):
        while True:
            jobs = receive(incoming, Chunk).jobs
            learned = read_chunk(opener, jobs, full_hash=setup.full_hash, sweep=setup.sweep)
            send(outgoing, learned)
            chunks += 1
            if chunks % CHUNKS_PER_COLLECTION == 0:
                gc.collect()  # errors that were raised do leave cycles


def main() -> None:
    """Run a worker on the process's own pipes."""
    gc.disable()  # what is read has no cycles: the search for them is a twentieth of the time
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends its workers
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not corrupt an answer
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, outgoing)


if __name__ == "__main__":
    # under its own name: what is pickled here must be found by the parent under the same one
    from musefs.pipeline.tag.worker import main as run

    run()
