"""The models of Postgres's to_char, to_date and to_timestamp: 'YYYY-MM-DD', 'FMMonth', 'Q', 'WW'.

Why it exists: DuckDB's strftime knows most elements under other names. What it has no name for is computed
beside it, and the pieces are put together.

Promises: what a model says otherwise than it is understood here is refused with 0A000.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from proxy.sql.postgres.values import call, duck, is_text, refused

# Elements, longest first; after FM the second spelling is meant.
_ELEMENTS: tuple[tuple[str, str, str], ...] = (
    ("YYYY", "%Y", "%-Y"),
    ("IYYY", "%G", "%G"),
    ("HH24", "%H", "%-H"),
    ("HH12", "%I", "%-I"),
    ("DDD", "%j", "%-j"),
    ("YY", "%y", "%-y"),
    ("MM", "%m", "%-m"),
    ("DD", "%d", "%-d"),
    ("HH", "%I", "%-I"),
    ("MI", "%M", "%-M"),
    ("SS", "%S", "%-S"),
    ("MS", "%g", "%g"),
    ("US", "%f", "%f"),
    ("IW", "%V", "%-V"),
    ("ID", "%u", "%u"),
    ("AM", "%p", "%p"),
    ("PM", "%p", "%p"),
)
# Names, in the one spelling that strftime gives.
_NAMES: tuple[tuple[str, str], ...] = (
    ("FMMonth", "%B"),
    ("FMDay", "%A"),
    ("Mon", "%b"),
    ("Dy", "%a"),
)
_FOLLOWED = frozenset({"TH", "SP"})


def _named(directive: str, width: int) -> Callable[[exp.Expr, str, bool], exp.Expr]:
    """A name as its element is written, `MONTH`, `Month` or `month`; padded unless FM is before it."""

    def made(value: exp.Expr, spelled: str, short: bool) -> exp.Expr:
        name = duck("strftime", value, exp.Literal.string(directive))
        if spelled.isupper() or spelled[1:2].isupper():
            name = duck("upper", name)
        elif spelled.islower():
            name = duck("lower", name)
        if short or not width:
            return name
        return duck("rpad", name, exp.Literal.number(width), exp.Literal.string(" "))

    return made


def _counted(macro: str, width: int) -> Callable[[exp.Expr, str, bool], exp.Expr]:
    """A number that a macro gives as text, with leading zeros unless FM is before it."""

    def made(value: exp.Expr, spelled: str, short: bool) -> exp.Expr:
        number = call(macro, value)
        if short or width < 2:
            return number
        return duck("lpad", number, exp.Literal.number(width), exp.Literal.string("0"))

    return made


_COMPUTED: tuple[tuple[str, Callable[[exp.Expr, str, bool], exp.Expr]], ...] = (
    ("MONTH", _named("%B", 9)),
    ("SSSSS", _counted("pg_char_seconds_", 0)),
    ("SSSS", _counted("pg_char_seconds_", 0)),
    ("DAY", _named("%A", 9)),
    ("MON", _named("%b", 0)),
    ("DY", _named("%a", 0)),
    ("WW", _counted("pg_char_week_", 2)),
    ("CC", _counted("pg_char_century_", 2)),
    ("Q", _counted("pg_char_quarter_", 0)),
    ("J", _counted("pg_char_julian_", 0)),
    ("W", _counted("pg_char_week_of_month_", 0)),
    ("D", _counted("pg_char_day_of_week_", 0)),
)

Computed = tuple[Callable[[exp.Expr, str, bool], exp.Expr], str, bool]
"""What makes an element of a value, how the element is written, and whether FM is before it."""


def model(written: exp.Expr, what: str) -> str:
    """strftime's model of a literal model of Postgres's; raises 0A000 for what it cannot say."""
    pieces = _pieces(written, what)
    if not all(isinstance(piece, str) for piece in pieces):
        raise refused(f'{what} with the format "{written.this}"', written)
    return "".join(str(piece) for piece in pieces)


def written_as(value: exp.Expr, written: exp.Expr) -> exp.Expr:
    """to_char(value, written). Raises 0A000 for a model that is not understood."""
    made: list[exp.Expr] = []
    plain = ""
    for piece in [*_pieces(written, "to_char"), None]:
        if isinstance(piece, str):
            plain += piece
            continue
        if plain or (piece is None and not made):
            made.append(duck("strftime", value.copy(), exp.Literal.string(plain)))
            plain = ""
        if piece is not None:
            make, spelled, short = piece
            made.append(make(value.copy(), spelled, short))
    whole = made[0]
    for part in made[1:]:
        whole = exp.DPipe(this=whole, expression=part)
    return whole if len(made) == 1 else exp.Paren(this=whole)


def _pieces(written: exp.Expr, what: str) -> list[str | Computed]:
    if not is_text(written):
        raise refused(f"{what} with a format that is no literal", written)
    source, reads = written.this, what != "to_char"
    made: list[str | Computed] = []
    at = 0
    while at < len(source):
        if source[at] == '"':
            end = source.find('"', at + 1)
            end = len(source) if end < 0 else end
            made.append(source[at + 1 : end].replace("%", "%%"))
            at = end + 1
            continue
        named = next((pair for pair in _NAMES if source.startswith(pair[0], at)), None)
        if named is not None and source[at : at + 5] != "Month":
            made.append(named[1])
            at += len(named[0])
            continue
        short = source[at : at + 2].upper() == "FM"
        start = at + 2 if short else at
        rest = source[start : start + 5].upper()
        computed = next((one for one in _COMPUTED if rest.startswith(one[0])), None)
        found = next((element for element in _ELEMENTS if rest.startswith(element[0])), None)
        if found is not None and (computed is None or len(found[0]) >= len(computed[0])):
            at = start + len(found[0])
            lower = found[0] in ("AM", "PM") and not source[start:at].isupper()
            if lower or source[at : at + 2].upper() in _FOLLOWED:
                raise refused(f'{what} with the format "{source}"', written)
            made.append(found[2] if short else found[1])
        elif computed is not None:
            at = start + len(computed[0])
            if source[at : at + 2].upper() in _FOLLOWED:
                raise refused(f'{what} with the format "{source}"', written)
            made.append((computed[1], source[start:at], short))
        elif source[at] == "\\" or (source[at].isalnum() if reads else source[at].isalpha()):
            raise refused(f'{what} with the format "{source}"', written)
        else:
            made.append("%%" if source[at] == "%" else source[at])
            at += 1
    return made
