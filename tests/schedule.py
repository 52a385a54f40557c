"""Which worker runs what, and when: a file is handed out whole, the longest first."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

SECOND = (
    "test_assets", "test_frozen", "test_how_fast_verify_is", "test_neighbour_alerts", "test_twenty_thousand_labels",
)  # fmt: skip
"""Files of tests/flow that share its second running system."""
OWN = (
    "test_demo", "test_full_disk", "test_line_stops", "test_proved", "test_repriced", "test_restored", "test_runaway",
)  # fmt: skip
"""Those that share none: all others share the first. A file of another folder comes between (LONGEST_FIRST), so
that what they shared has been stopped."""
LONGEST_FIRST = (
    "tests/flow on the first system",
    "tests/flow on the second system",
    "tests/faults/test_kill.py",
    "tests/flow/test_repriced.py",
    "tests/faults/test_two_ledgers.py",
    "tests/flow/test_runaway.py",
    "tests/portal/*",
    "tests/flow/test_full_disk.py",
    "tests/deploy/test_supervisor.py",
    "tests/flow/test_restored.py",
    "tests/faults/test_mutants.py",
    "tests/flow/test_line_stops.py",
    "tests/verify/test_verify.py",
    "tests/flow/test_proved.py",
    "tests/*/test_faults.py",
    "tests/client/test_outage.py",
    "tests/*/test_worker.py",
    "tests/faults/*",
    "tests/deploy/*",
    "tests/verify/*",
    "tests/platform/*",
)
"""A file's place is the first pattern that fits it; what fits none comes last. Wrong places cost time, nothing else."""


class Schedule(LoadScopeScheduling):
    """The tests of a file share what its fixtures start, so one worker has them all, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePath(nodeid.partition("::")[0])
        if file.parent != PurePath("tests/flow") or file.stem in OWN:
            return str(file)
        return f"tests/flow on the {'second' if file.stem in SECOND else 'first'} system"

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=_place), last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        # a worker starts a test once it knows the next one; what is handed out earlier may wait behind a long test
        # while another worker has nothing to do
        if not self.workqueue or self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)


def _place(scope: str) -> int:
    return next((at for at, each in enumerate(LONGEST_FIRST) if fnmatch(scope, each)), len(LONGEST_FIRST))
