"""The session settings that change how a value is written as text.

Why it is apart: every encoder reads it, the session fills it in, and neither should know the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.errors import SqlError

BYTEA_OUTPUTS = ("hex", "escape")
INTERVAL_STYLES = ("postgres", "iso_8601", "postgres_verbose")


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How values become text.

    time_zone: an IANA name; timestamptz is written in this zone's local time.
    extra_float_digits: > 0 is the shortest text that reads back as the same number; otherwise
        15 (float8) or 6 (float4) plus this many significant digits. -15 to 3.
    bytea_output: `hex` or `escape`.
    interval_style: `postgres`, `iso_8601` or `postgres_verbose`. DateStyle is always ISO.
    """

    time_zone: str = "UTC"
    extra_float_digits: int = 1
    bytea_output: str = "hex"
    interval_style: str = "postgres"

    def __post_init__(self) -> None:
        if not -15 <= self.extra_float_digits <= 3:
            raise SqlError(
                "22023",
                f"{self.extra_float_digits} is outside the valid range for parameter "
                '"extra_float_digits" (-15 .. 3)',
            )
        for name, value, known in (
            ("bytea_output", self.bytea_output, BYTEA_OUTPUTS),
            ("IntervalStyle", self.interval_style, INTERVAL_STYLES),
        ):
            if value not in known:
                raise SqlError(
                    "22023",
                    f'invalid value for parameter "{name}": "{value}"',
                    hint=f"Available values: {', '.join(known)}.",
                )
