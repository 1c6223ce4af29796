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
GLYPH_WIDTH = 6.4
"""Pixels of an average character in a cell of a treemap."""
LABEL_LIMIT = 320
"""Pixels for a label on the left; longer paths are cut in their middle by `shortened`."""

alt.renderers.enable("png", scale_factor=1.5)
"""Drawn here, offline, the same in every notebook program: altair's default fetches its drawing
program from the net, and its MIME type is known to few. Change it for charts with tooltips."""


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
    digits: int = 0,
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
        digits = 1
    base = alt.Chart(_plain(rows, "_row", value)).encode(
        y=alt.Y("_row:N", sort=None, title=None, axis=alt.Axis(
            labelExpr="split(datum.label, '\\t')[1]", labelLimit=LABEL_LIMIT)),
        x=alt.X(f"{value}:Q", title=name, axis=_ticks(whole=digits == 0)),
    )  # fmt: skip
    numbers = base.mark_text(align="left", dx=4).encode(
        text=alt.Text(f"{value}:Q", format=f",.{digits}f")
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
    nothing: str = "There is nothing to show.",
) -> Picture:
    """Draw columns along an axis of whole numbers, such as years; gaps stay gaps."""
    if frame.is_empty():
        return Nothing(nothing)
    name, rows = axis_y or value, frame
    if unit_of_bytes:
        rows, unit = _scaled(rows, value)
        name = f"{axis_y or 'size'} ({unit})"
    low, high = float(rows[place].min()) - 0.6, float(rows[place].max()) + 0.6
    width_of_one = min(60.0, max(2.0, WIDTH / (high - low) - 2))
    return (
        alt.Chart(_plain(rows, place, value))
        .mark_bar(size=width_of_one)
        .encode(
            x=alt.X(
                f"{place}:Q",
                title=axis_x,
                axis=alt.Axis(format="d", tickMinStep=1, grid=False),
                scale=alt.Scale(domain=[low, high], nice=False),
            ),
            y=alt.Y(f"{value}:Q", title=name, axis=_ticks(whole=not unit_of_bytes)),
        )
        .properties(width=WIDTH, height=260, title=title)
    )


def _ticks(*, whole: bool) -> alt.Axis:
    """Whole numbers have no ticks between them."""
    return alt.Axis(format="d", tickMinStep=1) if whole else alt.Axis()


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
    name = f"{row[group]}/{row[member]}".strip("/") or "files in the root"
    room = int((width - 8) / GLYPH_WIDTH)
    short = name if len(name) <= room else str(row[member]) or name
    amount = f"{bytes_of / divisor:.1f} {unit}"
    return {
        "group": str(row[group]) or "(root)", "name": name, "amount": amount,
        "x": x, "y": y, "x2": x + width, "y2": y + height,
        "label": shortened(short, room) if room >= 4 and height >= 14 else "",
        "second": amount if room >= len(amount) and height >= 30 else "",
        "label_y": y + 11, "second_y": y + 24,
    }  # fmt: skip


def _drawn_treemap(cells: pl.DataFrame, title: str, height: int) -> Picture:
    base = alt.Chart(cells)
    across = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, WIDTH], nice=False))
    down = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height, 0], nice=False))
    boxes = base.mark_rect(stroke="white", strokeWidth=1.5).encode(
        x=across, y=down, x2="x2:Q", y2="y2:Q",
        color=alt.Color("group:N", legend=None, scale=alt.Scale(scheme="set3")),
        tooltip=["name:N", "amount:N"],
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
    rows = phases.with_columns(
        words=pl.format("{} ms busy", (pl.col("busy_seconds") * 1000).round(1))
    )
    base = alt.Chart(rows).encode(y=alt.Y("phase:N", sort=phases["phase"].to_list(), title=None))
    spans = base.mark_bar(height=16).encode(
        x=alt.X("started_seconds:Q", title="time since the scan began (s)"),
        x2="ended_seconds:Q",
        color=alt.Color("phase:N", legend=None),
    )
    words = base.mark_text(align="left", dx=5).encode(x="ended_seconds:Q", text="words:N")
    return (spans + words).properties(width=WIDTH - 120, height=30 * rows.height, title=title)


def spread(
    frame: pl.DataFrame, group: str, place: str, weight: str, title: str, *, axis: str
) -> Picture:
    """Draw where the values of each group lie: one circle a value, as large as it is frequent."""
    if frame.is_empty():
        return Nothing("There is nothing to show.")
    return (
        alt.Chart(_plain(frame, group, place, weight))
        .mark_circle(opacity=0.6)
        .encode(
            x=alt.X(f"{place}:Q", title=axis),
            y=alt.Y(f"{group}:N", title=None, axis=alt.Axis(labelLimit=LABEL_LIMIT)),
            size=alt.Size(f"{weight}:Q", title=weight, legend=alt.Legend(tickCount=4)),
            color=alt.Color(f"{group}:N", legend=None),
        )
        .properties(width=WIDTH - 120, height=32 * frame[group].n_unique() + 20, title=title)
    )


def stacked(
    frame: pl.DataFrame,
    place: str,
    parts: dict[str, str],
    title: str,
    *,
    axis_x: str,
    axis_y: str,
) -> Picture:
    """Draw several columns of a frame on top of each other, along a numeric axis."""
    if frame.is_empty():
        return Nothing("There is nothing to show.")
    named = frame.select(place, *(pl.col(column).alias(word) for column, word in parts.items()))
    long = named.unpivot(index=place, variable_name="part", value_name="amount")
    return (
        alt.Chart(long)
        .mark_area(interpolate="step-after")
        .encode(
            x=alt.X(f"{place}:Q", title=axis_x),
            y=alt.Y("amount:Q", title=axis_y),
            color=alt.Color("part:N", title=None),
        )
        .properties(width=WIDTH - 80, height=260, title=title)
    )


def steps(
    frame: pl.DataFrame,
    begin: str,
    end: str,
    parts: dict[str, str],
    title: str,
    *,
    axis_x: str,
    axis_y: str,
    nothing: str = "There is nothing to show.",
) -> Picture:
    """Draw several columns as steps along a numeric axis, each row from its begin to its end."""
    if frame.is_empty():
        return Nothing(nothing)
    words = [pl.col(column).alias(word) for column, word in parts.items()]
    sides = [
        frame.select(pl.col(side).alias("place"), pl.lit(order).alias("order"), *words)
        for order, side in enumerate((begin, end))
    ]
    edges = pl.concat(sides).sort("place", "order", descending=[False, True])
    long = edges.with_row_index("point").unpivot(
        index=["place", "point"], on=list(parts.values()), variable_name="part"
    )
    colours = alt.Scale(domain=list(parts.values()))
    return (
        alt.Chart(long.rename({"value": "amount"}))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("place:Q", title=axis_x, axis=alt.Axis(format="~s", grid=False)),
            y=alt.Y("amount:Q", title=axis_y, axis=alt.Axis(format="~s", tickCount=6)),
            order="point:Q",
            color=alt.Color("part:N", title=None, scale=colours),
        )
        .properties(width=WIDTH - 80, height=260, title=title)
    )


def pairs(
    frame: pl.DataFrame,
    label: str,
    parts: dict[str, str],
    title: str,
    *,
    axis: str,
    nothing: str = "There is nothing to show.",
) -> Picture:
    """Draw several byte counts of each row side by side."""
    if frame.is_empty():
        return Nothing(nothing)
    rows, unit = _scaled(frame, *parts)
    named = rows.select(label, *(pl.col(column).alias(word) for column, word in parts.items()))
    long = named.unpivot(index=label, variable_name="part", value_name="amount")
    base = alt.Chart(long).encode(
        y=alt.Y(f"{label}:N", title=None),
        yOffset=alt.YOffset("part:N"),
        x=alt.X("amount:Q", title=f"{axis} ({unit})"),
    )
    numbers = base.mark_text(align="left", dx=4).encode(text=alt.Text("amount:Q", format=",.1f"))
    boxes = base.mark_bar().encode(color=alt.Color("part:N", title=None))
    return (boxes + numbers).properties(width=WIDTH - 120, height=70 * frame.height, title=title)
