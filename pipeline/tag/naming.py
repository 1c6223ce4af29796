"""From a format's own name of a tag to the library's key.

A thin layer over musefs.index.edit.vocabulary: it knows the bytes that names are made of, and it
remembers, since a library uses a few hundred names millions of times.
"""

from functools import lru_cache
from typing import Final

from musefs.index.edit import vocabulary
from musefs.index.edit.vocabulary import UFID_OWNER

MUSICBRAINZ_OWNER: Final = UFID_OWNER.encode()

_REMEMBERED: Final = 4096
"""Names remembered per format; a forged file cannot make the memory of them grow."""


@lru_cache(_REMEMBERED)
def vorbis_key(name: bytes) -> str | None:
    """Return the key of a Vorbis field; None if the name breaks the rules."""
    if not name or min(name) < 0x20 or max(name) > 0x7D:
        return None
    return vocabulary.from_vorbis(name.decode("ascii")) or None


@lru_cache(_REMEMBERED)
def ape_key(name: bytes) -> str | None:
    """Return the key of an APEv2 item; None if the name breaks the rules."""
    if len(name) < 2 or min(name) < 0x20 or max(name) > 0x7E:
        return None
    return vocabulary.from_ape(name.decode("ascii")) or None


@lru_cache(_REMEMBERED)
def id3_key(frame_id: str) -> str:
    """Return the key of a text frame."""
    return vocabulary.from_id3(frame_id) or frame_id.lower()


@lru_cache(_REMEMBERED)
def id3_described_key(description: str) -> str:
    """Return the key of a TXXX frame; one without a description is a plain comment by name."""
    return vocabulary.from_txxx(description) or "txxx"


def id3_language_key(frame_id: str, language: str, description: str) -> str:
    """Return the key of a comment or of lyrics."""
    key = "comment" if frame_id == "COMM" else "lyrics"
    if not description:
        return key  # every tagger writes some language there; it says nothing
    return vocabulary.qualify(key, language, description)


def id3_person_key(frame_id: str, role: str, person: str) -> tuple[str, str]:
    """Return key and value of one pair of role and person."""
    key = vocabulary.from_role(role)
    if frame_id != "TMCL" and key is not None:
        return key, person
    return vocabulary.PERFORMER, f"{person} ({role})" if role else person


@lru_cache(_REMEMBERED)
def mp4_key(atom: bytes) -> str | None:
    """Return the key of an ilst atom; None for one that is not known."""
    return vocabulary.from_mp4(atom.decode("latin-1"))


@lru_cache(_REMEMBERED)
def mp4_freeform_key(name: bytes) -> str:
    """Return the key of a freeform atom."""
    return vocabulary.from_freeform(name.decode("utf-8", "replace")) or "----"


@lru_cache(_REMEMBERED)
def riff_key(chunk: bytes) -> str | None:
    """Return the key of a chunk in LIST INFO; its own name if the table has none."""
    if not chunk.isalnum():
        return None
    name = chunk.decode("ascii")
    return vocabulary.from_riff(name) or name.lower()


@lru_cache(_REMEMBERED)
def asf_key(name: str) -> str:
    """Return the key of an ASF attribute."""
    return vocabulary.from_asf(name)
