"""Tortoise, psqlpy, Pony and Ibis: mappers over asyncpg, Rust's driver, psycopg2 and psycopg 3."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import psycopg2.extras
import pytest


@pytest.fixture(params=["snowflake", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def models() -> Iterator[types.ModuleType]:
    """A module of its own, where Tortoise looks for its models."""
    module = sys.modules["tool_models"] = types.ModuleType("tool_models")
    yield module
    del sys.modules["tool_models"]


def test_tortoise(server: Any, schema: str, dialect: str, models: types.ModuleType) -> None:
    tortoise = pytest.importorskip("tortoise")
    from tortoise import fields
    from tortoise.functions import Count, Sum
    from tortoise.models import Model

    class Team(Model):
        id = fields.IntField(primary_key=True)
        name = fields.CharField(max_length=50, unique=True)

        class Meta:
            schema = "scratch"
            table = "team"

    class Player(Model):
        id = fields.IntField(primary_key=True)
        name = fields.TextField()
        team: Any = fields.ForeignKeyField("models.Team", "players", on_delete=fields.NO_ACTION)
        score = fields.DecimalField(8, 2, null=True)
        about = fields.JSONField(null=True)
        at = fields.DatetimeField(auto_now_add=True)

        class Meta:
            schema = "scratch"
            table = "player"

    for model in (Team, Player):
        model.__module__ = "tool_models"
        setattr(models, model.__name__, model)

    async def use() -> list[Any]:
        credentials = {"host": server.host, "port": server.port, "user": "tester", "password": ""}
        credentials |= {"database": "hatidata", "server_settings": {"hatidata.dialect": dialect}}
        engine = {"engine": "tortoise.backends.asyncpg", "credentials": credentials}
        application = {"models": ["tool_models"], "default_connection": "default"}
        await tortoise.Tortoise.init(
            config={"connections": {"default": engine}, "apps": {"models": application}}
        )
        try:
            await tortoise.Tortoise.generate_schemas()
            team = await Team.create(name="A")
            await Player.create(name="x", team=team, score="1.50", about={"a": 1})
            await Player.bulk_create([Player(name=str(n), team=team) for n in range(3)])
            await Player.filter(name="1").update(score=2)
            await Player.filter(name="2").delete()
            await Team.get_or_create(name="B")
            grouped = Team.annotate(n=Count("players"), sum=Sum("players__score")).order_by("name")
            player = await Player.filter(name__icontains="X").prefetch_related("team").first()
            assert player is not None
            return [await grouped.values_list("name", "n", "sum"), player.team.name, player.about]
        finally:
            await tortoise.Tortoise.close_connections()

    assert asyncio.run(use()) == [[("A", 3, Decimal("3.50")), ("B", 0, None)], "A", {"a": 1}]


def test_psqlpy(server: Any, connection: psycopg.Connection, schema: str, dialect: str) -> None:
    psqlpy = pytest.importorskip("psqlpy")
    connection.execute("CREATE TABLE sold (id INT4, price NUMERIC(8,2), paid BOOLEAN, tags TEXT[])")

    async def use() -> Any:
        pool = psqlpy.ConnectionPool(dsn=server.url)
        async with pool.acquire() as session:
            await session.execute(f"SET hatidata.dialect = '{dialect}'")
            async with session.transaction() as transaction:
                await transaction.execute(
                    "INSERT INTO scratch.sold VALUES ($1, 1.5, true, NULL)", [7]
                )
            found = await session.execute("SELECT * FROM scratch.sold WHERE id = $1", [7])
        pool.close()
        return found.result()

    assert asyncio.run(use()) == [{"id": 7, "price": Decimal("1.50"), "paid": True, "tags": None}]


@pytest.fixture
def psycopg2s_own() -> Iterator[None]:
    """Pony has psycopg2 give documents as texts, in the whole process."""
    yield
    psycopg2.extras.register_default_json(globally=True)
    psycopg2.extras.register_default_jsonb(globally=True)


@pytest.mark.usefixtures("psycopg2s_own")
def test_pony(server: Any, schema: str) -> None:
    """In Snowflake's dialect: Pony's references say ON DELETE CASCADE."""
    orm = pytest.importorskip("pony.orm")
    database = orm.Database()

    class Person(database.Entity):
        _table_ = ("scratch", "person")
        name = orm.Required(str, unique=True)
        age = orm.Optional(int)
        cars = orm.Set("Car")

    class Car(database.Entity):
        _table_ = ("scratch", "car")
        model = orm.Required(str)
        price = orm.Optional(Decimal, precision=8, scale=2)
        owner = orm.Required(Person)

    database.bind(
        "postgres", user="tester", host=server.host, port=server.port, database="hatidata"
    )
    database.generate_mapping(create_tables=True)
    with orm.db_session:
        ada = Person(name="Ada", age=36)
        Car(model="m", price=Decimal("1.50"), owner=ada)
        Car(model="n", owner=ada)
    with orm.db_session:
        assert orm.select((p.name, orm.count(p.cars)) for p in Person)[:] == [("Ada", 2)]
        assert orm.select(sum(c.price) for c in Car).first() == Decimal("1.50")
        Person.get(name="Ada").age = 37
    with orm.db_session:
        assert orm.select(c.model for c in Car if c.owner.age > 36).order_by(1)[:] == ["m", "n"]
    database.disconnect()


def test_ibis(server: Any, connection: psycopg.Connection, schema: str, dialect: str) -> None:
    ibis = pytest.importorskip("ibis")
    connection.execute("CREATE TABLE sold (id INT4 NOT NULL, price NUMERIC(8,2), at TIMESTAMP)")
    connection.execute("INSERT INTO sold VALUES (1, 1.5, '2026-01-02 03:04:05'), (2, 2.5, NULL)")
    session = ibis.postgres.connect(
        host=server.host, port=server.port, user="tester", database="hatidata", schema=schema
    )
    session.raw_sql(f"SET hatidata.dialect = '{dialect}'")
    assert session.list_tables() == ["sold"]
    assert "scratch" in session.list_databases()
    sold = session.table("sold")
    assert dict(sold.schema().items()) == {
        "id": ibis.dtype("!int32"),
        "price": ibis.dtype("decimal(8, 2)"),
        "at": ibis.dtype("timestamp(6)"),
    }
    summed = sold.filter(sold.price > 1).agg(n=ibis._.count(), sum=ibis._.price.sum())
    assert summed.execute().to_dict("records") == [{"n": 2, "sum": Decimal("4.00")}]
    months = sold.at.truncate("M").execute()
    assert [str(month)[:10] for month in months] == ["2026-01-01", "NaT"]
    running = sold.order_by("id").mutate(total=sold.id.cumsum(order_by=sold.id)).total.execute()
    assert list(running) == [1, 3]
    session.disconnect()
