"""The pictures of the notebooks: a frame in, an altair chart out, with units and readable labels.

No queries here: the frames are answers of `Index.ask` or of the reader's own SQL. A frame without
rows gives a sentence, never an empty chart.
"""

import html

import altair as alt
import polars as pl

from musefs.index.read.treemap import Rectangle, nested

WIDTH = 640
ROW_HEIGHT = 22
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
LABEL_LIMIT = 320
"""Pixels for a label on the left; longer paths are cut in their middle by `shortened`."""


class Nothing:
    """Stands where a picture would be, and says why there is none."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __repr__(self) -> str:
        return self.words

    def _repr_html_(self) -> str:
        return f"<p><em>{html.escape(self.words)}</em></p>"


Picture = alt.TopLevelMixin | Nothing


def unit_for(most: float) -> tuple[float, str]:
    """Return the divisor and the name of the unit in which `most` bytes read well."""
    power = 0
    while most >= 1024 and power < len(UNITS) - 1:
        most, power = most / 1024, power + 1
    return 1024.0**power, UNITS[power]


def shortened(text: str, most: int = 48) -> str:
    """Cut the middle out of a long text."""
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _scaled(frame: pl.DataFrame, *columns: str) -> tuple[pl.DataFrame, str]:
    most = max(float(frame[column].max() or 0) for column in columns)
    divisor, unit = unit_for(most)
    return frame.with_columns((pl.col(c).cast(pl.Float64) / divisor) for c in columns), unit


def bars(
    frame: pl.DataFrame,
    label: str,
    value: str,
    title: str,
    *,
    axis: str = "",
    unit_of_bytes: bool = False,
    nothing: str = "There is nothing to show.",
    limit: int = 20,
) -> Picture:
    """Draw one horizontal bar a row, in the order of the rows, with its number behind it."""
    if frame.is_empty():
        return Nothing(nothing)
    rows = frame.head(limit).with_columns(
        pl.col(label)
        .cast(pl.String)
        .map_elements(shortened, return_dtype=pl.String)
        .alias("_label")
    )
    rows = rows.with_row_index("_order").with_columns(
        (pl.col("_order").cast(pl.String) + "\t" + pl.col("_label")).alias("_row")
    )
    name = axis or value
    if unit_of_bytes:
        rows, unit = _scaled(rows, value)
        name = f"{axis or 'size'} ({unit})"
    base = alt.Chart(_plain(rows, "_row", value)).encode(
        y=alt.Y("_row:N", sort=None, title=None, axis=alt.Axis(
            labelExpr="split(datum.label, '\\t')[1]", labelLimit=LABEL_LIMIT)),
        x=alt.X(f"{value}:Q", title=name),
    )  # fmt: skip
    numbers = base.mark_text(align="left", dx=4).encode(
        text=alt.Text(f"{value}:Q", format=",.1f" if unit_of_bytes else ",")
    )
    return (base.mark_bar() + numbers).properties(
        width=WIDTH - 120, height=ROW_HEIGHT * rows.height, title=title
    )


def _plain(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Keep what the chart draws: lists and binary columns have no place in it."""
    return frame.select(columns)


def columns(
    frame: pl.DataFrame,
    place: str,
    value: str,
    title: str,
    *,
    axis_x: str,
    axis_y: str = "",
    unit_of_bytes: bool = False,
    colour: str | None = None,
    kind: str = "O",
    nothing: str = "There is nothing to show.",
) -> Picture:
    """Draw columns along an ordered or numeric axis."""
    if frame.is_empty():
        return Nothing(nothing)
    name = axis_y or value
    rows = frame
    if unit_of_bytes:
        rows, unit = _scaled(rows, value)
        name = f"{axis_y or 'size'} ({unit})"
    shown = _plain(rows, place, value, *([colour] if colour else []))
    thin = {"size": 8} if kind == "Q" else {}
    chart = alt.Chart(shown).mark_bar(**thin).encode(
        x=alt.X(f"{place}:{kind}", title=axis_x, axis=alt.Axis(
            labelAngle=0, labelOverlap=True, **({} if kind == "Q" else {"labelSeparation": 6}))),
        y=alt.Y(f"{value}:Q", title=name),
    )  # fmt: skip
    if colour:
        chart = chart.encode(color=alt.Color(f"{colour}:N", title=colour))
    return chart.properties(width=WIDTH, height=260, title=title)


def treemap(
    frame: pl.DataFrame,
    group: str,
    member: str,
    size: str,
    title: str,
    *,
    nothing: str = "There is nothing that takes space.",
    limit: int = 60,
) -> Picture:
    """Draw one rectangle a row in proportion to its bytes, coloured by group."""
    rows = frame.filter(pl.col(size) > 0).sort(size, descending=True)
    if rows.is_empty():
        return Nothing(nothing)
    rows = _with_rest(rows.select(group, member, size), group, member, size, limit)
    pairs = [(str(g), float(s)) for g, s in rows.select(group, size).iter_rows()]
    height = WIDTH * 5 // 8
    drawn = pl.DataFrame([
        _cell(rows.row(position, named=True), group, member, size, place)
        for position, place in nested(pairs, WIDTH, height)
    ])  # fmt: skip
    return _drawn_treemap(drawn, title, height)


def _with_rest(rows: pl.DataFrame, group: str, member: str, size: str, limit: int) -> pl.DataFrame:
    """Keep the largest rows and put all others together, so that the picture stays complete."""
    if rows.height <= limit:
        return rows
    rest = rows[limit:]
    summed = pl.DataFrame(
        {group: ["(others)"], member: [f"{rest.height} more"], size: [rest[size].sum()]}
    )
    return pl.concat([rows[:limit], summed.cast(dict(rows.schema))])


def _cell(
    row: dict[str, object], group: str, member: str, size: str, place: Rectangle
) -> dict[str, object]:
    x, y, width, height = place.x, place.y, place.width, place.height
    bytes_of = float(str(row[size]))
    divisor, unit = unit_for(bytes_of)
    name = str(row[member]) or "(files here)"
    room = int(width / 6.2)
    amount = f"{bytes_of / divisor:.1f} {unit}"
    return {
        "group": str(row[group]) or "(root)", "name": name, "amount": amount,
        "x": x, "y": y, "x2": x + width, "y2": y + height,
        "label": shortened(name, room) if room >= 5 and height >= 14 else "",
        "second": amount if room >= len(amount) and height >= 30 else "",
        "label_y": y + 11, "second_y": y + 24,
    }  # fmt: skip


def _drawn_treemap(cells: pl.DataFrame, title: str, height: int) -> Picture:
    base = alt.Chart(cells)
    across = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, WIDTH], nice=False))
    down = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height, 0], nice=False))
    boxes = base.mark_rect(stroke="white", strokeWidth=1.5).encode(
        x=across, y=down, x2="x2:Q", y2="y2:Q",
        color=alt.Color("group:N", title="folder", scale=alt.Scale(scheme="pastel1"),
                        sort=alt.EncodingSortField("x", op="min")),
        tooltip=["group:N", "name:N", "amount:N"],
    )  # fmt: skip
    words = base.mark_text(align="left", dx=4, fontSize=11).encode(
        x=across, y=alt.Y("label_y:Q"), text="label:N"
    )
    amounts = base.mark_text(align="left", dx=4, fontSize=10, color="#555").encode(
        x=across, y=alt.Y("second_y:Q"), text="second:N"
    )
    return (boxes + words + amounts).properties(width=WIDTH, height=height, title=title)


def gantt(phases: pl.DataFrame, title: str) -> Picture:
    """Draw when each phase of a scan ran, and how much of that time it was busy."""
    if phases.is_empty():
        return Nothing("The index does not tell when its scan's phases ran.")
    rows = phases.with_columns(words=pl.format("{} s busy", pl.col("busy_seconds").round(3)))
    base = alt.Chart(rows).encode(y=alt.Y("phase:N", sort=phases["phase"].to_list(), title=None))
    spans = base.mark_bar(height=16).encode(
        x=alt.X("started_seconds:Q", title="time since the scan began (s)"),
        x2="ended_seconds:Q",
        color=alt.Color("phase:N", legend=None),
    )
    words = base.mark_text(align="left", dx=5).encode(x="ended_seconds:Q", text="words:N")
    return (spans + words).properties(width=WIDTH - 120, height=30 * rows.height, title=title)
