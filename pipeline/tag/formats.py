"""Which files are audio: by extension first, confirmed by the first bytes.

What a file is called only makes it a candidate; what it is, its content decides. A file whose
content is another format than its name says is read as what it is, and counted.
"""

from collections.abc import Callable
from typing import Final

from musefs.index.errors import MediaFormatError
from musefs.index.media.facts import AudioFormat, Technical
from musefs.index.media.foreign_tags import skip_leading_id3
from musefs.index.media.mpeg import find_first_frame
from musefs.pipeline.tag import adts, asf, flac, lossless, matroska, mp4, mpeg, ogg, riff
from musefs.pipeline.tag.collected import Collected
from musefs.pipeline.tag.ogg import ogg_format
from musefs.pipeline.tag.window import Window

_OGG: Final = (
    AudioFormat.OGG_VORBIS,
    AudioFormat.OGG_OPUS,
    AudioFormat.OGG_FLAC,
    AudioFormat.OGG_SPEEX,
)

EXTENSIONS: Final[dict[str, tuple[AudioFormat, ...]]] = {
    "flac": (AudioFormat.FLAC,), "fla": (AudioFormat.FLAC,),
    "mp3": (AudioFormat.MP3,), "mp2": (AudioFormat.MP3,), "mp1": (AudioFormat.MP3,),
    "mpga": (AudioFormat.MP3,),
    "m4a": (AudioFormat.MP4,), "m4b": (AudioFormat.MP4,), "m4p": (AudioFormat.MP4,),
    "m4r": (AudioFormat.MP4,), "mp4": (AudioFormat.MP4,), "alac": (AudioFormat.MP4,),
    "3ga": (AudioFormat.MP4,),
    "ogg": _OGG, "oga": _OGG, "opus": _OGG, "spx": _OGG,
    "wav": (AudioFormat.WAV,), "wave": (AudioFormat.WAV,), "rf64": (AudioFormat.WAV,),
    "bwf": (AudioFormat.WAV,),
    "aif": (AudioFormat.AIFF,), "aiff": (AudioFormat.AIFF,), "aifc": (AudioFormat.AIFF,),
    "ape": (AudioFormat.APE,), "wv": (AudioFormat.WAVPACK,),
    "mpc": (AudioFormat.MUSEPACK,), "mp+": (AudioFormat.MUSEPACK,), "mpp": (AudioFormat.MUSEPACK,),
    "tta": (AudioFormat.TTA,), "dsf": (AudioFormat.DSF,), "dff": (AudioFormat.DFF,),
    "wma": (AudioFormat.ASF,), "asf": (AudioFormat.ASF,),
    "aac": (AudioFormat.AAC, AudioFormat.MP4), "adts": (AudioFormat.AAC,),
    "ac3": (AudioFormat.AC3,), "eac3": (AudioFormat.AC3,), "ec3": (AudioFormat.AC3,),
    "mka": (AudioFormat.MATROSKA,), "weba": (AudioFormat.MATROSKA,),
    "webm": (AudioFormat.MATROSKA,),
}  # fmt: skip
"""Extensions without the dot, in lower case, and the formats that they promise."""

MAY_BE_FILMS: Final = frozenset({"mp4", "webm", "asf"})
"""Extensions shared with films: a film among them is left out and is no problem."""

Reader = Callable[[Window, Collected], Technical]

READERS: Final[dict[AudioFormat, Reader]] = {
    AudioFormat.FLAC: flac.read_flac,
    AudioFormat.MP3: mpeg.read_mpeg,
    AudioFormat.MP4: mp4.read_mp4,
    AudioFormat.OGG_VORBIS: ogg.read_ogg,
    AudioFormat.OGG_OPUS: ogg.read_ogg,
    AudioFormat.OGG_FLAC: ogg.read_ogg,
    AudioFormat.OGG_SPEEX: ogg.read_ogg,
    AudioFormat.WAV: riff.read_wav,
    AudioFormat.AIFF: riff.read_aiff,
    AudioFormat.APE: lossless.read_ape,
    AudioFormat.WAVPACK: lossless.read_wavpack,
    AudioFormat.MUSEPACK: lossless.read_musepack,
    AudioFormat.TTA: lossless.read_tta,
    AudioFormat.DSF: lossless.read_dsf,
    AudioFormat.DFF: lossless.read_dff,
    AudioFormat.ASF: asf.read_asf,
    AudioFormat.AAC: adts.read_aac,
    AudioFormat.AC3: adts.read_ac3,
    AudioFormat.MATROSKA: matroska.read_matroska,
}

_MARKS: Final = {
    b"fLaC": AudioFormat.FLAC, b"MAC ": AudioFormat.APE, b"wvpk": AudioFormat.WAVPACK,
    b"MPCK": AudioFormat.MUSEPACK, b"MP+\x07": AudioFormat.MUSEPACK,
    b"MP+\x17": AudioFormat.MUSEPACK, b"TTA1": AudioFormat.TTA, b"DSD ": AudioFormat.DSF,
    asf.HEADER[:4]: AudioFormat.ASF, b"\x1a\x45\xdf\xa3": AudioFormat.MATROSKA,
}  # fmt: skip
_MP4_ATOMS: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def extension_of(name: bytes) -> str:
    """Return the extension of a file name or path in lower case, without the dot."""
    leaf = name[name.rfind(b"/") + 1 :]
    stem, dot, extension = leaf.rpartition(b".")
    return extension.lower().decode("latin-1") if dot and stem else ""


def sniff(window: Window, extension: str) -> AudioFormat | None:
    """Return the format that the content has; None if it is no audio that is known.

    ID3v2 tags in front say nothing of what follows and are stepped over. MPEG audio has no mark
    but its sync bits, so it is believed last, and after longer tests than a mark would need.
    """
    head, offset = window.head, 0
    if head.startswith(b"ID3"):
        offset = skip_leading_id3(window.read_at)
        head = window.read_at(offset, 64)
    marked = _MARKS.get(head[:4])
    if marked is not None:
        return marked
    framed = _framed(head)
    if framed is not None:
        return framed
    return _frames(window, offset, extension)


def _framed(head: bytes) -> AudioFormat | None:
    if head.startswith(b"OggS") and len(head) > 28:
        return ogg_format(head[27 + head[26] : 27 + head[26] + 16])
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return AudioFormat.WAV
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        return AudioFormat.AIFF
    if head.startswith(b"FRM8") and head[12:16] == b"DSD ":
        return AudioFormat.DFF
    if head.startswith(b"\x0b\x77"):
        return AudioFormat.AC3
    return AudioFormat.MP4 if head[4:8] in _MP4_ATOMS else None


def _frames(window: Window, offset: int, extension: str) -> AudioFormat | None:
    mp3_first = AudioFormat.MP3 in EXTENSIONS.get(extension, ())
    if mp3_first and mpeg.parse_frame(window.read_at(offset, 4)) is not None:
        return AudioFormat.MP3  # its walker looks for a second frame
    order = (AudioFormat.MP3, AudioFormat.AAC) if mp3_first else (AudioFormat.AAC, AudioFormat.MP3)
    for format_ in order:
        try:
            if format_ is AudioFormat.MP3:
                find_first_frame(window.read_at, offset, window.size)
            else:
                adts.find_first_adts(window, offset)
        except MediaFormatError:
            continue
        return format_
    return None
