"""The command line: `hatidata serve` and its companions. Parses, configures, reports; decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console

from proxy import config, runtime_commands

# numpy's BLAS would keep threads spinning that nobody here gives work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    help="One Postgres endpoint: Snowflake SQL on DuckDB, a governed agent runtime on Postgres.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(runtime_commands.app, name="runtime")


@app.callback()
def _hatidata() -> None:
    """A command is needed: `hatidata` alone does nothing."""


def _help(name: str) -> str:
    return config.Settings.model_fields[name].description or ""


def _flag(name: str) -> typer.models.OptionInfo:
    """An option of `serve` for one setting; not given, the environment and the file decide."""
    default = config.Settings.model_fields[name].default
    return typer.Option(
        f"--{name.replace('_', '-')}",
        help=_help(name),
        show_default=str(default) if default not in (None, ()) else False,
    )


@app.command()
def serve(
    host: Annotated[str | None, _flag("host")] = None,
    port: Annotated[int | None, _flag("port")] = None,
    data_dir: Annotated[Path | None, _flag("data_dir")] = None,
    postgres: Annotated[str | None, _flag("postgres")] = None,
    dialect: Annotated[str | None, _flag("dialect")] = None,
    log_level: Annotated[str | None, _flag("log_level")] = None,
    extensions: Annotated[list[str] | None, _flag("extensions")] = None,
    allow_directory: Annotated[list[Path] | None, _flag("allow_directory")] = None,
    memory_limit: Annotated[str | None, _flag("memory_limit")] = None,
    tls_cert: Annotated[Path | None, _flag("tls_cert")] = None,
    tls_key: Annotated[Path | None, _flag("tls_key")] = None,
    max_connections: Annotated[int | None, _flag("max_connections")] = None,
    pool_size: Annotated[int | None, _flag("pool_size")] = None,
    pool_idle: Annotated[float | None, _flag("pool_idle")] = None,
    server_lifetime: Annotated[float | None, _flag("server_lifetime")] = None,
    connect_timeout: Annotated[float | None, _flag("connect_timeout")] = None,
    pool_queue: Annotated[int | None, _flag("pool_queue")] = None,
    pool_wait: Annotated[float | None, _flag("pool_wait")] = None,
    housekeeping_interval: Annotated[float | None, _flag("housekeeping_interval")] = None,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", envvar="HATIDATA_CONFIG", help="TOML file of settings."),
    ] = None,
) -> None:
    """Run the server until SIGTERM or SIGINT."""
    flags = {name: value for name, value in locals().items() if name != "config_file"}
    flags["extensions"] = extensions or None
    flags["allow_directory"] = allow_directory or None
    try:
        settings = config.load(config_file, **flags)
    except ValidationError as error:
        for problem in error.errors():
            print(f"hatidata: {_where(problem['loc'])}{_reason(problem)}", file=sys.stderr)
        raise typer.Exit(1) from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        print(f"hatidata: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    _configure_logs(settings.log_level)
    raise typer.Exit(_run(settings))


def _where(location: tuple[int | str, ...]) -> str:
    return f"setting {'.'.join(map(str, location))}: " if location else ""


def _reason(problem: object) -> str:
    message = str(problem["msg"])  # type: ignore[index]
    return message.removeprefix("Value error, ")


def _run(settings: config.Settings) -> int:
    from proxy.server import Server, StartError

    _allow_descriptors()
    server = Server(settings)
    try:
        server.prepare()
    except StartError as error:
        print(f"hatidata: {error}", file=sys.stderr)
        return 1
    port = server.port
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(server.serve(lambda url: print(f"ready {url}", flush=True)))
    finally:
        server.close()
    if server.failed:  # in a process that holds nothing of the old one
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], "--port", str(port)])
    return 0


def _allow_descriptors() -> None:
    """As many open sockets as the system allows this process: shells' default is some 500 clients."""
    try:
        import resource
    except ImportError:  # not there on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return
    most = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _configure_logs(level: str) -> None:
    """Logs go to standard error, one line an event."""
    number = getattr(logging, level.upper())
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
    )


@app.command()
def demo() -> None:
    """Show the main job: TPC-H in Snowflake's dialect, and two agents at work, on a server of its own."""
    from proxy.demo import run

    raise typer.Exit(run(Console()))


@app.command()
def transpile(
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SQL]...", help="Statements; - or nothing reads standard input."),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", "-f", help="A file of statements; may be given several times."),
    ] = None,
    dialect: Annotated[
        str, typer.Option(help="What they are written in: snowflake, postgres or duckdb.")
    ] = "snowflake",
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of each where it is and who answers it.")
    ] = False,
) -> None:
    """Show what becomes of statements: the SQL that DuckDB is given, or why they are refused."""
    from proxy.transpile import run

    raise typer.Exit(run(texts or [], files or [], dialect, explain=explain))


def main() -> None:
    app()


if __name__ == "__main__":
    main()
