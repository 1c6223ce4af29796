"""The circle: what a scan reads of a served file is what the index said, and serves the same again.

One test for every format that is synthesised, with the real reader of tags and the real walkers.
"""

from pathlib import Path

from support.contents import MemoryContent
from support.readings import read_path
from support.tracks import Tags, check_parts, serve, source_of

from musefs.index.media.facts import MediaFacts
from musefs.mount.formats.reading import ReadContext
from musefs.mount.formats.source import TrackSource
from musefs.mount.formats.synthesise import SYNTHESISERS, synthesise

FOLDERS = ("flac", "ogg", "opus", "mp3", "mp4", "wav", "aiff")


def source_from(facts: MediaFacts, size: int) -> TrackSource:
    tags: Tags = {}
    for key, value in facts.tags:
        tags.setdefault(key, []).append(value)
    return source_of(facts.anatomy, size, tags)


def tracks(library: Path) -> list[tuple[Path, MediaFacts]]:
    found: list[tuple[Path, MediaFacts]] = []
    for path in sorted(library.glob("*/*")):
        if path.parent.name not in FOLDERS or path.suffix in (".png", ".m3u8"):
            continue
        facts = read_path(path).facts
        if facts.synthesised and facts.anatomy.format in SYNTHESISERS:
            found.append((path, facts))
    return found


def test_what_is_served_says_what_the_index_says(audio_library: Path, tmp_path: Path) -> None:
    """M1: every tag and picture arrives, and a second round changes nothing."""
    seen = set()
    for path, facts in tracks(audio_library):
        original = path.read_bytes()
        source = source_from(facts, len(original))
        served = serve(source, original)
        out = tmp_path / path.name
        out.write_bytes(served)
        back = read_path(out).facts
        assert sorted(back.tags) == sorted(facts.tags), path.name
        assert back.technical.sample_rate == facts.technical.sample_rate
        assert [p.length for p in back.anatomy.pictures] == [
            p.length for p in facts.anatomy.pictures
        ], path.name
        again = serve(source_from(back, len(served)), served)
        assert again == served, path.name
        seen.add(facts.anatomy.format)
    assert seen == set(SYNTHESISERS)


def test_a_read_of_any_part_is_that_part(audio_library: Path) -> None:
    for path, facts in tracks(audio_library):
        original = path.read_bytes()
        layout = synthesise(source_from(facts, len(original)))
        check_parts(layout, ReadContext(MemoryContent(original)), 7919)
