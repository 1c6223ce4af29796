"""How the largest tables are kept: a view for questions over narrow rows that load fast.

DuckDB spends 20 to 30 ns on each value it loads, constant ones included, and evaluates generated
columns while loading (ADR 0033 has the numbers). So of a table with millions of rows

- small columns share one number, `packed`, each in its own bits;
- columns that few rows have are in a table of their own, with the key;
- columns that follow from others are expressions of the view.

Users, queries and the stages see the table whole: the view has its name and all its columns. A
value too large for its bits is kept with the rare ones, so that nothing is lost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from musefs.index.schema.column import Column, Kind, Table

PACKED = "packed"
"""The column that holds the small ones."""

_PACKED_BITS = 64


@dataclass(frozen=True, slots=True)
class PackedColumn:
    """One column's place in the packed number."""

    column: Column
    shift: int
    bits: int

    @property
    def highest(self) -> int:
        """The largest value that fits."""
        return (1 << self.bits) - 1

    @property
    def may_overflow(self) -> bool:
        """Whether the column's type holds values that do not fit."""
        return self.column.enum is None and self.bits < _WHOLE_BITS.get(self.column.kind, 0)


_WHOLE_BITS = {Kind.INTEGER: 31, Kind.UINTEGER: 32, Kind.BIGINT: 63}
"""Bits of the values that are not negative; no packed column has others."""


@dataclass(frozen=True, slots=True)
class Storage:
    """How one table is kept."""

    table: Table
    rows: Table
    """Its narrow rows."""
    rare: Table
    """What few of its rows have."""
    packed: tuple[PackedColumn, ...]

    @property
    def rare_columns(self) -> tuple[Column, ...]:
        """The columns that are never in the narrow rows."""
        return tuple(column for column in self.table.stored if column.rare)


def storage_of(table: Table) -> Storage | None:
    """Return how `table` is kept; None if it is kept as it is."""
    packed = tuple(_places(table))
    rare = [column for column in table.stored if column.rare]
    if not packed and not rare:
        return None
    plain = [c for c in table.stored if c.bits is None and not c.rare]
    number = Column(PACKED, Kind.UBIGINT, "; ".join(_place_comment(place) for place in packed))
    overflowing = [p.column for p in packed if p.may_overflow]
    return Storage(
        table,
        Table(
            f"{table.name}_rows",
            f"How {table.name} is kept: ask {table.name}, not this.",
            (*plain, number),
        ),
        Table(
            f"{table.name}_rare",
            f"What few rows of {table.name} have, or what did not fit: ask {table.name}, not this.",
            (
                *(replace(table.column(name), bits=None) for name in table.key),
                *(replace(c, nullable=True, rare=False, bits=None) for c in (*rare, *overflowing)),
            ),
            key=table.key,
        ),
        packed,
    )


def _places(table: Table) -> Iterator[PackedColumn]:
    shift = 0
    for column in table.stored:
        if column.bits is not None:
            yield PackedColumn(column, shift, column.bits)
            shift += column.bits
    if shift > _PACKED_BITS:
        raise ValueError(f"{table.name} packs {shift} bits into {_PACKED_BITS}")


def _place_comment(place: PackedColumn) -> str:
    return f"{place.column.name} in {place.bits} bits from {place.shift}"


def view_columns(storage: Storage, enum_types: Mapping[type, str]) -> Iterator[tuple[str, str]]:
    """Yield every column of the table with the SQL that shows it; `s` and `r` are the two parts."""
    places = {place.column.name: place for place in storage.packed}
    for column in storage.table.columns:
        name = f'"{column.name}"'
        if column.generated is not None:
            yield name, column.generated
        elif column.name in places:
            yield name, _unpacked(places[column.name], enum_types)
        elif column.usual is not None:
            yield name, f'coalesce(r.{name}, s."{column.usual}")'
        else:
            yield name, f"{'r' if column.rare else 's'}.{name}"


def _unpacked(place: PackedColumn, enum_types: Mapping[type, str]) -> str:
    column = place.column
    number = f"(s.{PACKED} >> {place.shift}) & {place.highest}"
    if column.enum is not None:
        kind = enum_types[column.enum]
        cases = " ".join(
            f"WHEN {code} THEN '{member.value}'::{kind}" for code, member in enumerate(column.enum)
        )
        return f"CASE {number} {cases} END"
    if column.kind is Kind.BOOLEAN:
        return f"({number}) = 1"
    value = f"({number})::{column.kind.sql}"
    return f'coalesce(r."{column.name}", {value})' if place.may_overflow else value


def view_body(storage: Storage, enum_types: Mapping[type, str]) -> str:
    """Return the SELECT that shows the table whole."""
    columns = dict(view_columns(storage, enum_types))
    listed = ",\n  ".join(f"{sql} AS {name}" for name, sql in columns.items())
    key = " AND ".join(f'r."{name}" = {_key_sql(storage, name)}' for name in storage.table.key)
    return f"SELECT {listed}\nFROM {storage.rows.name} s LEFT JOIN {storage.rare.name} r ON {key}"


def _key_sql(storage: Storage, name: str) -> str:
    place = next((place for place in storage.packed if place.column.name == name), None)
    return f's."{name}"' if place is None else _unpacked(place, {})
