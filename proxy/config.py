"""Every setting of the server in one place: its name, default, meaning and where it may come from.

A command-line flag wins over the environment (`HATIDATA_<NAME>`), which wins over the TOML file
named by `--config`, which wins over the default. The README's table of settings is this class.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

LogLevel = Literal["debug", "info", "warning", "error"]
DialectName = Literal["snowflake", "postgres", "duckdb"]


class Settings(BaseSettings):
    """One server's settings; immutable once read. A wrong value raises pydantic's ValidationError."""

    model_config = SettingsConfigDict(
        env_prefix="HATIDATA_", extra="forbid", frozen=True, toml_file=None
    )

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Only loopback addresses: clients are not authenticated yet.",
    )
    port: int = Field(5439, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    data_dir: Path = Field(
        Path("hatidata-data"),
        description="Directory of the DuckDB file and of the embedded Postgres.",
    )
    postgres: str | None = Field(
        None,
        description="DSN of the control-plane Postgres (a role that may create roles). "
        "Default: an embedded one under the data directory.",
    )
    dialect: DialectName = Field(
        "snowflake",
        description="The dialect that sessions begin with: snowflake, postgres or duckdb.",
    )
    log_level: LogLevel = Field(
        "info", description="debug, info, warning or error; logs go to stderr."
    )
    extensions: tuple[str, ...] = Field(
        (),
        description="DuckDB extensions to load at start, from their wheels (tpch, fts, vss, ...).",
    )
    allow_directory: tuple[Path, ...] = Field(
        (),
        description="Directories of the server's own files that PUT may read and GET may write.",
    )
    memory_limit: str | None = Field(
        None,
        description="DuckDB's memory limit, e.g. `4GB`. Default: 60 % of the machine's.",
    )
    tls_cert: Path | None = Field(
        None,
        description="PEM file of the server's certificate (chain); offers TLS. Read again on SIGHUP.",
    )
    tls_key: Path | None = Field(
        None, description="PEM file of its private key. Default: in the certificate's file."
    )
    max_connections: int = Field(
        1000, ge=1, description="Client connections at most; one more is refused with 53300."
    )

    pool_size: int = Field(
        20, ge=1, description="Postgres connections at most for each role that clients act as."
    )
    pool_idle: float = Field(
        600.0, gt=0, description="Seconds after which an unused Postgres connection is closed."
    )
    server_lifetime: float = Field(
        3600.0, gt=0, description="Seconds after which a Postgres connection is replaced."
    )
    connect_timeout: float = Field(
        10.0,
        gt=0,
        description="Seconds that Postgres gets to take a connection, or to give a sign.",
    )
    pool_queue: int = Field(
        10_000, ge=0, description="Clients of a role that may wait for a connection; then 53300."
    )
    pool_wait: float = Field(
        60.0, gt=0, description="Seconds that a client waits for a connection; then 53300."
    )
    housekeeping_interval: float = Field(
        3.0,
        ge=0,
        description="Seconds between two rounds of the runtime's housekeeping (expired leases, due "
        "tasks, coming months); 0 leaves it to other servers.",
    )

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        if host == "localhost":
            return host
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError(
                f"refusing to listen on {host}: clients are not authenticated, "
                "so only loopback addresses (127.0.0.1, ::1, localhost) are allowed"
            )
        return host

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(config: Path | None = None, **flags: Any) -> Settings:
    """Settings from flags (None: not given), environment and the TOML file `config`.

    Raises FileNotFoundError, tomllib.TOMLDecodeError or pydantic's ValidationError.
    """
    if config is not None and not config.is_file():
        raise FileNotFoundError(f"no such configuration file: {config}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    return FromFile(**{name: value for name, value in flags.items() if value is not None})
