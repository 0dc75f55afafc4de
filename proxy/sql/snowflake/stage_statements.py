"""Statements about stages, file formats and the files in them, read from tokens.

CREATE, ALTER, DROP, DESCRIBE and SHOW of stages and file formats, LIST, REMOVE, PUT, GET, and COPY INTO
both ways, as values for the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sqlglot.tokens import Token, TokenType

from proxy.errors import SqlError
from proxy.sql.reading import SNOWFLAKE, at_or_near
from proxy.sql.snowflake import stage_actions as act
from proxy.sql.snowflake import stage_queries, stage_words
from proxy.sql.words import Words


class Read(NamedTuple):
    """What was read: the kind of statement, its tag, and what is to be done."""

    kind: str
    tag: str
    action: act.StageAction
    writes: bool = False


def _created(words: Words) -> tuple[bool, bool]:
    """Whether to replace, and whether it is temporary."""
    words.expect("CREATE")
    replace = words.accept("OR", "REPLACE")
    temporary = False
    while word := words.accept_any("TEMPORARY", "TEMP", "VOLATILE", "LOCAL", "GLOBAL"):
        temporary = temporary or word not in ("LOCAL", "GLOBAL")
    return replace, temporary


def _existing(words: Words) -> bool:
    return words.accept("IF", "EXISTS")


# --- definitions ----------------------------------------------------------------------------------

_EXTERNAL = ("URL", "STORAGE_INTEGRATION", "CREDENTIALS", "ENDPOINT", "AWS_ACCESS_POINT_ARN")


def _create_stage(words: Words) -> Read:
    replace, temporary = _created(words)
    words.expect("STAGE")
    absent = words.accept("IF", "NOT", "EXISTS")
    name = words.dotted()
    format_, comment, directory = _stage_properties(words)
    made = act.CreateStage(
        name, format_ or act.Format(), comment, bool(directory), temporary, replace, absent
    )
    return Read("CREATE STAGE", "CREATE STAGE", made, writes=True)


def _stage_properties(words: Words) -> tuple[act.Format | None, str | None, bool | None]:
    format_: act.Format | None = None
    comment: str | None = None
    directory: bool | None = None
    while words.token is not None:
        at = words.token
        if words.word == "WITH" or words.word == "TAG":
            raise SqlError("0A000", "tags are not supported", position=at.start + 1)
        name = words.step().text.upper()
        words.expect("=")
        if name in _EXTERNAL:
            raise SqlError(
                "0A000",
                f"{name}: external stages are not supported",
                hint=stage_words.INTERNAL,
                position=at.start + 1,
            )
        if name == "FILE_FORMAT":
            format_ = stage_words.file_format(words)
        elif name == "COMMENT":
            comment = words.string()
        elif name == "DIRECTORY":
            words.expect("(")
            directory = (
                str(stage_words.options(words, ")").get("ENABLE", "FALSE")).upper() == "TRUE"
            )
        elif name == "ENCRYPTION":
            words.expect("(")
            kind = str(stage_words.options(words, ")").get("TYPE", "")).upper()
            if kind not in ("SNOWFLAKE_FULL", "SNOWFLAKE_SSE"):
                raise SqlError("0A000", f"ENCRYPTION of type {kind} is not supported")
        elif name == "COPY_OPTIONS":
            raise SqlError("0A000", "COPY_OPTIONS of a stage are not supported", hint=_COPY_HINT)
        else:
            raise at_or_near(words.text, at)
        words.accept(",")
    return format_, comment, directory


_COPY_HINT = "Give them to COPY INTO."


def _create_format(words: Words) -> Read:
    replace, temporary = _created(words)
    _kind(words)
    absent = words.accept("IF", "NOT", "EXISTS")
    name = words.dotted()
    options = stage_words.options(words)
    comment = options.pop("COMMENT", None)
    made = act.CreateFormat(
        name,
        act.Format(options=options),
        None if comment is None else str(comment),
        temporary,
        replace,
        absent,
    )
    return Read("CREATE FILE FORMAT", "CREATE FILE FORMAT", made, writes=True)


def _kind(words: Words) -> str:
    if words.accept("STAGE"):
        return "STAGE"
    if not words.accept("FILE FORMAT"):  # one token to the tokenizer
        words.expect("FILE", "FORMAT")
    return "FILE FORMAT"


def _alter(words: Words) -> Read:
    words.expect("ALTER")
    kind = _kind(words)
    exists = _existing(words)
    name = words.dotted()
    tag = f"ALTER {kind}"
    if words.accept("RENAME"):
        words.expect("TO")
        renamed = words.dotted()
        words.end()
        return Read(tag, tag, act.Alter(kind, name, exists, rename=renamed), writes=True)
    if words.accept("REFRESH"):  # a directory is always as it is
        words.rest() if words.token is not None else None
        return Read(tag, tag, act.Alter(kind, name, exists), writes=True)
    if words.accept("UNSET"):
        words.expect("COMMENT")
        words.end()
        return Read(tag, tag, act.Alter(kind, name, exists, comment=""), writes=True)
    words.expect("SET")
    if kind == "STAGE":
        format_, comment, directory = _stage_properties(words)
        made = act.Alter(kind, name, exists, None, format_, comment, directory)
        return Read(tag, tag, made, writes=True)
    options = stage_words.options(words)
    comment = options.pop("COMMENT", None)
    made = act.Alter(
        kind,
        name,
        exists,
        format=act.Format(options=options) if options else None,
        comment=None if comment is None else str(comment),
    )
    return Read(tag, tag, made, writes=True)


def _comment(words: Words) -> Read:
    words.expect("COMMENT")
    exists = _existing(words)
    words.expect("ON")
    kind = _kind(words)
    name = words.dotted()
    words.expect("IS")
    comment = words.string()
    words.end()
    made = act.Alter(kind, name, exists, comment=comment, tag="COMMENT")
    return Read("COMMENT", "COMMENT", made, writes=True)


def _drop(words: Words) -> Read:
    words.expect("DROP")
    kind = _kind(words)
    exists = _existing(words)
    name = words.dotted()
    words.accept_any("CASCADE", "RESTRICT")
    words.end()
    return Read(f"DROP {kind}", f"DROP {kind}", act.Drop(kind, name, exists), writes=True)


def _describe(words: Words) -> Read:
    words.step()
    kind = _kind(words)
    name = words.dotted()
    words.end()
    return Read(f"DESCRIBE {kind}", "DESCRIBE", act.Describe(kind, name))


def _show(words: Words) -> Read:
    words.expect("SHOW")
    words.accept("TERSE")
    kind = "STAGE"
    if not words.accept("STAGES"):
        words.accept("FILE FORMATS") or words.expect("FILE", "FORMATS")
        kind = "FILE FORMAT"
    like = starts = schema = None
    everywhere, limit = False, None
    if words.accept("LIKE"):
        like = words.string()
    if words.accept("IN"):
        if words.accept("ACCOUNT"):
            everywhere = True
        elif words.accept("DATABASE"):
            everywhere = True
            if words.token is not None and words.word not in ("STARTS", "LIMIT"):
                words.dotted()
        else:
            words.accept("SCHEMA")
            schema = words.dotted()[-1]
    if words.accept("STARTS"):
        words.expect("WITH")
        starts = words.string()
    if words.accept("LIMIT"):
        limit = words.integer()
        if words.accept("FROM"):
            raise SqlError("0A000", "SHOW ... LIMIT FROM is not supported")
    words.end()
    action = act.ShowKept(kind, like, schema, everywhere, starts, limit)
    return Read(f"SHOW {kind}S", "SHOW", action)


def template(words: Words) -> Read | None:
    """`CREATE TABLE ... USING TEMPLATE (query)`; None for any other CREATE TABLE."""
    places = [
        index
        for index, token in enumerate(words.tokens)
        if token.text.upper() == "TEMPLATE" and index and index + 1 < len(words.tokens)
    ]
    at = next((i for i in places if words.tokens[i - 1].text.upper() == "USING"), None)
    if at is None or words.tokens[at + 1].token_type != TokenType.L_PAREN:
        return None
    head = words.text[words.tokens[0].start : words.tokens[at - 1].start]
    rest = Words(words.text, words.tokens[at + 1 :])
    query, _ = _bracketed(rest)
    rest.end()
    return Read("CREATE TABLE", "CREATE TABLE", act.Template(head, query), writes=True)


# --- files ----------------------------------------------------------------------------------------


def _pattern(words: Words) -> str | None:
    pattern = None
    if words.accept("PATTERN"):
        words.expect("=")
        pattern = words.string()
    words.end()
    return pattern


def _list(words: Words) -> Read:
    words.step()
    return Read("LIST", "LIST", act.ListFiles(stage_words.location(words), _pattern(words)))


def _remove(words: Words) -> Read:
    words.step()
    action = act.RemoveFiles(stage_words.location(words), _pattern(words))
    return Read("REMOVE", "REMOVE", action, writes=True)


def _path(words: Words) -> str:
    """`file:///path`, quoted or not: what follows `file://`."""
    if words.is_string():
        text = words.string()
    else:
        first = last = words.step()
        while (token := words.token) is not None and token.start == last.end + 1:
            last = words.step()
        text = words.text[first.start : last.end + 1]
    scheme, separator, path = text.partition("://")
    if scheme.lower() != "file" or not separator:
        raise SqlError("22023", f'"{text}" is no path: file:///directory/file', hint=_QUOTE)
    return path


_QUOTE = "Quote a path with blanks or wildcards: 'file:///directory/*.csv'."


def _put(words: Words) -> Read:
    words.step()
    source = _path(words)
    location = stage_words.location(words)
    return Read("PUT", "PUT", act.Put(source, location, stage_words.options(words)), writes=True)


def _get(words: Words) -> Read:
    words.step()
    location = stage_words.location(words)
    target = _path(words)
    return Read("GET", "GET", act.Get(location, target, stage_words.options(words)))


def read_copy_file(words: Words) -> Read:
    """`COPY @stage/file FROM STDIN | TO STDOUT`; psql's \\copy quotes names with double quotes."""
    words.expect("COPY")
    quoted = words.word != "@" and not words.is_string()
    location = stage_words.location_of(words.name()) if quoted else stage_words.location(words)
    if words.accept("FROM"):
        words.expect("STDIN")
        direction = "FROM"
    else:
        words.expect("TO", "STDOUT")
        direction = "TO"
    words.end()
    action = act.CopyFile(location, direction)
    return Read("COPY", "COPY", action, writes=direction == "FROM")


# --- COPY INTO ------------------------------------------------------------------------------------


def _copy_into(words: Words) -> Read:
    words.expect("COPY", "INTO")
    if words.word == "@" or words.is_string():
        return _unload(words)
    table = words.dotted()
    columns: list[str] = []
    if words.accept("("):
        columns.append(words.name())
        while words.accept(","):
            columns.append(words.name())
        words.expect(")")
    query: act.StageQuery | None = None
    source = act.Location("table", table)
    if words.accept("FROM"):
        if words.word == "(":
            query = _source_query(words)
            (only,) = query.tables
            source = only.location
        else:
            source = stage_words.location(words)
    properties = _copy_properties(words)
    files = properties.options.pop("FILES", ())
    pattern = properties.options.pop("PATTERN", None)
    action = act.Load(
        table,
        tuple(columns),
        source,
        query,
        files if isinstance(files, tuple) else (str(files),),
        None if pattern is None else str(pattern),
        properties.format,
        properties.options,
    )
    return Read("COPY", "COPY", action, writes=True)


def _source_query(words: Words) -> act.StageQuery:
    """`(SELECT ... FROM @stage ...)`."""
    text, tokens = _bracketed(words)
    tree = SNOWFLAKE.parse(text, tokens)
    query = stage_queries.read(text, tree, "COPY", writes=False)
    if query is None or len(query.tables) != 1:
        raise SqlError("0A000", "COPY INTO from a query that does not read exactly one stage")
    return query


def _bracketed(words: Words) -> tuple[str, list[Token]]:
    """What stands within the brackets ahead: its text, and its tokens with their places in it."""
    opening = words.token
    words.expect("(")
    depth, tokens = 1, []
    while depth:
        token = words.step()
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth:
            tokens.append(token)
    assert opening is not None
    text = words.text[opening.end + 1 : token.start]
    return text, SNOWFLAKE.tokenize(text)


class _Properties(NamedTuple):
    format: act.Format
    options: dict[str, act.Value]


_OF_COLUMNS = frozenset({"INCLUDE_METADATA", "FILE_PROCESSOR"})


def _copy_properties(words: Words) -> _Properties:
    """FILE_FORMAT and all the `NAME = value` of COPY INTO."""
    format_ = act.Format()
    options: dict[str, act.Value] = {}
    while words.token is not None:
        at = words.token
        name = words.step().text.upper()
        if name == "HEADER" and words.word != "=":
            options[name] = "TRUE"
            continue
        words.expect("=")
        if name in options:
            raise SqlError("42601", f"{name} is given twice", position=at.start + 1)
        if name == "FILE_FORMAT":
            format_ = stage_words.file_format(words)
        elif name == "CREDENTIALS" or name == "STORAGE_INTEGRATION":
            raise SqlError("0A000", f"{name}: external locations are not supported")
        elif name in _OF_COLUMNS:
            hint = "COPY INTO t FROM (SELECT $1, METADATA$FILENAME FROM @stage)."
            message = f"{name} of COPY INTO is not supported"
            raise SqlError("0A000", message, hint=hint, position=at.start + 1)
        else:
            options[name] = (
                stage_words.values(words) if words.word == "(" else stage_words.value(words)
            )
        words.accept(",")
    return _Properties(format_, options)


def _unload(words: Words) -> Read:
    target = stage_words.location(words)
    words.expect("FROM")
    if words.word == "(":
        query, _ = _bracketed(words)
    else:
        first = words.token
        words.dotted()
        assert first is not None
        query = "SELECT * FROM " + words.text[first.start : _end_of_last(words) + 1]
    partition = ""
    if words.accept("PARTITION BY") or words.accept("PARTITION", "BY"):
        partition, _ = _bracketed(words)
    properties = _copy_properties(words)
    action = act.Unload(target, query, partition, properties.format, properties.options)
    return Read("COPY", "COPY", action)


def _end_of_last(words: Words) -> int:
    at = len(words.tokens) if words.token is None else words.tokens.index(words.token)
    return words.tokens[at - 1].end


READERS: Mapping[tuple[str, ...], Callable[[Words], Read]] = {
    ("CREATE", "STAGE"): _create_stage,
    ("CREATE", "FILE"): _create_format,
    ("ALTER", "STAGE"): _alter,
    ("ALTER", "FILE"): _alter,
    ("DROP", "STAGE"): _drop,
    ("DROP", "FILE"): _drop,
    ("DESCRIBE", "STAGE"): _describe,
    ("DESC", "STAGE"): _describe,
    ("DESCRIBE", "FILE"): _describe,
    ("DESC", "FILE"): _describe,
    ("SHOW", "STAGES"): _show,
    ("SHOW", "FILE"): _show,
    ("LIST", ""): _list,
    ("LS", ""): _list,
    ("REMOVE", ""): _remove,
    ("RM", ""): _remove,
    ("PUT", ""): _put,
    ("GET", ""): _get,
    ("COPY", "INTO"): _copy_into,
    ("COPY", "@"): read_copy_file,
}


VERBS = frozenset(first for first, _ in READERS) | {"COMMENT"}
"""How the statements begin that may be about stages or file formats."""


def _quoted_file(tokens: list[Token]) -> bool:
    """Whether this is a file of a stage in quotes."""
    quoted = (TokenType.STRING, TokenType.IDENTIFIER)
    return any(
        token.token_type in quoted and token.text.startswith("@") and "/" in token.text
        for token in tokens
    )


def reader(words: Words, phrase: str) -> Callable[[Words], Read] | None:
    """What reads a statement that begins so; None where it is about no stage."""
    first, _, second = phrase.partition(" ")
    second = (second or words.word_at(1)).partition(" ")[0]
    if first == "SHOW" and second == "TERSE":
        second = words.word_at(2)
    if first in ("DESCRIBE", "DESC") and len(words.tokens) < 3:
        return None  # of a table with such a name
    if first == "COMMENT":
        at = 3 if second == "IF" else 1
        about = words.word_at(at + 1).partition(" ")[0]
        return _comment if words.word_at(at) == "ON" and about in ("STAGE", "FILE") else None
    if first == "COPY" and not second and _quoted_file(words.tokens[1:2]):
        return read_copy_file
    if first == "CREATE" and second == "TABLE" and template(words) is not None:
        return template  # type: ignore[return-value]
    return READERS.get((first, second)) or READERS.get((first, ""))
