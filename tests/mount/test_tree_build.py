"""The tree built from placements (rows M1, M7, M8, M34; reference-mount.md §3.1)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plain_tree import placements, plain_tree, shown_tree

from musefs.mount.tree.placement import LeafKind
from musefs.mount.tree.tree import ROOT, Tree

ABBA = (1, "Abba/x.mp3"), (2, "ABBA/y.mp3")
SONGS = (1, "A/Song.mp3"), (2, "A/song.mp3")
FOLDER_AND_FILE = (1, "X.flac/a.flac"), (5, "X.flac")
EXAMPLES = [
    (
        [(1, "A/T.flac"), (2, "A/T.flac"), (3, "A/T.mp3")],
        {"A/T.flac": 1, "A/T (2).flac": 2, "A/T.mp3": 3},
        None,
    ),
    (
        [(1, "A/T (2).flac"), (2, "A/T.flac"), (3, "A/T.flac")],
        {"A/T (2).flac": 1, "A/T.flac": 2, "A/T (3).flac": 3},
        None,
    ),
    (ABBA, {"Abba/x.mp3": 1, "ABBA/y.mp3": 2}, {"Abba/x.mp3": 1, "Abba/y.mp3": 2}),
    (SONGS, {"A/Song.mp3": 1, "A/song.mp3": 2}, {"A/Song.mp3": 1, "A/song (2).mp3": 2}),
    (FOLDER_AND_FILE, {"X.flac/a.flac": 1, "X (2).flac": 5}, None),
    ([(5, "X.flac"), (9, "X.flac/a.flac")], {"X.flac": 5, "X (2).flac/a.flac": 9}, None),
    ([(7, "./../T.flac")], {"T.flac": 7}, None),
    ([(1, ".hidden"), (2, ".hidden")], {".hidden": 1, ".hidden (2)": 2}, None),
    (
        [(1, ".musefs-metrics/T.flac"), (2, ".musefs-metrics")],
        {".musefs-metrics (2)/T.flac": 1, ".musefs-metrics (2) (2)": 2},
        {".musefs-metrics (2)/T.flac": 1, ".musefs-metrics (2) (2)": 2},
    ),
]


@pytest.mark.parametrize(("rows", "expected", "folded"), EXAMPLES)
@pytest.mark.parametrize("case_insensitive", [False, True])
def test_m1_reference_examples(
    rows: list[tuple[int, str]],
    expected: dict[str, int],
    folded: dict[str, int] | None,
    case_insensitive: bool,
) -> None:
    """M1: collisions by the reference's rule."""
    wanted = folded if case_insensitive and folded is not None else expected
    tree = Tree.build(placements(*rows), case_insensitive=case_insensitive)
    assert shown_tree(tree) == wanted


def test_m1_a_folder_whose_name_a_file_took_stays_one_folder() -> None:
    """M1: unlike in the reference, later tracks of the folder join it under its new name."""
    rows = [(1, "X.flac"), (2, "X.flac/a.flac"), (3, "X.flac/b.flac")]
    assert shown_tree(Tree.build(placements(*rows))) == {
        "X.flac": 1,
        "X (2).flac/a.flac": 2,
        "X (2).flac/b.flac": 3,
    }


def test_m1_order_of_rows_does_not_matter() -> None:
    """M1: ascending track id decides, not the order of insertion."""
    rows = [(i, f"A/{'TUV'[i % 3]}{' (2)' * (i % 2)}.flac") for i in range(40)]
    forward, backward = Tree.build(placements(*rows)), Tree.build(placements(*rows[::-1]))
    assert shown_tree(forward) == shown_tree(backward)
    assert {forward.inode(n) for n in range(forward.node_count)} == {
        backward.inode(n) for n in range(backward.node_count)
    }


def test_m1_long_components_are_cut_on_characters_and_keep_the_extension() -> None:
    """M1: 255 bytes a component; the suffix fits in as well."""
    name = "é" * 200
    rows = [(1, f"{name}/{name}.flac"), (2, f"{name}/{name}.flac")]
    shown = list(shown_tree(Tree.build(placements(*rows))))
    folder, first = shown[0].split("/")
    assert folder == "é" * 127
    assert {first, shown[1].split("/")[1]} == {"é" * 125 + ".flac", "é" * 123 + " (2).flac"}


def test_m8_lookup_parent_and_counts() -> None:
    """M8, M34: the root is its own parent; counts of files and directories."""
    tree = Tree.build(placements((1, "A/B/t.flac"), (2, "A/u.flac")))
    assert tree.parent(ROOT) == ROOT
    assert tree.inode(ROOT) == 1
    folder = tree.lookup(ROOT, b"A")
    assert folder is not None
    assert tree.is_directory(folder)
    assert tree.lookup(folder, b"b") is None
    leaf = tree.find(b"A/B/t.flac")
    assert leaf is not None
    assert (tree.track(leaf), tree.kind(leaf), tree.kind(folder)) == (1, LeafKind.TRACK, None)
    assert tree.track(folder) == -1
    assert tree.lookup(leaf, b"x") is None
    assert (tree.file_count, tree.directory_count) == (2, 2)
    assert tree.node_of(12345) is None


def test_m34_an_empty_index_gives_an_empty_tree() -> None:
    """M34: nothing to show is a tree with zero counts, not an error."""
    tree = Tree.build(placements())
    assert (tree.file_count, tree.directory_count, tree.node_count) == (0, 0, 1)
    assert len(tree.children(ROOT)) == 0
    assert tree.lookup(ROOT, b"x") is None


def test_m7_inodes_depend_on_path_and_version_only() -> None:
    """M7 by D8: same path and version, same number; new version, new number."""
    before = Tree.build(placements((1, "A/t.flac", 1), (2, "A/u.flac", 1)))
    after = Tree.build(placements((0, "0/0.flac", 1), (1, "A/t.flac", 2), (2, "A/u.flac", 1)))

    def inode(tree: Tree, path: bytes) -> int:
        node = tree.find(path)
        assert node is not None
        return tree.inode(node)

    assert inode(before, b"A/u.flac") == inode(after, b"A/u.flac")
    assert inode(before, b"A") == inode(after, b"A")
    assert inode(before, b"A/t.flac") != inode(after, b"A/t.flac")
    # the numbers are a promise across machines and releases
    assert inode(before, b"A/u.flac") == 738096787823121662
    assert inode(before, b"A") == 5873879124584796759


def test_m7_clashing_inodes_are_settled_the_same_way_every_time() -> None:
    """M7: with 12-bit numbers most nodes clash; all get numbers of their own, always the same."""
    rows = [(i, f"{i % 7}/{i}.flac") for i in range(1500)]
    one = Tree.build(placements(*rows), inode_bits=12)
    two = Tree.build(placements(*rows[::-1]), inode_bits=12)
    assert one.columns.clashes > 100
    shown_tree(one)
    assert list(one.columns.inodes) == list(two.columns.inodes)


def test_m1_case_insensitive_lookup_folds_like_upcase() -> None:
    """M1: any spelling finds the entry; ß is not ss."""
    tree = Tree.build(placements((1, "Ärger/Straße.flac")), case_insensitive=True)
    assert tree.find("äRGER/sTRAßE.FLAC".encode()) is not None
    assert tree.find("ärger/strasse.flac".encode()) is None
    assert tree.find(b"\xff\xfe") is None


PART = st.sampled_from(
    ["T", "t", "T (2)", "T (3)", "T.x", "T (2).x", "t (2).x", "T (2) (2)", ".", "..", "", "é", "É",
     "a" * 252, "a" * 255, "a" * 251 + ".x", "a" * 300, "b" * 240 + ".x", ".musefs-metrics"]
)  # fmt: skip
PATHS = st.lists(PART, min_size=1, max_size=4).map("/".join)
ROWS = st.lists(st.tuples(st.integers(1, 60), PATHS), max_size=40)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, case_insensitive=st.booleans())
def test_m1_equals_the_plain_tree(rows: list[tuple[int, str]], case_insensitive: bool) -> None:
    """M1: the columnar build is the rule as written down, for any placements."""
    frame = placements(*rows)
    tree = Tree.build(frame, case_insensitive=case_insensitive)
    assert shown_tree(tree) == plain_tree(frame, case_insensitive=case_insensitive)
