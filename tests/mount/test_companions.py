"""Covers, lyrics, sidecars and playlists in the tree (issue 5, item 5)."""

from typing import Any

import polars as pl
import pytest
from support.library_rows import Tags, frame, library

from musefs.index.counters import Counter, fresh_tally
from musefs.index.schema.library_tables import ART
from musefs.mount.companions.files import FILE_SCHEMA
from musefs.mount.companions.lyrics import lyrics_body
from musefs.mount.companions.planning import CompanionPlan, plan_companions
from musefs.mount.companions.playlists import (
    parse_playlist,
    plan_playlist,
    served_paths,
    write_playlist,
)
from musefs.mount.companions.settling import build_with_companions
from musefs.mount.companions.sidecars import plan_sidecars
from musefs.mount.naming import Naming
from musefs.mount.plan import ExtrasPlan, NamingPlan
from musefs.mount.tree.placement import PLACEMENT_SCHEMA, LeafKind
from musefs.mount.tree.tree import Tree

TRACKS: list[Tags] = [
    {"@path": "/M/a/01.flac", "artist": "A", "album": "X", "title": "one", "lyrics": "la\r\nla"},
    {"@path": "/M/a/02.flac", "artist": "A", "album": "X", "title": "two"},
    {"@path": "/M/b/1.mp3", "artist": "B", "album": "Y", "title": "three", "discnumber": "1"},
    {"@path": "/M/b/2.mp3", "artist": "B", "album": "Y", "title": "four", "discnumber": "2"},
    {"@path": "/In/x.mp3", "artist": "C", "album": "P", "title": "five"},
    {"@path": "/In/y.mp3", "artist": "D", "album": "Q", "title": "six"},
    {"@path": "/In/z.mp3", "artist": "D", "album": "R", "title": "six"},
]
TEMPLATE = "$artist/$album/[${if:multidisc}Disc $disc/]$title"


def file(entry_id: int, path: str) -> dict[str, Any]:
    folder, _, name = path.rpartition("/")
    return {
        "entry_id": entry_id, "folder": folder + "/", "name": name, "size": 10,
        "extension": name.rpartition(".")[2].lower(), "path_bytes": path.encode(),
        "modified_raw": 133_000_000_000_000_000,
    }  # fmt: skip


def files(*paths: str) -> pl.DataFrame:
    rows = [dict.fromkeys(FILE_SCHEMA) | file(100 + n, p) for n, p in enumerate(paths)]
    return pl.DataFrame(rows, schema=FILE_SCHEMA, orient="row")


def art(*rows: tuple[int, int, str]) -> pl.DataFrame:
    """Return pictures as (track_id, picture type, mime)."""
    return frame(
        ART,
        [
            {"track_id": t, "ordinal": n, "picture_type": kind, "mime": mime, "length": 5}
            for n, (t, kind, mime) in enumerate(rows)
        ],
    )


def planned(
    found: pl.DataFrame,
    pictures: pl.DataFrame,
    extras: ExtrasPlan | None = None,
    plan: NamingPlan | None = None,
) -> tuple[CompanionPlan, Tree]:
    tracks, tags = library(*TRACKS)
    naming = NamingPlan(TEMPLATE) if plan is None else plan
    placements = Naming.from_plan(naming).place(tracks, tags)
    companions = plan_companions(
        placements, tracks, tags, pictures, found, extras or ExtrasPlan(),
        views=bool(naming.views),
    )  # fmt: skip
    return companions, Tree.build(pl.concat([placements, companions.placements]))


def leaves(tree: Tree, kind: LeafKind) -> dict[str, int]:
    found: dict[str, int] = {}
    pending = [0]
    while pending:
        node = pending.pop()
        pending += tree.children(node)
        if tree.kind(node) is kind:
            found[tree.path(node).decode()] = tree.row(node)
    return found


def test_a_cover_for_each_folder_of_one_album() -> None:
    pictures = art((1, 4, "image/jpeg"), (1, 3, "image/png"), (2, 3, "image/jpeg"),
                   (4, 3, "image/JPEG"), (7, 3, "text/plain"))  # fmt: skip
    plan, tree = planned(files(), pictures)
    assert leaves(tree, LeafKind.COVER) == {"A/X/cover.png": 0, "B/Y/Disc 2/cover.jpg": 1}
    assert plan.covers.rows() == [(1, 1, 5), (4, 3, 5)]


def test_a_folder_of_several_albums_has_no_cover() -> None:
    pictures = art((6, 3, "image/jpeg"))
    _, tree = planned(files(), pictures, plan=NamingPlan("$artist/$title"))
    assert leaves(tree, LeafKind.COVER) == {}


def test_a_picture_on_the_volume_comes_before_an_embedded_one() -> None:
    _, tree = planned(files("/M/a/Folder.JPG"), art((1, 3, "image/jpeg")))
    assert leaves(tree, LeafKind.COVER) == {}
    assert leaves(tree, LeafKind.SIDECAR) == {"A/X/Folder.JPG": 0}


def test_lyrics_are_called_as_their_track() -> None:
    plan, tree = planned(files(), art())
    assert leaves(tree, LeafKind.LYRICS) == {"A/X/one.lrc": 0}
    assert plan.lyrics.rows() == [(1, "la\r\nla")]
    assert lyrics_body("la\r\nla") == b"la\nla\n"


def test_lyrics_on_the_volume_come_before_those_of_the_tag() -> None:
    _, tree = planned(files("/M/a/01.LRC"), art())
    assert leaves(tree, LeafKind.LYRICS) == {}
    assert leaves(tree, LeafKind.SIDECAR) == {"A/X/one.lrc": 0}


def test_sidecars_follow_their_track_or_their_folder() -> None:
    found = files(
        "/M/a/02.lrc", "/M/a/rip.log", "/M/b/booklet.pdf", "/In/notes.txt", "/In/y.cue",
        "/M/a/x.exe",
    )  # fmt: skip
    _, tree = planned(found, art())
    assert leaves(tree, LeafKind.SIDECAR) == {
        "A/X/two.lrc": 0,
        "A/X/rip.log": 1,
        "B/Y/booklet.pdf": 2,  # above the disc folders
        "D/Q/six.cue": 4,  # notes.txt could belong to anything
    }


def test_sidecars_in_views() -> None:
    views = (("artists", "$artist/$album/$title"), ("all", "$title"))
    _, tree = planned(files("/M/a/rip.log"), art(), plan=NamingPlan(views=views))
    assert leaves(tree, LeafKind.SIDECAR) == {"artists/A/X/rip.log": 0}


def test_each_can_be_switched_off() -> None:
    pictures = art((1, 3, "image/png"))
    plan, _ = planned(files("/M/a/rip.log"), pictures, ExtrasPlan(covers=False, sidecars=False))
    assert len(plan.placements) == 0
    plan, tree = planned(files("/M/a/rip.log"), pictures, ExtrasPlan(sidecars=False))
    assert leaves(tree, LeafKind.COVER) == {"A/X/cover.png": 0}
    assert leaves(tree, LeafKind.SIDECAR) == {}


def test_the_metrics_have_their_reserved_name() -> None:
    """reference-mount.md §3.5: an entry of the library that wants the name is varied."""
    rows = [
        (".musefs-metrics/metrics", int(LeafKind.METRICS), 0, 0, 0),
        (".musefs-metrics/metrics", int(LeafKind.TRACK), 1, 0, 1),
    ]
    tree = Tree.build(pl.DataFrame(rows, schema=PLACEMENT_SCHEMA, orient="row"))
    for shown in (tree, tree.rebuilt(tree.all_placements())):
        assert leaves(shown, LeafKind.METRICS) == {".musefs-metrics/metrics": 0}
        assert leaves(shown, LeafKind.TRACK) == {".musefs-metrics (2)/metrics": 0}


PLAYLIST = b"""\xef\xbb\xbf#EXTM3U
#EXTINF:10,one
../a/01.flac
#EXTINF:11,gone
nothing.mp3
D:\\M\\B\\1.MP3
file:///M/a/02.flac
http://radio.example/stream
"""


def test_playlists_lead_to_served_paths() -> None:
    tracks, _ = library(*TRACKS)
    _, tree = planned(files(), art())
    lines = parse_playlist(PLAYLIST, "/M/lists/")
    served = served_paths(tree, tracks, [line.target for line in lines if line.target])
    body, dropped = write_playlist(lines, served)
    assert body.decode().splitlines() == [
        "#EXTM3U",
        "#EXTINF:10,one",
        "../A/X/one.flac",
        "../B/Y/Disc 1/three.mp3",
        "../A/X/two.flac",
        "http://radio.example/stream",
    ]
    assert dropped == 1


FOLDED: list[Tags] = [
    {"@path": "/M/ΔΩΣ/Äther.flac", "artist": "A", "album": "X", "title": "one"},
    {"@path": "/M/1\N{KELVIN SIGN}.flac", "artist": "A", "album": "X", "title": "kelvin"},
    {"@path": "/M/1k.flac", "artist": "A", "album": "X", "title": "small k"},
    {"@path": "/M/Straße.flac", "artist": "A", "album": "X", "title": "street"},
]


def test_other_case_finds_its_file_as_on_ntfs() -> None:
    """$UpCase maps single units: any sigma is one, the Kelvin sign is no k, and ß is not ss."""
    tracks, tags = library(*FOLDED)
    placements = Naming.from_plan(NamingPlan(TEMPLATE)).place(tracks, tags)
    text = "D:\\m\\Δωσ\\ÄTHER.FLAC\nδως/äther.Flac\n1K.FLAC\nstrasse.flac\nSTRAßE.flac\n"
    lines = parse_playlist(text.encode(), "/M/")
    found = served_paths(Tree.build(placements), tracks, [x.target for x in lines if x.target])
    body, dropped = write_playlist(lines, found, ".")
    assert body.decode().splitlines() == [
        "A/X/one.flac", "A/X/one.flac", "A/X/small k.flac", "A/X/street.flac",
    ]  # fmt: skip
    assert dropped == 1
    sidecars = plan_sidecars(placements, tracks, files("/m/δωσ/ÄTHER.lrc", "/M/1K.lrc"))
    assert sidecars["path"].sort().to_list() == ["A/X/one.lrc", "A/X/small k.lrc"]


def test_a_rewritten_playlist_is_a_leaf_whose_version_is_its_bytes() -> None:
    one, two = plan_playlist("Mix.m3u", 9, 0, b"x"), plan_playlist("Mix.m3u", 9, 0, b"y")
    assert one[0] == "Playlists/Mix.m3u8"
    assert one[4] != two[4]
    tree = Tree.build(pl.DataFrame([one], schema=PLACEMENT_SCHEMA, orient="row"))
    assert leaves(tree, LeafKind.PLAYLIST) == {"Playlists/Mix.m3u8": 0}


SAME: list[Tags] = [
    {"@path": "/M/a/1.flac", "artist": "A", "album": "X", "title": "one", "lyrics": "of 1"},
    {"@path": "/M/a/2.flac", "artist": "A", "album": "X", "title": "one", "lyrics": "of 2"},
    {"@path": "/M/a/3.flac", "artist": "A", "album": "X", "title": "one", "lyrics": "of 3"},
]


def settled(tracks: list[Tags], found: pl.DataFrame, naming: NamingPlan) -> dict[str, str]:
    """Return for each path of lyrics and sidecars the text or the name on the volume."""
    frames = library(*tracks)
    plans: list[CompanionPlan] = []

    def companions(placed: pl.DataFrame) -> CompanionPlan:
        plans.append(plan_companions(
            placed, *frames, art(), found, ExtrasPlan(), views=bool(naming.views),
            case_insensitive=naming.case_insensitive,
        ))  # fmt: skip
        return plans[-1]

    placements = Naming.from_plan(naming).place(*frames)
    tree = build_with_companions(placements, companions, case_insensitive=naming.case_insensitive)
    texts, names = plans[-1].lyrics["text"], found["name"]
    shown = {path: texts[row] for path, row in leaves(tree, LeafKind.LYRICS).items()}
    return shown | {path: names[row] for path, row in leaves(tree, LeafKind.SIDECAR).items()}


def test_companions_have_the_number_of_their_track() -> None:
    """Issue 5, item 5: a player finds lyrics by the name of the track that it plays."""
    found = files("/M/a/3.lrc", "/M/a/2.cue", "/M/a/1.cue")  # entries in another order than tracks
    assert settled(SAME, found, NamingPlan(TEMPLATE)) == {
        "A/X/one.lrc": "of 1",
        "A/X/one (2).lrc": "of 2",
        "A/X/one (3).lrc": "3.lrc",
        "A/X/one (2).cue": "2.cue",
        "A/X/one.cue": "1.cue",
    }


def test_companions_follow_numbers_in_views_and_without_case() -> None:
    other: list[Tags] = [SAME[0], {**SAME[1], "title": "ONE", "album": "x"}]
    views = (("a", "$artist/$album/$title"), ("all", "$title"))
    naming = NamingPlan(views=views, case_insensitive=True)
    assert settled(other, files("/M/a/2.cue"), naming) == {
        "a/A/X/one.lrc": "of 1",
        "a/A/X/ONE (2).lrc": "of 2",
        "a/A/X/ONE (2).cue": "2.cue",
        "all/one.lrc": "of 1",
        "all/ONE (2).lrc": "of 2",
        "all/ONE (2).cue": "2.cue",
    }


def test_a_folder_of_a_varied_name_keeps_its_companions() -> None:
    tracks: list[Tags] = [
        {"@path": "/M/x.flac", "title": "d", "lyrics": "flat"},
        {"@path": "/M/a/y.flac", "album": "d.flac", "title": "in", "lyrics": "deep"},
        {"@path": "/M/a/z.flac", "album": "d.flac", "title": "in", "lyrics": "deeper"},
    ]
    assert settled(tracks, files(), NamingPlan("[$album/]$title")) == {
        "d.lrc": "flat",
        "d (2).flac/in.lrc": "deep",
        "d (2).flac/in (2).lrc": "deeper",
    }


@pytest.mark.expected_degradations(Counter.COMPANIONS_DROPPED)
def test_what_cannot_be_called_as_its_track_is_dropped_and_counted() -> None:
    """Two formats of one song share a stem, and so can a file that belongs to the folder."""
    tracks: list[Tags] = [SAME[0], {**SAME[1], "@path": "/M/a/2.mp3"}]
    with fresh_tally() as tally:
        shown = settled(tracks, files("/M/a/one.lrc"), NamingPlan("$artist/$album/$title.$ext"))
    assert shown == {"A/X/one.lrc": "of 1"}
    assert tally[Counter.COMPANIONS_DROPPED] == 2
