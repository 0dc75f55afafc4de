"""SQLAlchemy's reflection, which asks pg_catalog at length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

sa = pytest.importorskip("sqlalchemy", reason="an environment without the extra `test`")
pg = pytest.importorskip("sqlalchemy.dialects.postgresql")
orm = pytest.importorskip("sqlalchemy.orm")


@pytest.fixture(scope="module")
def engine(server: Any) -> Iterator[Any]:
    url = server.url.replace("postgresql://", "postgresql+psycopg://")
    options = "-c hatidata.dialect=postgres"
    engine = sa.create_engine(url, connect_args={"options": options})
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def library(engine: Any) -> Iterator[str]:
    with engine.begin() as connection:
        for statement in (
            "CREATE SCHEMA library",
            "CREATE TABLE library.authors (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL UNIQUE)",
            "CREATE TABLE library.books (id BIGINT PRIMARY KEY, author INTEGER REFERENCES library.authors (id), "
            "price NUMERIC(8,2) DEFAULT 9.99, tags TEXT[], doc JSON, at TIMESTAMP WITH TIME ZONE, "
            "CHECK (price > 0))",
            "CREATE INDEX by_author ON library.books (author)",
            "CREATE VIEW library.cheap AS SELECT id, price FROM library.books WHERE price < 5",
            "COMMENT ON TABLE library.books IS 'what is on the shelf'",
            "COMMENT ON COLUMN library.books.price IS 'in euros'",
        ):
            connection.execute(sa.text(statement))
    yield "library"
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE library.books CASCADE"))
        connection.execute(sa.text("DROP SCHEMA library CASCADE"))


def test_names_are_listed(engine: Any, library: str) -> None:
    inspector = sa.inspect(engine)
    assert library in inspector.get_schema_names()
    assert sorted(inspector.get_table_names(library)) == ["authors", "books"]
    assert inspector.get_view_names(library) == ["cheap"]
    assert inspector.has_table("books", library)
    assert not inspector.has_table("films", library)


def test_columns_keys_and_comments_are_reflected(engine: Any, library: str) -> None:
    inspector = sa.inspect(engine)
    columns = {column["name"]: column for column in inspector.get_columns("books", library)}
    types = {name: column["type"].compile(pg.dialect()) for name, column in columns.items()}
    assert types == {
        "id": "BIGINT",
        "author": "INTEGER",
        "price": "NUMERIC(8, 2)",
        "tags": "TEXT[]",
        "doc": "JSON",
        "at": "TIMESTAMP WITH TIME ZONE",
    }
    assert columns["price"]["default"] == "9.99"
    assert columns["price"]["comment"] == "in euros"
    assert not columns["id"]["nullable"]
    assert inspector.get_pk_constraint("books", library)["constrained_columns"] == ["id"]
    (foreign,) = inspector.get_foreign_keys("books", library)
    assert (foreign["constrained_columns"], foreign["referred_table"]) == (["author"], "authors")
    (unique,) = inspector.get_unique_constraints("authors", library)
    assert unique["column_names"] == ["name"]
    assert [c["sqltext"] for c in inspector.get_check_constraints("books", library)] == [
        "price > 0::numeric"
    ]
    assert [index["name"] for index in inspector.get_indexes("books", library)] == ["by_author"]
    assert inspector.get_table_comment("books", library) == {"text": "what is on the shelf"}
    definition = inspector.get_view_definition("cheap", library)
    assert definition == (  # as Postgres prints it
        " SELECT id,\n    price\n   FROM library.books\n  WHERE (price < (5)::numeric);"
    )


def test_a_whole_schema_is_reflected_and_can_be_queried(engine: Any, library: str) -> None:
    metadata = sa.MetaData()
    metadata.reflect(engine, schema=library, views=True)
    books = metadata.tables["library.books"]
    with engine.begin() as connection:
        connection.execute(sa.insert(metadata.tables["library.authors"]).values(id=1, name="Woolf"))
        connection.execute(sa.insert(books).values(id=1, author=1, tags=["a", "b"]))
        found = connection.execute(sa.select(books.c.price, books.c.tags)).one()
        assert (str(found.price), found.tags) == ("9.99", ["a", "b"])
        connection.execute(sa.delete(books))
        connection.execute(sa.delete(metadata.tables["library.authors"]))


def test_tables_are_created_where_they_are_missing(engine: Any, library: str) -> None:
    class Base(orm.DeclarativeBase):
        metadata = sa.MetaData(schema="library")

    class Reader(Base):
        __tablename__ = "readers"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
        name: orm.Mapped[str]

    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Reader(id=1, name="ana"))
        session.commit()
        assert session.scalars(sa.select(Reader.name)).all() == ["ana"]
    Base.metadata.drop_all(engine)
    assert not sa.inspect(engine).has_table("readers", library)
