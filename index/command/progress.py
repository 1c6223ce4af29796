"""Progress from one event source: whoever works reports, whoever looks decides how it looks.

A room opens a `Progress` for its run and one `Step` after the other (or several at once, from any
thread). Every report becomes a `ProgressEvent`; a sink draws it: a rich bar on a terminal, a line
every few seconds elsewhere, nothing, or a list for tests.

    with progress_for(plan.common) as progress, progress.step("parse", "records", total) as step:
        step.advance(len(batch), bytes_done=chunk_bytes)
"""

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from musefs.index.command.common import CommonPlan, When

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

EVENT_INTERVAL_S = 0.1
"""A bar that moves ten times a second is smooth; more events only cost time."""
LINE_INTERVAL_S = 3.0
"""Without a terminal: often enough to see life, seldom enough for a log."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """How far one step is."""

    step: str
    """What is done, as a verb: `parse`, `tag`."""
    unit: str
    """What is counted, in plural: `records`, `files`."""
    done: int
    total: int | None
    """None while nobody knows."""
    bytes_done: int
    elapsed_s: float
    finished: bool

    @property
    def rate(self) -> float:
        """Return units a second so far."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def bytes_rate(self) -> float:
        """Return bytes a second so far."""
        return self.bytes_done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Return the seconds that are left at this rate; None when nobody knows."""
        if self.total is None or self.rate <= 0:
            return None
        return max(0, self.total - self.done) / self.rate


class Sink(Protocol):
    """Who looks at events; called under the progress's lock, so it need not lock."""

    def show(self, event: ProgressEvent) -> None:
        """Draw or record one event."""
        ...

    def say(self, words: str) -> None:
        """Write one line for the user, such as why nothing moves for a while."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Step:
    """One thing that is being done; safe to advance from any thread."""

    def __init__(self, progress: "Progress", name: str, unit: str, total: int | None) -> None:
        self._progress = progress
        self._name = name
        self._unit = unit
        self._total = total
        self._done = 0
        self._bytes_done = 0
        self._started = progress.clock()
        self._shown = float("-inf")

    def advance(self, amount: int = 1, *, bytes_done: int = 0) -> None:
        """Report that `amount` more units (and `bytes_done` more bytes) are done."""
        with self._progress.lock:
            self._done += amount
            self._bytes_done += bytes_done
            self._show(finished=False)

    def expect(self, total: int) -> None:
        """Say how many units there will be, once that is known."""
        with self._progress.lock:
            self._total = total
            self._show(finished=False)

    def finish(self) -> None:
        """Say that nothing more comes."""
        with self._progress.lock:
            self._show(finished=True)

    def _show(self, *, finished: bool) -> None:
        now = self._progress.clock()
        if not finished and now - self._shown < EVENT_INTERVAL_S:
            return
        self._shown = now
        self._progress.sink.show(
            ProgressEvent(
                self._name,
                self._unit,
                self._done,
                self._total,
                self._bytes_done,
                now - self._started,
                finished,
            )
        )


class Progress:
    """The event source of one run."""

    def __init__(self, sink: Sink, clock: Clock = time.monotonic) -> None:
        self.sink = sink
        self.clock = clock
        self.lock = threading.Lock()

    def say(self, words: str) -> None:
        """Tell whoever looks at the progress something in words."""
        with self.lock:
            self.sink.say(words)

    @contextmanager
    def step(self, name: str, unit: str, total: int | None = None) -> Generator[Step]:
        """Report one step; it is finished when the block ends, however it ends."""
        step = Step(self, name, unit, total)
        try:
            yield step
        finally:
            step.finish()


class SilentSink:
    """Shows nothing."""

    def show(self, event: ProgressEvent) -> None:
        """Look away."""

    def say(self, words: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Leave nothing to clean."""


class RecordingSink:
    """Keeps every event, for tests and for callers in notebooks."""

    def __init__(self) -> None:
        self.events: list[ProgressEvent] = []
        self.said: list[str] = []

    def show(self, event: ProgressEvent) -> None:
        """Keep the event."""
        self.events.append(event)

    def say(self, words: str) -> None:
        """Keep the words."""
        self.said.append(words)

    def close(self) -> None:
        """Leave nothing to clean."""


class LineSink:
    """Writes a line every few seconds, and one when a step that was shown ends."""

    def __init__(
        self, stream: TextIO, clock: Clock = time.monotonic, interval_s: float = LINE_INTERVAL_S
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._interval_s = interval_s
        self._started = clock()
        self._last: dict[str, float] = {}

    def show(self, event: ProgressEvent) -> None:
        """Write the event if its step's turn has come."""
        now = self._clock()
        due = now - self._last.get(event.step, self._started) >= self._interval_s
        if due or (event.finished and event.step in self._last):
            self._last[event.step] = now
            self.say(describe(event))

    def say(self, words: str) -> None:
        """Write one line."""
        self._stream.write(words + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave nothing to clean."""


class BarSink:
    """Draws rich bars on a terminal; rich is imported when the first event comes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def _open(self) -> "RichProgress":
        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._bars = Progress(
                TextColumn("{task.description:<8}"),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[words]}"),
                console=Console(file=self._stream),
                transient=True,
            )
            self._bars.start()
        return self._bars

    def show(self, event: ProgressEvent) -> None:
        """Move the step's bar."""
        bars = self._open()
        words = describe(event).partition(": ")[2]
        if event.step not in self._tasks:
            self._tasks[event.step] = bars.add_task(event.step, total=event.total, words=words)
        bars.update(
            self._tasks[event.step],
            completed=event.done,
            total=event.done if event.finished else event.total,
            words=words,
        )

    def say(self, words: str) -> None:
        """Write one line above the bars."""
        self._open().console.print(words, markup=False, highlight=False)

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()


def format_bytes(count: float) -> str:
    """Return a byte count as people read it: 1.5 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def format_seconds(seconds: float) -> str:
    """Return a time as people read it: 850 ms, 12.3 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def describe(event: ProgressEvent) -> str:
    """Return an event as one line of words."""
    words = f"{event.step}: {event.done:,}"
    if event.total:
        words += f"/{event.total:,} ({min(100, 100 * event.done // event.total)}%)"
    words += f" {event.unit}, {event.rate:,.0f}/s"
    if event.bytes_done:
        words += f", {format_bytes(event.bytes_rate)}/s"
    if event.finished:
        return f"{words}, done in {format_seconds(event.elapsed_s)}"
    left = event.remaining_s
    return words if left is None else f"{words}, {format_seconds(left)} left"


def sink_for(plan: CommonPlan, stream: TextIO) -> Sink:
    """Return the sink that the plan and the stream ask for."""
    if plan.progress is When.NEVER:
        return SilentSink()
    return BarSink(stream) if stream.isatty() else LineSink(stream)


@contextmanager
def progress_for(plan: CommonPlan, stream: TextIO | None = None) -> Generator[Progress]:
    """Open the progress of one run on standard error."""
    sink = sink_for(plan, sys.stderr if stream is None else stream)
    try:
        yield Progress(sink)
    finally:
        sink.close()
