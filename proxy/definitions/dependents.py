"""What depends on a relation or a column: the views over it, and the keys that refer to it.

Why it exists: DuckDB's views know what they read by its name alone, and stay when it is gone or is of another
type; every use of one fails then. In Postgres such a statement is refused, and with CASCADE drops the
views, and says so.

Promises: a view depends on what its text reads for certain (`proxy.sql.definitions.view_reads`): names are looked up as
DuckDB does, in the view's own schema and then in `main`; a text that cannot be read depends on nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.engines.duck.c import DuckError
from proxy.engines.duck.names import DATABASE, Meant
from proxy.errors import SqlError
from proxy.sql.definitions.materialized import name_of_query, query_name
from proxy.sql.definitions.renamed_columns import (
    Renaming,
    with_columns,
    with_new_column,
    without_added_column,
)
from proxy.sql.definitions.view_reads import (
    Parts,
    reads_of,
    with_new_name,
    with_new_place,
    with_schemas,
)
from proxy.sql.quoting import literal, name_as_needed, quoted

if TYPE_CHECKING:
    from proxy.engines.duck.session import DuckSession

HINT = "Use DROP ... CASCADE to drop the dependent objects too."
_TOLD = 100  # of what depends, as many as Postgres tells a client
_KINDS = {"r": "table", "v": "view", "S": "sequence"}
_COMMENT = f"""
SELECT comment FROM duckdb_views()
WHERE database_name = '{DATABASE}' AND schema_name = {{schema}} AND view_name = {{name}}
"""
_COLUMN_COMMENTS = f"""
SELECT column_name, comment FROM duckdb_columns() WHERE database_name = '{DATABASE}'
AND schema_name = {{schema}} AND table_name = {{name}} AND comment IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class View:
    """A view that depends on something. on: what that is, as in 'column a of table t'."""

    view: Meant
    on: str


def views_over(duck: DuckSession, meant: Meant, column: str | None = None) -> list[View]:
    """Blocks. The views that read a relation, and those that read them, each after what it reads.

    column: only those that read this one of the relation's.
    """
    return Look(duck).over(meant, column) if meant.database == DATABASE else []


def views_renamed(duck: DuckSession, meant: Meant, new: str) -> list[tuple[Meant, list[str]]]:
    """Blocks. What makes the views that read a relation follow its new name: each and its statements.

    They are for after the relation has got it. A view that fails already, or whose text cannot be made over,
    stays as it is.
    """
    return _following(duck, meant, new)


def _following(
    duck: DuckSession, meant: Meant, new: str, schema: str | None = None
) -> list[tuple[Meant, list[str]]]:
    if meant.database != DATABASE:
        return []
    look = Look(duck)
    made = []
    for view, _ in look.readers(meant):
        if not look.works(view):
            continue
        text = with_new_name(
            look.text_of(view), lambda parts, v=view: look.means(v, parts, meant), new, schema
        )
        if text is not None:
            after = text.partition("CREATE ")[2]
            made.append((view, _made_again(duck, view, f"CREATE OR REPLACE {after}")))
    return made


def views_with_column(
    duck: DuckSession, meant: Meant, old: str, new: str
) -> list[tuple[Meant, list[str]]]:
    """Blocks. As `views_renamed`, of a column that gets another name; the views' own keep theirs.

    Raises SqlError 0A000 for a view that reads it in a way that cannot follow.
    """
    if meant.database != DATABASE:
        return []
    look = Look(duck)
    made = []
    for view, columns in look.readers(meant):
        if old.lower() not in (one.lower() for one in columns) or not look.works(view):
            continue
        renaming = Renaming(
            lambda parts, v=view: look.means(v, parts, meant),
            lambda parts, v=view: look.columns_of(v, parts),
            old,
            new,
        )
        text = with_new_column(look.text_of(view), renaming, look.names_of(view))
        if text is None:
            what = f'renaming column "{old}", which {described(duck, view)} joins by its name,'
            raise SqlError("0A000", f"{what} is not supported on analytical tables")
        made.append((view, _made_again(duck, view, text)))
    return made


def views_without_columns(
    duck: DuckSession, meant: Meant, new: Sequence[str]
) -> list[tuple[Meant, list[str]]]:
    """As `views_renamed`, of columns that are added: to Postgres `*` is what it was when a view was made."""
    if meant.database != DATABASE:
        return []
    look = Look(duck)
    before = look.names_of(meant)
    there = {name.lower() for name in before}
    if all(name.lower() in there for name in new):
        return []
    made = []
    for view, _ in look.readers(meant):
        names = look.names_of(view)
        if not names:
            continue
        text = without_added_column(
            look.text_of(view), lambda parts, v=view: look.means(v, parts, meant), before, names
        )
        if text is not None:
            made.append((view, _made_again(duck, view, text)))
    return made


def view_moved(duck: DuckSession, view: Meant, schema: str, new: str) -> list[str]:
    """Blocks. What makes a view of the same query in another schema, and takes it away where it is.

    What its text names without a schema is what that means where it is. Raises SqlError 0A000.
    """
    look = Look(duck)
    text = look.text_of(view)
    text = with_schemas(text, lambda name: look.schema_of(view, name)) or text
    moved = with_new_place(text, view.database, schema, new)
    if moved is None:
        raise SqlError("0A000", "moving such a view to another schema is not supported")
    place = Meant(view.database, schema, new, "v")
    return [*_made_again(duck, view, moved, place=place), *drops_of(view)]


def readers_of_moved(duck: DuckSession, view: Meant, schema: str) -> list[tuple[Meant, list[str]]]:
    """As `views_renamed`, of a relation that goes to another schema."""
    return _following(duck, view, view.name, schema)


def views_made_over(
    duck: DuckSession, change: Callable[[str], str | None]
) -> list[tuple[Meant, list[str]]]:
    """Blocks. As `views_renamed`, of all views whose texts are to be others. change: None for the same."""
    made = []
    for schema, name, sql in duck.views():
        if (text := change(sql)) is not None:
            again = f"CREATE OR REPLACE {text.partition('CREATE ')[2]}"
            view = Meant(DATABASE, schema, name, "v")
            made.append((view, _made_again(duck, view, again)))
    return made


def view_with_column(
    duck: DuckSession, view: Meant, old: str, new: str
) -> list[tuple[Meant, list[str]]]:
    """Blocks. What gives a column of a view another name: as `views_with_column`, itself first.

    Raises SqlError as Postgres does where it has no such column, or has one of the new name.
    """
    look = Look(duck)
    names = look.names_of(view)
    if old.lower() not in (name.lower() for name in names):
        raise SqlError("42703", f'column "{old}" does not exist')
    if new.lower() in (name.lower() for name in names):
        raise SqlError("42701", f'column "{new}" of relation "{view.name}" already exists')
    renamed = [new if name.lower() == old.lower() else name for name in names]
    text = with_columns(look.text_of(view), renamed)
    if text is None:
        raise SqlError("0A000", "renaming a column of such a view is not supported")
    own = _made_again(duck, view, text, {old.lower(): new})
    return [(view, own), *views_with_column(duck, view, old, new)]


def _made_again(
    duck: DuckSession,
    view: Meant,
    statement: str,
    renamed: dict[str, str] | None = None,
    place: Meant | None = None,
) -> list[str]:
    """What makes a view anew, and gives it its comments. renamed: its columns, by their old names. place:
    where it is then, if elsewhere."""
    where = {"schema": literal(view.schema), "name": literal(view.name)}
    ((said,),) = duck.run(_COMMENT.format(**where))
    own = quoted(*(place or view)[:3])
    statements = [statement]
    if said is not None:
        statements.append(f"COMMENT ON VIEW {own} IS {literal(said)}")
    for column, text in duck.run(_COLUMN_COMMENTS.format(**where)):
        name = (renamed or {}).get(column.lower(), column)
        statements.append(f"COMMENT ON COLUMN {own}.{quoted(name)} IS {literal(text)}")
    return statements


def check_free(
    duck: DuckSession,
    meant: Meant,
    keys: Sequence[tuple[str, Meant]],
    column: str | None = None,
) -> None:
    """Blocks. Raises SqlError 2BP01 if a DROP without CASCADE would leave what depends on it.

    keys: the foreign keys that refer to it, and their tables. column: the one that is dropped of it.
    """
    views = views_over(duck, meant, column)
    if keys or views:
        what = described(duck, meant, column)
        lines = keys_depend(duck, keys, what)
        lines += [depends(duck, one) for one in views]
        raise refusal(what, lines)


def check_type(duck: DuckSession, meant: Meant, column: str) -> None:
    """Blocks. Raises SqlError 0A000 if views read a column whose type is to change."""
    for one in views_over(duck, meant, column):
        rule = f"rule _RETURN on {described(duck, one.view)}"
        raise SqlError(
            "0A000",
            "cannot alter type of a column used by a view or rule",
            detail=f'{rule} depends on column "{column}"',
        )


def refusal(what: str, lines: Sequence[str]) -> SqlError:
    message = f"cannot drop {what} because other objects depend on it"
    return SqlError("2BP01", message, detail="\n".join(lines), hint=HINT)


def refusal_of_several(refused: Sequence[SqlError]) -> SqlError:
    """What a DROP of several is refused with, of which these are left."""
    lines = (line for error in refused for line in (error.detail or "").splitlines())
    detail = "\n".join(dict.fromkeys(lines))
    message = "cannot drop desired object(s) because other objects depend on them"
    return SqlError("2BP01", message, detail=detail, hint=HINT)


def keys_depend(duck: DuckSession, keys: Sequence[tuple[str, Meant]], what: str) -> list[str]:
    """... of foreign keys: their names, and whose they are."""
    return [
        f"constraint {name_as_needed(name)} on {described(duck, table)} depends on {what}"
        for name, table in keys
    ]


def depends(duck: DuckSession, one: View) -> str:
    """A line of a refusal's detail."""
    return f"{described(duck, one.view)} depends on {one.on}"


def described(duck: DuckSession, meant: Meant, column: str | None = None) -> str:
    """As Postgres describes it: with its schema where its name alone does not mean it."""
    if column is not None:
        return f"column {name_as_needed(column)} of {described(duck, meant)}"
    kind, name = _KINDS[meant.kind], meant.name
    materialized = name_of_query(name) if meant.kind == "v" else None
    if materialized is not None or is_materialized(duck, meant):
        kind, name = "materialized view", materialized or name
    if duck.means((meant.name,)) == meant:
        return f"{kind} {name_as_needed(name)}"
    schema = "public" if meant.schema == "main" else meant.schema
    return f"{kind} {name_as_needed(schema)}.{name_as_needed(name)}"


def is_materialized(duck: DuckSession, meant: Meant) -> bool:
    """Blocks. Whether a table is a materialized view's rows: a view of its query stands beside it."""
    if meant.kind != "r" or meant.database != DATABASE:
        return False
    return duck.means((*meant[:2], query_name(meant.name))) is not None


def notice(dropped: tuple[str, ...]) -> SqlError:
    """What Postgres says of them. dropped: each as in 'view v'."""
    lines = [f"drop cascades to {what}" for what in dropped]
    if len(lines) == 1:
        return SqlError("00000", lines[0])
    message = f"drop cascades to {len(lines)} other objects"
    if len(lines) > _TOLD:
        left = len(lines) - _TOLD
        more = "object" if left == 1 else "objects"
        lines[_TOLD:] = [f"and {left} other {more} (see server log for list)"]
    return SqlError("00000", message, detail="\n".join(lines))


def drops_of(view: Meant) -> list[str]:
    """What drops a view; with one that holds a materialized view's query, its rows."""
    drops = [f"DROP VIEW {quoted(*view[:3])}"]
    if (materialized := name_of_query(view.name)) is not None:
        drops.append(f"DROP TABLE {quoted(*view[:2], materialized)}")
    return drops


def _rows_of(view: Meant, materialized: str) -> Meant:
    """The table of a materialized view, of the view that holds its query."""
    return Meant(*view[:2], materialized, "r")


class Look:
    """Blocks. What the texts of views read, each text and each relation looked at once."""

    def __init__(self, duck: DuckSession) -> None:
        self._duck = duck
        self._views = [
            (Meant(DATABASE, schema, name, "v"), sql, sql.lower())
            for schema, name, sql in duck.views()
        ]
        self._read: dict[Meant, dict[tuple[str, str], list[str]]] = {}
        self._columns: dict[tuple[str, str], list[str]] = {}

    def over(self, meant: Meant, column: str | None = None) -> list[View]:
        """As `views_over`, of a relation of the database that is kept."""
        found: dict[Meant, View] = {}

        def add(of: Meant, on: str, only: str | None) -> None:
            for view, columns in self.readers(of):
                if view == meant or view in found:
                    continue
                if only is None or only.lower() in (one.lower() for one in columns):
                    found[view] = View(view, on)
                    materialized = name_of_query(view.name)
                    read = view if materialized is None else _rows_of(view, materialized)
                    add(read, described(self._duck, view), None)

        if self.readers(meant):
            add(meant, described(self._duck, meant, column), column)
        return list(found.values())

    def readers(self, of: Meant) -> list[tuple[Meant, list[str]]]:
        """The views that read a relation, and which columns of it, in the order of their making."""
        word = of.name.lower().replace('"', '""')
        found = []
        for view, sql, folded in self._views:
            if word not in folded:
                continue
            if view not in self._read:
                self._read[view] = self._reads(view.schema, sql)
            columns = self._read[view].get((of.schema, of.name))
            if columns is not None:
                found.append((view, columns))
        return found

    def text_of(self, view: Meant) -> str:
        return next(sql for one, sql, _ in self._views if one == view)

    def works(self, view: Meant) -> bool:
        """Whether all that a view reads is there."""
        return bool(self._columns_of(view))

    def names_of(self, view: Meant) -> list[str]:
        """The names of a view's columns; [] for one that fails."""
        return self._columns_of(view)

    def columns_of(self, view: Meant, parts: Parts) -> list[str] | None:
        """The columns of what a name in a view's text means; None where that is not known."""
        meant = self._meant(view.schema, parts)
        return None if meant is None else self._columns_of(meant) or None

    def schema_of(self, view: Meant, name: str) -> str | None:
        """In which a name without one is found in a view's text; None for what is not kept."""
        meant = self._meant(view.schema, (name,))
        return meant.schema if meant is not None and meant.database == DATABASE else None

    def means(self, view: Meant, parts: Parts, meant: Meant) -> bool:
        """Whether a name in a view's text means a relation."""
        return self._meant(view.schema, parts) == meant

    def _reads(self, schema: str, sql: str) -> dict[tuple[str, str], list[str]]:
        """The relations of the database that is kept, and their columns, by schema and name."""
        found: dict[Parts, tuple[str, str]] = {}

        def columns_of(parts: Parts) -> list[str] | None:
            meant = self._meant(schema, parts)
            if meant is None or meant.database != DATABASE or meant.kind not in "rv":
                return None
            found[parts] = meant.schema, meant.name
            return self._columns_of(meant)

        read = reads_of(sql).resolved(columns_of)
        return {found[parts]: columns for parts, columns in read.items()}

    def _meant(self, schema: str, parts: Parts) -> Meant | None:
        if len(parts) > 1:
            return self._duck.means(parts)
        own = self._duck.means((DATABASE, schema, *parts))
        return own or self._duck.means((DATABASE, "main", *parts))

    def _columns_of(self, meant: Meant) -> list[str]:
        key = meant.schema, meant.name
        if key not in self._columns:
            name = literal(quoted(*meant[:3]))
            try:
                rows = self._duck.run(f"SELECT name FROM pragma_table_info({name})")
            except DuckError:
                rows = []  # a view that reads what is gone
            self._columns[key] = [column for (column,) in rows]
        return self._columns[key]
