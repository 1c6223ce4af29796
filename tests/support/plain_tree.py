"""The tree as its rule is written down: insert one by one, in plain dictionaries. An oracle."""

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from musefs.mount.tree.components import normalise_path, vary
from musefs.mount.tree.folding import fold
from musefs.mount.tree.placement import PLACEMENT_SCHEMA, LeafKind, order_of
from musefs.mount.tree.tree import ROOT, Tree


@dataclass
class Folder:
    """A folder of the oracle, known by the (folded) name that was asked for."""

    asked: str = ""
    order: int = 1 << 62
    folders: dict[str, "Folder"] = field(default_factory=dict)
    files: list[tuple[int, str, int]] = field(default_factory=list)


def placements(*rows: tuple[int, str] | tuple[int, str, int]) -> pl.DataFrame:
    """Make placements of tracks from (track_id, path[, version])."""
    full = [(row[1], int(LeafKind.TRACK), row[0], row[0], (*row, 1)[2]) for row in rows]
    return pl.DataFrame(full, schema=PLACEMENT_SCHEMA, orient="row")


def plain_tree(frame: pl.DataFrame, *, case_insensitive: bool = False) -> dict[str, int]:
    """Return final path → identity by inserting placements in ascending order."""
    key = fold if case_insensitive else str
    root = Folder()
    seen: set[tuple[int, str]] = set()
    rows = sorted(
        (order_of(LeafKind(kind), identity), path, identity)
        for path, kind, identity in frame.select("path", "kind", "identity").iter_rows()
        if path
    )
    for order, path, identity in rows:
        normal = normalise_path(path, case_insensitive=case_insensitive)
        if normal is None or (order, normal) in seen:
            continue
        seen.add((order, normal))
        *parts, leaf = normal.split("/")
        folder = root
        for part in parts:
            folder = folder.folders.setdefault(key(part), Folder(asked=part))
            if (order, part) < (folder.order, folder.asked):
                folder.order, folder.asked = order, part
        folder.files.append((order, leaf, identity))
    shown: dict[str, int] = {}
    _show(root, "", shown, key)
    return shown


def _show(folder: Folder, prefix: str, shown: dict[str, int], key: Callable[[str], str]) -> None:
    wishes = [(f.order, False, f.asked, f) for f in folder.folders.values()]
    wishes += [(order, True, name, identity) for order, name, identity in folder.files]
    taken: set[str] = set()
    for _, is_file, asked, what in sorted(wishes, key=lambda w: (w[0], w[1], w[2].encode())):
        name, number = asked, 2
        while key(name) in taken:
            name = vary(asked.encode(), number).decode()
            number += 1
        taken.add(key(name))
        if is_file:
            shown[prefix + name] = what
        else:
            _show(what, f"{prefix}{name}/", shown, key)


def shown_tree(tree: Tree) -> dict[str, int]:
    """Return final path → row of a real tree, checking its invariants on the way."""
    shown: dict[str, int] = {}
    inodes: set[int] = set()
    pending = [ROOT]
    directories = -1
    while pending:
        node = pending.pop()
        inode = tree.inode(node)
        assert inode not in inodes
        assert 0 < inode < 1 << 63
        inodes.add(inode)
        assert tree.node_of(inode) == node
        if not tree.is_directory(node):
            shown[tree.path(node).decode()] = tree.row(node)
            assert len(tree.children(node)) == 0
            continue
        directories += 1
        children = list(tree.children(node))
        names = [tree.name(child) for child in children]
        assert names == sorted(set(names))
        assert children or node == ROOT
        for child, name in zip(children, names, strict=True):
            assert tree.parent(child) == node
            assert tree.lookup(node, name) == child
            assert 0 < len(name) <= 255
        pending += children
    assert (tree.directory_count, tree.file_count) == (directories, len(shown))
    assert tree.node_count == len(inodes)
    return shown
