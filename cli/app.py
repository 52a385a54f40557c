"""The command line: every module of this package is one command, but for those whose name begins with `_`.

A command's module has either a function `command`, which Typer runs under the module's name, or a Typer
`app` with commands of its own (`keys create`). Its docstring is the help, with examples; a paragraph that
begins with a line of only `\\b` keeps its line breaks. Modules are imported for `--help`, so they import what
is heavy (aiokafka, asyncpg, rich, price catalogs) inside functions. What they print goes through
`_terminal.say`: a stranger's id or label steers no terminal. Exit codes: 0 done, 1 failed (`_running.fail`),
2 usage, 3 done but without a price for some of it (`_running.NO_PRICE`). `verify` ends with 2 also where
something could not be checked.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import typer

import cli

_NOT_COMMANDS = {"app"}


def command_names() -> list[str]:
    """The names of all commands, in alphabetical order."""
    names = (module.name for module in pkgutil.iter_modules(cli.__path__))
    those = (name for name in names if not name.startswith("_") and name not in _NOT_COMMANDS)
    return sorted(name.replace("_", "-") for name in those)


def build(names: list[str]) -> typer.Typer:
    """A Typer application of these commands."""
    app = typer.Typer(
        name="spendmeter",
        help="Real-time spend tracking for AI: metered, priced, booked exactly once, watched.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def spendmeter() -> None:
        """Keeps a single command a sub-command."""

    for name in names:
        module = importlib.import_module(f"{cli.__name__}.{name.replace('-', '_')}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(module.command)
    return app


def main() -> None:
    """Runs the command that the arguments name, importing only that one when there is one."""
    names = command_names()
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    build([asked] if asked in names else names)(prog_name="spendmeter")
