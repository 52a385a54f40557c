"""spendmeter down."""

from cli._running import home
from cli._terminal import say


def command() -> None:
    """Stop everything that `spendmeter up` started; the data stays.

    \b
    Examples:
      spendmeter down
      SPENDMETER_HOME=/srv/spendmeter spendmeter down
    """
    from deploy.local import control

    stopped = control.stop(home())
    say(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
