"""All faults that `make faults` does, by name, and on which system; which rows they answer: `tests/faults/rows.py`."""

from __future__ import annotations

from tests.faults.kinds import again, backups, broken, clocks, disks, frozen, network, restarts, storm
from tests.faults.kinds.crashes import CRASHES
from tests.faults.trial import Act, Fault


async def _not_one_of_these(_: object) -> str:
    raise NotImplementedError("a crash has a way of its own")


SHARED: dict[str, Act] = {
    "worker's code raises": broken.raising,
    "SIGTERM with the database frozen": frozen.ended_meanwhile,
    "connection cut inside COMMIT": network.cut_inside_commit,
    "slow network": network.slow,
    "network stands still": network.standing_still,
    "Postgres restarts 20 times": restarts.in_bookings,
    "Postgres frozen": frozen.database,
    "read-only database": restarts.read_only,
    "rebalance storm": storm.storm,
    "zombie rating": frozen.rating,
    "zombie ledger": frozen.ledger,
    "zombie corrector": frozen.corrector,
    "zombie alerts": frozen.alerts,
    "clocks step": clocks.steps,
}
AGAIN, FULL, OLDER = "replay of everything from 0", "full disk", "older backup restored"
FAULTS: dict[str, Fault] = {
    **{name: Fault(act=_not_one_of_these) for name in CRASHES},
    **{name: Fault(act=act) for name, act in SHARED.items()},
    AGAIN: Fault(act=again.from_the_beginning, quiet=True),
    FULL: Fault(act=disks.full),
    OLDER: Fault(act=backups.older),
}
SMALL = "its data on a small disk"
STAGES = {
    "one ledger": [*CRASHES, *SHARED, AGAIN],
    SMALL: [FULL],
    "a backup": [OLDER],
}
"""Which faults share a system, in their order."""
