"""Which worker runs what, and when: a file is handed out whole, the longest first."""

from __future__ import annotations

from fnmatch import fnmatch

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

APART = (
    "test_frozen",
    "test_full_disk",
    "test_line_stops",
    "test_many_labels",
    "test_neighbour_alerts",
    "test_demo",
)
"""Files of tests/flow that do not use the running system that the others share: they may go to another worker."""
LONGEST_FIRST = (
    "tests/flow",
    "tests/faults/test_kill.py",
    "tests/flow/test_frozen.py",
    "tests/faults/test_mutants.py",
    "tests/flow/test_full_disk.py",
    "tests/deploy/test_supervisor.py",
    "tests/portal/*",
    "tests/verify/test_verify.py",
    "tests/flow/*",
    "tests/*/test_faults.py",
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
        file = nodeid.partition("::")[0]
        shares = file.startswith("tests/flow/") and not file.endswith(tuple(f"/{name}.py" for name in APART))
        return "tests/flow" if shares else file

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
