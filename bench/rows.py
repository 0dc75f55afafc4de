"""What it costs to turn Arrow batches into DataRow messages, against DuckDB's own `fetchall()`.

Run it with `python bench/rows.py`. It prints, for 1,000,000 rows of (int, double, varchar,
timestamp, decimal), the encoding time in text and in binary, each column's share, and the ratio to
`fetchall()` of the same rows in the same run (ratios travel between machines, seconds do not); then
what one call costs for a batch of one row and one column, the price of a point query.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import duckdb
import pyarrow as pa

from proxy.wire.rows import RowEncoder, TextStyle
from proxy.wire.types import DuckType

ROWS = 1_000_000
REPEATS = 5
# As many rows as the engine combines into one batch.
BATCH_ROWS = 61_440

QUERY = f"""
    select i::integer as i,
           (hash(i) % 1000000007) / 1000.0::double as d,
           'name_' || (hash(i + 1) % 100000)::varchar as s,
           timestamp '2024-01-01' + to_microseconds((hash(i + 2) % 31536000000)::bigint * 1000) as t,
           ((hash(i + 3) % 1000000000) / 100.0)::decimal(18, 2) as n
    from range({ROWS}) r(i)
"""
TYPES = (
    DuckType("INTEGER"),
    DuckType("DOUBLE"),
    DuckType("VARCHAR"),
    DuckType("TIMESTAMP"),
    DuckType("DECIMAL", width=18, scale=2),
)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median of the wall time of `repeats` runs."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def encode(batches: list[pa.RecordBatch], types: tuple[DuckType, ...], form: int) -> int:
    encoder = RowEncoder(types, [form] * len(types), TextStyle())
    return sum(len(memoryview(encoder.encode(batch))) for batch in batches)


def main() -> None:
    con = duckdb.connect()
    con.execute("SET arrow_lossless_conversion = true")
    con.execute("SET threads = 1")
    con.execute(f"CREATE TABLE rows_of_bench AS {QUERY}")
    table = con.execute("FROM rows_of_bench").to_arrow_table()
    batches = table.combine_chunks().to_batches(max_chunksize=BATCH_ROWS)

    floor = seconds(lambda: con.execute("FROM rows_of_bench").fetchall(), repeats=3)
    print(f"{'duckdb fetchall()':32s} {floor:7.3f} s")
    for name, form in (("text", 0), ("binary", 1)):
        size = encode(batches, TYPES, form)
        took = seconds(lambda form=form: encode(batches, TYPES, form))
        print(f"{name:32s} {took:7.3f} s  {took / floor:5.3f} of fetchall  {size / 1e6:6.1f} MB")
        for at, duck in enumerate(TYPES):
            one = [batch.select([at]) for batch in batches]
            took = seconds(lambda one=one, duck=duck, form=form: encode(one, (duck,), form))
            print(f"  {name} {duck!s:24s} {took:7.3f} s")

    print("one row, one column")
    calls = 2000
    for at, duck in enumerate(TYPES):
        tiny = batches[0].select([at]).slice(0, 1)
        for name, form in (("text", 0), ("binary", 1)):
            encoder = RowEncoder((duck,), (form,), TextStyle())

            def many(encoder: RowEncoder = encoder, tiny: pa.RecordBatch = tiny) -> None:
                for _ in range(calls):
                    encoder.encode(tiny)

            print(f"  {name} {duck!s:24s} {seconds(many) / calls * 1e6:7.1f} us a call")


if __name__ == "__main__":
    main()
