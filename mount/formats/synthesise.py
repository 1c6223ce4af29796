"""From what the index says about a track to the layout of its served file.

One synthesiser a format; a format without one, and a track that the scan could not follow, is
served as it is. A track whose tags do not fit into its format is so too, and counted.
"""

from collections.abc import Callable, Iterable, Mapping

from musefs.index.counters import Counter, degrade
from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import AudioFormat
from musefs.mount.formats import aiff, flac, mp3, mp4, ogg, wav
from musefs.mount.formats.layout import Layout, make_layout, plain_layout
from musefs.mount.formats.segments import Segment
from musefs.mount.formats.source import TrackSource

Synthesiser = Callable[[TrackSource], Iterable[Segment] | None]
"""Returns None where tags or pictures do not fit into the size fields of the format.

The rule of the same format in `sizes` must decide alike, from columns.
"""

SYNTHESISERS: Mapping[AudioFormat, Synthesiser] = {
    AudioFormat.FLAC: flac.synthesise,
    AudioFormat.OGG_VORBIS: ogg.synthesise,
    AudioFormat.OGG_OPUS: ogg.synthesise,
    AudioFormat.OGG_FLAC: ogg.synthesise_flac,
    AudioFormat.OGG_SPEEX: ogg.synthesise,
    AudioFormat.MP3: mp3.synthesise,
    AudioFormat.MP4: mp4.synthesise,
    AudioFormat.WAV: wav.synthesise,
    AudioFormat.AIFF: aiff.synthesise,
}


def synthesise(source: TrackSource) -> Layout:
    """Return the layout with a fresh header, or the plain one.

    Raises MediaFormatError where the index contradicts the original's size or itself.
    """
    if not _is_made(source):
        return plain_layout(source.size)
    layout = _make(source)
    if layout is not None:
        return layout
    degrade(
        Counter.SERVED_UNTOUCHED,
        "%s: the tags do not fit into a %s file; served as it is",
        source.path,
        source.format.value,
    )
    return plain_layout(source.size)


def served_size(source: TrackSource) -> int:
    """Return the size of what `synthesise` gives, and raise as it does.

    For a few tracks quicker than `sizes.served_sizes`, whose columns pay from some dozens on.
    """
    layout = _make(source) if _is_made(source) else None
    return source.size if layout is None else layout.size


def _is_made(source: TrackSource) -> bool:
    return source.synthesised and source.format in SYNTHESISERS


def _make(source: TrackSource) -> Layout | None:
    try:
        segments = SYNTHESISERS[source.format](source)
        return None if segments is None else make_layout(segments, source.size)
    except MediaFormatError as error:
        raise MediaFormatError(error.message, path=source.path, hint=error.hint) from error


def structure_only(source: TrackSource) -> Layout:
    """Return the layout that serves the original as it is, whatever its format."""
    return plain_layout(source.size)
