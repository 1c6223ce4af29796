"""From an index to the named tree (rows M1, M2, M29, M34)."""

from pathlib import Path

import duckdb
import pytest
from support.index_rows import rows, scanned_tags
from support.plain_tree import shown_tree

from musefs.index.errors import ConfigError, TemplateError
from musefs.index.read.load import load_library, load_update
from musefs.index.read.snapshot import LibraryUpdate
from musefs.index.schema.library_tables import TRACKS
from musefs.index.write import IndexWriter
from musefs.mount.library import Library
from musefs.mount.naming import Naming
from musefs.mount.plan import ExtrasPlan, MountPlan, NamingPlan

SONGS = {
    1: {"artist": ["A"], "album": ["X"], "title": ["one"], "genre": ["Rock", "Pop"]},
    2: {"artist": ["A"], "album": ["X"], "title": ["two"]},
    3: {"artist": ["B"], "title": ["three"]},
}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "index.duckdb"
    base = {"state": "present", "published_version": 1, "format": "flac", "size": 1000}
    when = {"published_change_at": 1_700_000_000_000_000}
    with IndexWriter(path) as writer:
        writer.append(
            TRACKS,
            rows(TRACKS, [base | when | {"track_id": n, "path": f"/{n}.flac"} for n in SONGS]),
        )
        writer.append(*scanned_tags(SONGS))
        writer.publish("scan")
    return path


def build(index: Path, plan: NamingPlan) -> Library:
    return Library.build(load_library(index), Naming.from_plan(plan))


def paths(library: Library) -> set[str]:
    return set(shown_tree(library.tree))


def test_m1_m34_an_index_becomes_a_tree(index: Path) -> None:
    """M1, M34: tracks of an index under their rendered names, and how many."""
    library = build(index, NamingPlan("${albumartist|artist}/$album/$title"))
    assert paths(library) == {"A/X/one.flac", "A/X/two.flac", "B/Unknown/three.flac"}
    counts = library.counts
    assert (counts.files, counts.directories, counts.tracks, counts.skipped) == (3, 4, 3, 0)


def inodes(library: Library) -> dict[bytes, int]:
    tree = library.tree
    return {tree.name(node): tree.inode(node) for node in tree.children(0)}


def test_m7_a_track_that_takes_a_name_over_is_another_inode(index: Path) -> None:
    """M7: never the same number for other bytes, though name and content version are the same."""
    before = inodes(build(index, NamingPlan("same")))
    assert set(before) == {b"same.flac", b"same (2).flac", b"same (3).flac"}
    with duckdb.connect(str(index)) as con:
        con.execute("DELETE FROM tracks WHERE track_id = 1")
    after = inodes(build(index, NamingPlan("same")))
    assert set(after) == {b"same.flac", b"same (2).flac"}
    assert set(after.values()).isdisjoint(before.values())


def test_m7_an_index_made_anew_has_other_inodes(index: Path) -> None:
    """M7: it counts ids and versions from 1 again, but its files may say something else."""
    before = inodes(build(index, NamingPlan("$title")))
    assert inodes(build(index, NamingPlan("$title"))) == before
    with duckdb.connect(str(index)) as con:
        con.execute("UPDATE meta SET index_id = 'another'")
    after = inodes(build(index, NamingPlan("$title")))
    assert set(after.values()).isdisjoint(before.values())


def test_views_share_tracks(index: Path) -> None:
    """Several views: each a folder at the root."""
    views = (("artists", "$artist/$title"), ("genres", "${if:genre}${*genre}/$title"))
    library = build(index, NamingPlan(views=views))
    assert paths(library) == {
        "artists/A/one.flac", "artists/A/two.flac", "artists/B/three.flac",
        "genres/Rock/one.flac", "genres/Pop/one.flac",
    }  # fmt: skip
    assert library.counts.skipped == 0


def test_m34_skipped_tracks_are_counted_and_said(
    index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """M34: what is shown nowhere is not silent."""
    library = build(index, NamingPlan("$album/$title", skip_on_missing=True))
    assert paths(library) == {"X/one.flac", "X/two.flac"}
    assert library.skipped == {3}
    assert "1 of 3 tracks" in caplog.text


def test_m29_an_edit_gives_the_same_library_as_a_fresh_start(index: Path) -> None:
    """M29: the change log replayed and a whole load give the same tree."""
    plan = NamingPlan("$artist/[$album/]$title")
    before = load_library(index)
    library = Library.build(before, Naming.from_plan(plan))
    with duckdb.connect(str(index)) as con:
        con.execute("UPDATE tags SET value = 'Z' WHERE track_id = 2 AND key = 'artist'")
        con.execute("DELETE FROM tags WHERE track_id = 1 AND key = 'album'")
    update = load_update(index, before)
    assert isinstance(update, LibraryUpdate)
    row_of = {1: 0, 2: 1, 3: 2}.__getitem__
    changed = library.changed(update.present, update.named, row_of)
    fresh = build(index, plan)
    assert shown_tree(changed.tree) == shown_tree(fresh.tree)
    assert paths(changed) == {"A/one.flac", "Z/X/two.flac", "B/three.flac"}
    assert changed.counts == fresh.counts
    for path in paths(fresh):
        nodes = changed.tree.find(path.encode()), fresh.tree.find(path.encode())
        assert None not in nodes
        assert changed.tree.inode(nodes[0] or 0) == fresh.tree.inode(nodes[1] or 0)


def test_m2_defaults() -> None:
    """M2: the reference's defaults, and synthesis as the mode."""
    plan = MountPlan(Path("index.duckdb"), None)
    assert plan.naming == NamingPlan(
        "$albumartist/$album/$title", (), (), "Unknown", skip_on_missing=False,
        case_insensitive=False, safe_names=False, where=None,
    )  # fmt: skip
    assert plan.mode.value == "synthesis"
    assert plan.poll_interval_s == 1.0
    assert plan.reading.read_ahead_budget_bytes == 64 << 20
    assert plan.reading.prefetch is False
    assert plan.extras == ExtrasPlan(covers=True, sidecars=True, playlists=True, metrics=False)


def test_the_last_fallback_of_a_field_wins(index: Path) -> None:
    plan = NamingPlan("$album/$title", fallbacks=(("album", "one"), ("album", "two")))
    assert "two/three.flac" in paths(build(index, plan))


def test_m4_a_bad_template_or_view_is_refused_before_the_index_is_read() -> None:
    """M4: at open, by name."""
    with pytest.raises(TemplateError):
        Naming.from_plan(NamingPlan("${x"))
    with pytest.raises(ConfigError):
        Naming.from_plan(NamingPlan(views=(("a/b", "$title"),)))


def test_only_the_tags_that_a_naming_needs_are_named() -> None:
    naming = Naming.from_plan(NamingPlan(views=(("a", "$artist"), ("b", "${track:02} $title"))))
    assert naming.tag_keys == {"artist", "track", "tracknumber", "title"}
    assert not naming.is_album_wide
