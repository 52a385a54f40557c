"""spendmeter down."""

import typer

from cli._running import home


def command() -> None:
    """Stop everything that `spendmeter up` started; the data stays.

    \b
    Examples:
      spendmeter down
      SPENDMETER_HOME=/srv/spendmeter spendmeter down
    """
    from deploy.local import control

    stopped = control.stop(home())
    typer.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
