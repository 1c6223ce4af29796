"""Which files' bytes the scan keeps track of: audio, pictures, playlists and their companions."""

from enum import StrEnum

MAX_EXTENSION_BYTES = 8
"""An extension fits into one 64-bit number, which is how the compiled parser compares it."""


class FileClass(StrEnum):
    """What a file is, by its extension."""

    AUDIO = "audio"
    IMAGE = "image"
    PLAYLIST = "playlist"
    COMPANION = "companion"


_AUDIO = (
    "flac mp3 mp2 mp1 mpga m4a m4b m4p m4r mp4 alac aac adts ogg oga opus spx wav wave bwf rf64 "
    "w64 aif aiff aifc ape wv mpc mp+ mpp tta dsf dff wma asf mka ac3 eac3 dts tak ofr ofs webm "
    "3gp m4v caf au snd"
)
_IMAGES = "jpg jpeg jpe png gif webp bmp tif tiff jxl avif"
_PLAYLISTS = "m3u m3u8 pls xspf wpl asx cue"
_COMPANIONS = "lrc txt nfo log pdf xml json toml ini md5 sfv ffp accurip"

READABLE_EXTENSIONS: dict[str, FileClass] = {
    **dict.fromkeys(_AUDIO.split(), FileClass.AUDIO),
    **dict.fromkeys(_IMAGES.split(), FileClass.IMAGE),
    **dict.fromkeys(_PLAYLISTS.split(), FileClass.PLAYLIST),
    **dict.fromkeys(_COMPANIONS.split(), FileClass.COMPANION),
}


def packed_extension(utf16: bytes) -> int:
    """Return the lower-case ASCII extension of a name as a number; 0 if it has no such one."""
    packed = 0
    for count, at in enumerate(range(len(utf16) - 2, -2, -2)):
        unit = utf16[at] | utf16[at + 1] << 8
        if unit == ord("."):
            return packed if count and at else 0
        if count == MAX_EXTENSION_BYTES or not 0x21 <= unit < 0x7F:
            return 0
        lower = unit | 0x20 if ord("A") <= unit <= ord("Z") else unit
        packed |= lower << (8 * count)
    return 0


def packed_table() -> list[tuple[int, str]]:
    """Return (packed number, extension), sorted by the number."""
    return sorted(
        (packed_extension(f"x.{text}".encode("utf-16-le")), text) for text in READABLE_EXTENSIONS
    )
