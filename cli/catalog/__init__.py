"""spendmeter catalog: the prices in force, their history, proposals, the inbox of what has no price, and what
other sources say. A file a group of commands; those whose name begins with `_` are shared."""

import typer

from cli.catalog import compare, corrections, decide, inbox, look, propose, pull

app = typer.Typer(
    help="Prices: look them up, propose, approve. Needs SPENDMETER_API_URL and SPENDMETER_ADMIN_KEY (an "
    "operator's key, or a tenant's with the scope admin), or the running system's.",
    no_args_is_help=True,
)
for _name, _command in (
    ("list", look.list_models),
    ("show", look.show),
    ("history", look.history),
    ("propose", propose.propose),
    ("import", propose.import_file),
    ("lint", propose.lint),
    ("diff", propose.diff),
    ("approve", decide.approve),
    ("reject", decide.reject),
    ("proposals", decide.proposals),
    ("inbox", inbox.inbox),
    ("changes", compare.changes),
    ("terms", compare.terms),
    ("consensus", compare.consensus),
    ("pull", pull.pull),
    ("corrections", corrections.corrections),
):
    app.command(_name)(_command)
