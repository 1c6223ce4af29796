"""The names of tags, once: our key beside what each container calls the same thing.

Readers turn native names into keys, synthesis turns keys into native names, `musefs-tag` accepts
any spelling listed here. Pure data and look-ups; what a value means is mutagen's business.

A key that is not in the table is the native name in lower case. It is served as a Vorbis or APE
field, a TXXX description, an MP4 freeform name or an ASF attribute of that name in upper case.
Comments and lyrics with a language or a description have keys `comment:eng:description` and
`lyrics:eng:description`; the bare key is the one without either.

Pairs: `totaltracks` shares TRCK and trkn with `tracknumber`, as `totaldiscs` shares TPOS and disk
with `discnumber`; `pair_of` says so. `rating`, `playcount` and `musicbrainz_trackid` live in
frames that are no text (POPM, PCNT, UFID), which `id3` names all the same.

People: ID3 has two lists of pairs, TIPL (role and person) and TMCL (instrument and musician). Keys
with a `role` stand in the first; values of `performer` that end in an instrument in the second.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

FREEFORM_MEAN = "com.apple.iTunes"
"""The only mean of MP4 freeform atoms that names tags."""

UFID_OWNER = "http://musicbrainz.org"
"""The owner under which ID3 keeps musicbrainz_trackid in a UFID frame."""

PERFORMER = "performer"
"""The key of musicians; a value may end in an instrument: `Miles Davis (trumpet)`."""

MAX_KEY_CHARACTERS = 256
"""Longer names of tags are damage, not names."""


@dataclass(frozen=True, slots=True)
class Word:
    """One tag: our key and its native names; None where a container has no name of its own."""

    key: str
    id3: str | None = None
    """Frame of ID3v2.4; None: a TXXX frame with the description `txxx`."""
    txxx: str = ""
    mp4: str | None = None
    """Atom; None: a freeform atom with the name `freeform`."""
    freeform: str = ""
    vorbis: str = ""
    ape: str = ""
    riff: str | None = None
    asf: str = ""
    aliases: tuple[str, ...] = ()
    """Further spellings that are read, never written."""
    pair_of: str | None = None
    """The key whose native value carries this one behind a slash."""
    role: str = ""
    """The role under which ID3's list of involved people (TIPL) has this one, if it has."""


def _word(
    key: str,
    id3: str | None = None,
    mp4: str | None = None,
    vorbis: str | None = None,
    ape: str | None = None,
    asf: str | None = None,
    riff: str | None = None,
    also: str = "",
    text: str | None = None,
    pair_of: str | None = None,
    role: str = "",
) -> Word:
    """Make a row; `text` is the name in TXXX and freeform atoms where it is not the key's."""
    upper = key.upper()
    return Word(
        key,
        id3,
        text or upper,
        mp4,
        text or upper,
        vorbis or upper,
        ape or vorbis or upper,
        riff,
        asf or upper,
        tuple(also.split(";")) if also else (),
        pair_of,
        role,
    )


def _gain(key: str) -> Word:
    """Make a ReplayGain row: upper case everywhere but in MP4 and ASF, where players want lower."""
    upper = key.upper()
    return Word(key, None, upper, None, key, upper, upper, None, key)


def _picard(key: str, name: str, *, id3: str | None = None, vorbis: str | None = None) -> Word:
    """Make a row of a MusicBrainz tag, whose names follow Picard."""
    asf = name.replace("MusicBrainz ", "MusicBrainz/").replace("Acoustid ", "Acoustid/")
    upper = vorbis or key.upper()
    return Word(key, id3, name, None, name, upper, upper, None, asf)


WORDS: tuple[Word, ...] = (
    # what every player shows
    _word("title", "TIT2", "©nam", None, "Title", "Title", "INAM"),
    _word("subtitle", "TIT3", None, None, "Subtitle", "WM/SubTitle"),
    _word("artist", "TPE1", "©ART", None, "Artist", "Author", "IART"),
    _word("artists", None, None, None, "Artists", "WM/ARTISTS"),
    _word("album", "TALB", "©alb", None, "Album", "WM/AlbumTitle", "IPRD"),
    _word(
        "albumartist", "TPE2", "aART", None, "Album Artist", "WM/AlbumArtist",
        also="album artist;album_artist",
    ),
    _word("genre", "TCON", "©gen", None, "Genre", "WM/Genre", "IGNR"),
    _word("date", "TDRC", "©day", None, "Year", "WM/Year", "ICRD", also="year"),
    _word("comment", "COMM", "©cmt", None, "Comment", "Description", "ICMT"),
    _word("lyrics", "USLT", "©lyr", None, "Lyrics", "WM/Lyrics",
          also="unsyncedlyrics;unsynced lyrics;unsynchronised lyrics"),
    # numbers
    _word("tracknumber", "TRCK", "trkn", None, "Track", "WM/TrackNumber", "ITRK",
          also="track;tracknum"),
    _word("totaltracks", "TRCK", "trkn", None, "TOTALTRACKS", "TotalTracks",
          also="tracktotal;total tracks;trackc", pair_of="tracknumber"),
    _word("discnumber", "TPOS", "disk", None, "Disc", "WM/PartOfSet", also="disc;disk;discnum"),
    _word("totaldiscs", "TPOS", "disk", None, "TOTALDISCS", "TotalDiscs",
          also="disctotal;total discs;discc", pair_of="discnumber"),
    _word("discsubtitle", "TSST", None, None, "DiscSubtitle", "WM/SetSubTitle"),
    _word("bpm", "TBPM", "tmpo", None, "BPM", "WM/BeatsPerMinute", also="tempo"),
    _word("compilation", "TCMP", "cpil", None, "Compilation", "WM/IsCompilation",
          also="itunescompilation"),
    _word("gapless", None, "pgap", also="itunesgapless"),
    # people
    _word("composer", "TCOM", "©wrt", None, "Composer", "WM/Composer", "IMUS"),
    _word("lyricist", "TEXT", None, None, "Lyricist", "WM/Writer", "IWRI"),
    _word("conductor", "TPE3", None, None, "Conductor", "WM/Conductor"),
    _word("remixer", "TPE4", None, None, "MixArtist", "WM/ModifiedBy", also="mixartist"),
    _word("arranger", None, None, None, "Arranger", "WM/Arranger", role="arranger"),
    _word("performer", None, None, None, "Performer", "WM/Performer"),
    _word("producer", None, None, None, "Producer", "WM/Producer", "IPRO", role="producer"),
    _word("engineer", None, None, None, "Engineer", "WM/Engineer", "IENG", role="engineer"),
    _word("mixer", None, None, None, "Mixer", "WM/Mixer", role="mix"),
    _word("djmixer", None, None, None, "DJMixer", "WM/DJMixer", role="DJ-mix"),
    _word("writer", None, None, None, "Writer", "WM/SongWriter"),
    _word("narrator", None, "©nrt"),
    # order
    _word("titlesort", "TSOT", "sonm", None, None, "WM/TitleSortOrder"),
    _word("artistsort", "TSOP", "soar", None, None, "WM/ArtistSortOrder"),
    _word("albumsort", "TSOA", "soal", None, None, "WM/AlbumSortOrder"),
    _word("albumartistsort", "TSO2", "soaa", None, None, "WM/AlbumArtistSortOrder"),
    _word("composersort", "TSOC", "soco", None, None, "WM/ComposerSortOrder"),
    # works
    _word("grouping", "TIT1", "©grp", None, "Grouping", "WM/ContentGroupDescription",
          also="content group"),
    _word("work", None, "©wrk", None, "Work", "WM/Work"),
    _word("movementname", "MVNM", "©mvn"),
    _word("movement", "MVIN", "©mvi"),
    _word("movementtotal", "MVIN", "©mvc", pair_of="movement"),
    _word("showmovement", None, "shwm"),
    # releases
    _word("originaldate", "TDOR", None, None, None, "WM/OriginalReleaseTime",
          also="originalreleasedate;original date"),
    _word("originalyear", None, None, None, None, "WM/OriginalReleaseYear", text="originalyear"),
    _word("releasedate", "TDRL", also="release date"),
    _word("label", "TPUB", None, None, "Label", "WM/Publisher",
          also="publisher;organization;record label"),
    _word("catalognumber", None, None, None, "CatalogNumber", "WM/CatalogNo",
          also="catalog;catalog number;catalogno;labelno"),
    _word("barcode", None, None, None, "Barcode", "WM/Barcode", also="upc;ean"),
    _word("media", "TMED", None, None, "Media", "WM/Media", "IMED", also="mediatype"),
    _word("isrc", "TSRC", None, None, "ISRC", "WM/ISRC"),
    _word("asin", None, None, None, "ASIN", "ASIN"),
    _word("copyright", "TCOP", "cprt", None, "Copyright", "Copyright", "ICOP"),
    _word("license", None, None, None, "License", "LICENSE"),
    _word("language", "TLAN", None, None, "Language", "WM/Language", "ILNG"),
    _word("script", None, None, None, "Script", "WM/Script"),
    _word("mood", "TMOO", None, None, "Mood", "WM/Mood"),
    _word("initialkey", "TKEY", None, None, "KEY", "WM/InitialKey", also="key;initial key",
          text="initialkey"),
    _word("description", None, "desc", None, None, "WM/SubTitleDescription"),
    _word("longdescription", None, "ldes"),
    _word("website", None, None, None, "Weblink", "WM/AuthorURL", also="weblink"),
    # how it was made
    _word("encoder", "TSSE", "©too", None, None, "WM/EncodingSettings", "ISFT",
          also="encodersettings;encoding settings;encoded with"),
    _word("encodedby", "TENC", "©enc", None, "EncodedBy", "WM/EncodedBy", "ITCH",
          also="encoded by;encoded-by"),
    _word("filetype", "TFLT"),
    _word("length", "TLEN"),
    _word("encodingtime", "TDEN", None, None, None, "WM/EncodingTime"),
    _word("taggingtime", "TDTG"),
    _word("playlistdelay", "TDLY"),
    # the original of a copy or cover
    _word("originalalbum", "TOAL", None, None, None, "WM/OriginalAlbumTitle"),
    _word("originalartist", "TOPE", None, None, None, "WM/OriginalArtist"),
    _word("originallyricist", "TOLY", None, None, None, "WM/OriginalLyricist"),
    _word("originalfilename", "TOFN", None, None, None, "WM/OriginalFilename"),
    _word("fileowner", "TOWN"),
    _word("producednotice", "TPRO"),
    _word("radiostation", "TRSN", None, None, None, "WM/RadioStationName"),
    _word("radioowner", "TRSO", None, None, None, "WM/RadioStationOwner"),
    # shows
    _word("show", None, "tvsh"),
    _word("showsort", None, "sosn"),
    _word("podcast", "PCST", "pcst"),
    _word("podcastcategory", "TCAT", "catg"),
    _word("podcastdescription", "TDES"),
    _word("podcastid", "TGID", "egid"),
    _word("podcastkeywords", "TKWD", "keyw"),
    _word("podcasturl", "WFED", "purl"),
    # what listeners did
    _word("rating", "POPM", "rate", None, "Rating", "WM/SharedUserRating"),
    _word("playcount", "PCNT", None, None, "PlayCount", "WM/PlayCount", also="play count"),
    # loudness
    _gain("replaygain_track_gain"),
    _gain("replaygain_track_peak"),
    _gain("replaygain_track_range"),
    _gain("replaygain_album_gain"),
    _gain("replaygain_album_peak"),
    _gain("replaygain_album_range"),
    _gain("replaygain_reference_loudness"),
    _word("r128_track_gain"),
    _word("r128_album_gain"),
    # MusicBrainz and AcoustID
    _picard("musicbrainz_trackid", "MusicBrainz Track Id", id3="UFID"),
    _picard("musicbrainz_releasetrackid", "MusicBrainz Release Track Id"),
    _picard("musicbrainz_albumid", "MusicBrainz Album Id"),
    _picard("musicbrainz_originalalbumid", "MusicBrainz Original Album Id"),
    _picard("musicbrainz_artistid", "MusicBrainz Artist Id"),
    _picard("musicbrainz_originalartistid", "MusicBrainz Original Artist Id"),
    _picard("musicbrainz_albumartistid", "MusicBrainz Album Artist Id"),
    _picard("musicbrainz_releasegroupid", "MusicBrainz Release Group Id"),
    _picard("musicbrainz_workid", "MusicBrainz Work Id"),
    _picard("musicbrainz_discid", "MusicBrainz Disc Id"),
    _picard("musicbrainz_trmid", "MusicBrainz TRM Id"),
    _picard("releasecountry", "MusicBrainz Album Release Country", vorbis="RELEASECOUNTRY"),
    _picard("releasestatus", "MusicBrainz Album Status", vorbis="RELEASESTATUS"),
    _picard("releasetype", "MusicBrainz Album Type", vorbis="RELEASETYPE"),
    _picard("acoustid_id", "Acoustid Id"),
    _picard("acoustid_fingerprint", "Acoustid Fingerprint"),
)  # fmt: skip
"""The table. A key is written under its first names and read under all of them."""

BY_KEY: Mapping[str, Word] = MappingProxyType({word.key: word for word in WORDS})


def _index(names: Callable[[Word], list[str | None]]) -> Mapping[str, str]:
    """Return lower-case native name → key; the first row that claims a name has it."""
    found: dict[str, str] = {}
    for word in WORDS:
        for name in names(word):
            if name and word.pair_of is None:
                found.setdefault(name.lower(), word.key)
    for word in WORDS:
        for name in names(word):
            if name:
                found.setdefault(name.lower(), word.key)
    return MappingProxyType(found)


_SPELLINGS = _index(lambda w: [w.key, *w.aliases])
_VORBIS = _index(lambda w: [w.vorbis, w.key, *w.aliases])
_APE = _index(lambda w: [w.ape, w.vorbis, w.key, *w.aliases])
_TXXX = _index(lambda w: [w.txxx, w.vorbis, w.key, *w.aliases])
_FREEFORM = _index(lambda w: [w.freeform, w.vorbis, w.key, *w.aliases])
_ASF = _index(lambda w: [w.asf, w.txxx, w.key, *w.aliases])
_FRAMES = {name.upper(): key for name, key in _index(lambda w: [w.id3]).items()}
_ROLES = {
    **{word.role.lower(): word.key for word in WORDS if word.role},
    "mixer": "mixer",
    "writer": "writer",
}
"""Roles in lower case, as Picard writes them; taggers look for a writer in TXXX."""
_INFO = {name.upper(): key for name, key in _index(lambda w: [w.riff]).items()}
_ATOMS = {word.mp4: word.key for word in sorted(WORDS, key=lambda w: w.pair_of is None) if word.mp4}
"""Atom names are case-sensitive; of a pair, the row that is no `pair_of` comes last and wins."""

_QUALIFIED = re.compile(r"(comment|lyrics):([^:]{0,3}):(.*)", re.DOTALL)


def normalise(name: str) -> str:
    """Return the key for any spelling that a user or a file may have written."""
    plain = name.strip().lower()
    return _SPELLINGS.get(plain, plain)


def from_vorbis(name: str) -> str:
    """Return the key of a Vorbis comment's field."""
    plain = name.strip().lower()
    return _VORBIS.get(plain, plain)


def from_ape(name: str) -> str:
    """Return the key of an APEv2 item."""
    plain = name.strip().lower()
    return _APE.get(plain, plain)


def from_id3(frame: str) -> str | None:
    """Return the key of an ID3v2.4 frame; None for a frame that names no tag (TXXX, PRIV)."""
    return _FRAMES.get(frame)


def from_role(role: str) -> str | None:
    """Return the key of a role in ID3's list of involved people; None for any other role."""
    return _ROLES.get(role.strip().lower())


def from_txxx(description: str) -> str:
    """Return the key of a TXXX frame."""
    plain = description.strip().lower()
    return _TXXX.get(plain, plain)


def from_mp4(atom: str) -> str | None:
    """Return the key of an ilst atom; None for one that is unknown or no text."""
    return _ATOMS.get(atom)


def from_freeform(name: str) -> str:
    """Return the key of an MP4 freeform atom."""
    plain = name.strip().lower()
    return _FREEFORM.get(plain, plain)


def from_riff(chunk: str) -> str | None:
    """Return the key of a chunk in LIST INFO."""
    return _INFO.get(chunk.upper())


def from_asf(name: str) -> str:
    """Return the key of an ASF attribute."""
    plain = name.strip().lower()
    return _ASF.get(plain, plain)


def id3_frame(key: str) -> str | None:
    """Return the frame of a key; None: it goes into a TXXX frame."""
    word = BY_KEY.get(key)
    return word.id3 if word else None


def txxx_description(key: str) -> str:
    """Return the description under which a TXXX frame keeps a key."""
    word = BY_KEY.get(key)
    return word.txxx if word else key.upper()


def mp4_atom(key: str) -> str | None:
    """Return the atom of a key; None: it goes into a freeform atom."""
    word = BY_KEY.get(key)
    return word.mp4 if word else None


def freeform_name(key: str) -> str:
    """Return the name under which a freeform atom keeps a key."""
    word = BY_KEY.get(key)
    return word.freeform if word else key.upper()


def vorbis_field(key: str) -> str:
    """Return the Vorbis field of a key."""
    word = BY_KEY.get(key)
    return word.vorbis if word else key.upper()


def ape_item(key: str) -> str:
    """Return the APEv2 item of a key."""
    word = BY_KEY.get(key)
    return word.ape if word else key.upper()


def riff_chunk(key: str) -> str | None:
    """Return the LIST INFO chunk of a key, if RIFF has one."""
    word = BY_KEY.get(key)
    return word.riff if word else None


def asf_attribute(key: str) -> str:
    """Return the ASF attribute of a key."""
    word = BY_KEY.get(key)
    return word.asf if word else key.upper()


def qualified(key: str) -> tuple[str, str, str] | None:
    """Split `comment:eng:words` into key, language and description; None for any other key."""
    match = _QUALIFIED.fullmatch(key)
    return (match[1], match[2], match[3]) if match else None


def qualify(key: str, language: str, description: str) -> str:
    """Return the key of a comment or of lyrics; the bare key where neither says anything."""
    blank = language.strip("\0 ").lower() in ("", "xxx", "und")
    if blank and not description:
        return key
    return f"{key}:{'' if blank else language.lower()}:{description.lower()}"
