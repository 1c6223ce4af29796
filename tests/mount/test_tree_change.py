"""Changing a tree (rows M7, M29, M31, M32): exactly what a fresh build gives."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plain_tree import placements, plain_tree, shown_tree

from musefs.mount.tree.difference import difference
from musefs.mount.tree.placement import LeafKind, order_of
from musefs.mount.tree.tree import Tree

NAMES = st.sampled_from(
    ["T", "T (2)", "T (3)", "T.x", "T (2).x", "T (2) (2)", "U", "a" * 252, "a" * 255,
     "a" * 251 + ".x", "b" * 240 + ".x", "b" * 236 + " (2).x", ".", ".musefs-metrics"]
)  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
EDIT = st.dictionaries(
    st.integers(1, 12), st.lists(st.tuples(PATHS, st.integers(1, 3)), max_size=2), max_size=4
)
Library = dict[int, list[tuple[str, int]]]


def frame(library: Library) -> pl.DataFrame:
    rows = [(track, path, version) for track, at in library.items() for path, version in at]
    # one track has one version, wherever it is placed
    return placements(*[(t, p, library[t][0][1]) for t, p, _ in rows])


def apply(tree: Tree, edit: Library) -> Tree:
    return tree.apply([order_of(LeafKind.TRACK, track) for track in edit], frame(edit))


def inodes(tree: Tree) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    pending = [0]
    while pending:
        node = pending.pop()
        found[tree.path(node)] = tree.inode(node)
        pending += tree.children(node)
    return found


@settings(max_examples=400)
@given(start=EDIT, edits=st.lists(EDIT, min_size=1, max_size=8), case_insensitive=st.booleans())
def test_m29_any_changes_give_the_tree_of_a_fresh_build(
    start: Library, edits: list[Library], case_insensitive: bool
) -> None:
    """M29: names, tracks, inodes, counts and listings after each of many random changes."""
    library = dict(start)
    tree = Tree.build(frame(library), case_insensitive=case_insensitive)
    for edit in edits:
        library |= edit
        tree = apply(tree, edit)
        whole = frame(library)
        fresh = Tree.build(whole, case_insensitive=case_insensitive)
        assert shown_tree(tree) == shown_tree(fresh)
        assert inodes(tree) == inodes(fresh)
        assert shown_tree(tree) == plain_tree(whole, case_insensitive=case_insensitive)
        orders = {
            tree.path(node): tree.order(node)
            for node in map(tree.node_of, inodes(tree).values())
            if node
        }
        for path, order in orders.items():
            node = fresh.find(path)
            assert node is not None
            assert fresh.order(node) == order


@settings(max_examples=100)
@given(start=EDIT, edits=st.lists(EDIT, min_size=1, max_size=4))
def test_m7_changes_with_clashing_inodes(start: Library, edits: list[Library]) -> None:
    """M7, M29: with 6-bit numbers clashes are usual; the result is a fresh build's all the same."""
    library = dict(start)
    tree = Tree.build(frame(library), inode_bits=6)
    for edit in edits:
        library |= edit
        tree = apply(tree, edit)
        assert inodes(tree) == inodes(Tree.build(frame(library), inode_bits=6))


@settings(max_examples=150)
@given(start=EDIT, edits=st.lists(EDIT, min_size=1, max_size=3))
def test_m32_the_difference_names_every_changed_inode(start: Library, edits: list[Library]) -> None:
    """M31, M32: the difference of two trees is that of their paths and inodes; none if equal."""
    tree = Tree.build(frame(start))
    for edit in edits:
        changed = apply(tree, edit)
        before, after = inodes(tree), inodes(changed)
        for new in (changed, Tree.build(changed.all_placements())):
            found = difference(tree, new)
            gone = {(e.parent_inode, e.name, e.inode) for e in found.gone}
            come = {(e.parent_inode, e.name, e.inode) for e in found.come}
            assert gone == entries(before) - entries(after)
            assert come == entries(after) - entries(before)
            assert bool(found) is (before != after)
        tree = changed


def entries(found: dict[bytes, int]) -> set[tuple[int, bytes, int]]:
    return {
        (found[path.rpartition(b"/")[0]], path.rpartition(b"/")[2], inode)
        for path, inode in found.items()
        if path
    }


def test_m29_removing_the_holder_of_a_name_promotes_the_next() -> None:
    """M29: reference-mount.md §3.1, the last two examples."""
    tree = Tree.build(placements((1, "A/T.flac"), (2, "A/T.flac"), (3, "A/T.flac")))
    tree = apply(tree, {1: []})
    assert shown_tree(tree) == {"A/T.flac": 2, "A/T (2).flac": 3}
    tree = Tree.build(placements((1, "X.flac/a.flac"), (5, "X.flac"), (9, "X.flac/b.flac")))
    tree = apply(tree, {1: []})
    assert shown_tree(tree) == {"X.flac": 5, "X (2).flac/b.flac": 9}


def test_m29_a_large_change_builds_anew() -> None:
    """M29: beyond the overlay's limit the columns are built again, with the same result."""
    tree = Tree.build(placements((1, "A/T.flac")))
    edit: Library = {track: [(f"{track % 100}/T.flac", 1)] for track in range(1, 21_000)}
    changed = apply(tree, edit)
    assert not changed.overlay.nodes
    assert changed.file_count == 20_999


def test_an_old_tree_is_not_touched_by_a_change() -> None:
    """M6: readers of the former tree see nothing of a change."""
    tree = Tree.build(placements((1, "A/T.flac"), (2, "B/U.flac")))
    before = shown_tree(tree)
    changed = apply(apply(tree, {1: [("C/V.flac", 2)]}), {2: []})
    assert shown_tree(tree) == before
    assert shown_tree(changed) == {"C/V.flac": 1}
