"""Read one file: which format it is, what its tags say, what its audio is, where its parts lie."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from musefs.index.counters import Counter
from musefs.index.errors import MediaFormatError
from musefs.index.media import aiff, flac, mp4, mpeg, ogg, riff
from musefs.index.media.facts import Anatomy, AudioFormat, MediaFacts, Span
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.fingerprint import audio_hash, fingerprint
from musefs.pipeline.tag.formats import EXTENSIONS, MAY_BE_FILMS, READERS, sniff
from musefs.pipeline.tag.mp4 import VideoError
from musefs.pipeline.tag.window import Piece, ReadAt, Window

Walker = Callable[[ReadAt, int], Anatomy]

WALKERS: Final[dict[AudioFormat, Walker]] = {
    AudioFormat.FLAC: flac.read_anatomy,
    AudioFormat.OGG_VORBIS: ogg.read_anatomy,
    AudioFormat.OGG_OPUS: ogg.read_anatomy,
    AudioFormat.OGG_FLAC: ogg.read_anatomy,
    AudioFormat.OGG_SPEEX: ogg.read_anatomy,
    AudioFormat.MP3: mpeg.read_anatomy,
    AudioFormat.MP4: mp4.read_anatomy,
    AudioFormat.WAV: riff.read_anatomy,
    AudioFormat.AIFF: aiff.read_anatomy,
}
"""The formats that are served with a fresh header, and who knows where their parts lie."""

_PAGED: Final = (
    AudioFormat.OGG_VORBIS,
    AudioFormat.OGG_OPUS,
    AudioFormat.OGG_FLAC,
    AudioFormat.OGG_SPEEX,
)


class NotMusicError(MediaFormatError):
    """A film under an extension that films and music share; left out, and no problem."""


class Reading(NamedTuple):
    """All that was learned of one file."""

    facts: MediaFacts
    fingerprint: str | None
    audio_hash: str | None
    bytes_read: int


def read_media(
    read_at: ReadAt,
    size: int,
    extension: str,
    *,
    full_hash: bool = False,
    pieces: Sequence[Piece] = (),
) -> Reading:
    """Read one file.

    Raises MediaFormatError for a file that is no audio or too damaged to tell what it is, and
    NotMusicError for a film.
    """
    if size == 0:
        raise MediaFormatError("the file is empty")
    window = Window(read_at, size, pieces=pieces)
    format_ = sniff(window, extension)
    if format_ is None:
        raise MediaFormatError("its content is no audio that musefs knows")
    tags = Collected()
    promised = EXTENSIONS.get(extension, ())
    if format_ not in promised:
        tags.note(Counter.WRONG_EXTENSIONS, f"the content is {format_.value}, not .{extension}")
    try:
        technical = READERS[format_](window, tags)
    except VideoError as error:
        if extension in MAY_BE_FILMS:
            raise NotMusicError(error.message) from error
        raise
    anatomy, reason = _anatomy(window, format_, tags)
    paged = format_ in _PAGED
    facts = MediaFacts(
        anatomy, technical, tuple(tags.pairs), reason is None, reason, tuple(tags.notes)
    )
    return Reading(
        facts,
        fingerprint(window, window.pass_through, anatomy.audio, paged=paged),
        audio_hash(window.pass_through, anatomy.audio, paged=paged) if full_hash else None,
        window.bytes_read,
    )


def _anatomy(window: Window, format_: AudioFormat, tags: Collected) -> tuple[Anatomy, str | None]:
    """Return where the parts lie, and why the file is served as it is, if it is."""
    if tags.anatomy is not None:
        return tags.anatomy, None
    walker = WALKERS.get(format_)
    if tags.refusal is not None:
        reason = tags.refusal
        tags.note(Counter.SERVED_UNTOUCHED, reason)
    elif walker is None:
        reason = f"{format_.value} files are served as they are"
    else:
        try:
            return walker(window.read_at, window.size), None
        except MediaFormatError as error:
            reason = error.message
            tags.note(Counter.SERVED_UNTOUCHED, reason)
    return Anatomy(format_, Span(0, window.size), (), tuple(tags.pictures)), reason
