"""Where two layers of a table differ, by a hash of each row instead of a comparison of all.

Two EXCEPT ALL, one each way, hash every column of every row four times; one sum of signed 64-bit
row hashes a group does it once. Two different groups look the same once in 2**64 times.
"""

from musefs.index.schema.ddl import TABLES_BY_NAME, quote_name


def differing_rows(group: str, table: str, left: str, right: str) -> str:
    """Return a query for the groups whose rows differ between `left` and `right`.

    Both have the columns of `table`; only tracks of the table read_now are looked at.
    """
    columns = ", ".join(quote_name(column.name) for column in TABLES_BY_NAME[table].stored)
    side = f"SELECT {group}, {{sign}}hash({columns})::HUGEINT AS digest FROM {{source}} "
    read = "SEMI JOIN read_now USING (track_id)"
    return (
        f"SELECT {group} FROM ({side.format(sign='', source=left)}{read} "
        f"UNION ALL {side.format(sign='-', source=right)}{read}) "
        f"GROUP BY {group} HAVING sum(digest) <> 0"
    )
