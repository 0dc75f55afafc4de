"""peewee, Alembic and sqlacodegen: what they define, find and change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

peewee = pytest.importorskip("peewee")
sqlalchemy = pytest.importorskip("sqlalchemy")
pytest.importorskip("alembic")


@pytest.fixture
def engine(server: Any, schema: str) -> Any:
    url = server.url.replace("postgresql:", "postgresql+psycopg:")
    return sqlalchemy.create_engine(url, connect_args={"options": f"-c search_path={schema}"})


def test_peewee(server: Any, schema: str) -> None:
    database = peewee.PostgresqlDatabase(
        "hatidata", host=server.host, port=server.port, user="tester", options="-c search_path=scratch"
    )  # fmt: skip

    class Maker(peewee.Model):
        name = peewee.CharField(max_length=30, unique=True)
        price = peewee.DecimalField(max_digits=8, decimal_places=2, default=0)

        class Meta:
            database: Any = None
            schema = "scratch"

    class Thing(peewee.Model):
        maker = peewee.ForeignKeyField(Maker, backref="things", on_delete="CASCADE")
        note = peewee.TextField(index=True)

        class Meta:
            schema = "scratch"

    models = [Maker, Thing]
    with database.bind_ctx(models), database:
        database.create_tables(models)
        maker = Maker.create(name="x")
        assert Thing.create(maker=maker, note="n").id == 1
        assert list(Maker.insert_many([{"name": "y"}, {"name": "z"}]).execute()) == [(2,), (3,)]
        merged = Maker.insert(name="x", price=5).on_conflict(
            conflict_target=[Maker.name], update={Maker.price: 5}
        )
        merged.execute()
        joined = Thing.select(Thing.note, Maker.name, Maker.price).join(Maker).tuples()
        assert [(note, name, int(price)) for note, name, price in joined] == [("n", "x", 5)]
        assert database.get_tables(schema="scratch") == ["maker", "thing"]
        assert [one.name for one in database.get_columns("maker", "scratch")] == [
            *("id", "name", "price")
        ]
        assert database.get_primary_keys("maker", "scratch") == ["id"]
        [key] = database.get_foreign_keys("thing", "scratch")
        assert (key.column, key.dest_table, key.dest_column) == ("maker_id", "maker", "id")


def _tables(metadata: Any) -> tuple[Any, Any]:
    sa = sqlalchemy
    makers = sa.Table(
        "makers",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(30), nullable=False, unique=True),
        sa.Column("price", sa.Numeric(8, 2), server_default="0"),
        sa.Column("at", sa.DateTime(timezone=True)),
    )
    things = sa.Table(
        "things",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("maker_id", sa.ForeignKey("makers.id")),
        sa.Column("note", sa.String(10), index=True),
    )
    return makers, things


def test_alembic_finds_what_it_made_and_changes_it(engine: Any) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    sa = sqlalchemy
    metadata = sa.MetaData()
    makers, _ = _tables(metadata)
    metadata.create_all(engine)
    options = {"compare_type": True, "compare_server_default": True}

    def differences() -> list[Any]:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            return compare_metadata(context, metadata)

    assert differences() == []
    with engine.begin() as connection:
        connection.execute(makers.insert(), [{"name": "a"}, {"name": "b"}])
        change = Operations(MigrationContext.configure(connection))
        change.add_column(
            "makers", sa.Column("extra", sa.String(5), nullable=False, server_default="x")
        )
        change.alter_column("makers", "extra", new_column_name="more")
        change.alter_column(
            "makers", "more", type_=sa.String(50), nullable=True, server_default=None
        )
        change.create_unique_constraint("one_price", "makers", ["price", "name"])
        change.create_foreign_key("same", "things", "makers", ["id"], ["id"])
        change.create_index("by_price", "makers", ["price"])
    assert {difference[0] for difference in differences()} == {
        *("remove_column", "remove_constraint", "remove_fk", "remove_index")
    }
    with engine.begin() as connection:
        change = Operations(MigrationContext.configure(connection))
        change.drop_index("by_price", "makers")
        change.drop_constraint("same", "things", type_="foreignkey")
        change.drop_constraint("one_price", "makers", type_="unique")
        change.drop_column("makers", "more")
    assert differences() == []
    with engine.begin() as connection:
        added = makers.insert().values(name="c").returning(makers.c.id)
        assert connection.execute(added).scalar_one() == 3


def test_sqlacodegen_writes_the_models(engine: Any, connection: psycopg.Connection) -> None:
    pytest.importorskip("sqlacodegen")
    _, _ = _tables(metadata := sqlalchemy.MetaData())
    metadata.create_all(engine)
    command = Path(sys.executable).with_name("sqlacodegen")
    url = engine.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [command, "--schemas", "scratch", url], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for part in (
        "class Makers(Base):",
        "name: Mapped[str] = mapped_column(String(30), nullable=False)",
        "maker: Mapped[Optional['Makers']] = relationship('Makers', back_populates='things')",
        "UniqueConstraint('name', name='makers_name_key')",
    ):
        assert part in done.stdout, done.stdout


def test_the_default_schema_has_the_clients_tables_alone(server: Any) -> None:
    url = server.url.replace("postgresql:", "postgresql+psycopg:")
    with server.connect() as connection:
        connection.execute("CREATE TABLE plainly (id INT)")
        try:
            names = sqlalchemy.inspect(sqlalchemy.create_engine(url)).get_table_names()
        finally:
            connection.execute("DROP TABLE plainly")
    assert "plainly" in names
    assert "tasks" not in names
