"""Parameter decoders: one small module per family of types, from Bind's bytes to plain values.

`proxy.wire.params` is the only caller. A text decoder gets the text and the session's time zone, a
binary decoder the bytes; both give the value that Postgres 15 would read, or raise the SqlError
that it would answer. No engine is known here.
"""
