"""The three formats of COPY, both ways; `proxy.wire.copy` is the door to them.

`options` says what was asked, `lines` finds rows and fields in text and CSV, `binary` in the binary
format, `reading` makes columns of them, `writing` makes CopyData messages of result rows.
"""
