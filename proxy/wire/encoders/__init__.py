"""Column encoders: one small module per family of types, each from Arrow arrays to `Cells`.

`proxy.wire.rows` is the only caller. An encoder gets a column as DuckDB exports it (with
`arrow_lossless_conversion`) and gives back what Postgres 15 would send for the same values, in the
text or in the binary format. A value that Postgres has no bytes for raises SqlError.
"""
