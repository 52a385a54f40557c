"""What `bounded_process.py` starts: `python -m` this module, with `SECONDS,BYTES MODULE ARGUMENTS`.

It limits itself, for good, and only then loads and runs the module, which reads its input."""

import resource
import runpy
import sys


def limit(seconds: int, memory_bytes: int) -> None:
    """Of CPU time and of memory; no file is written and no core left."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    seconds, memory_bytes = map(int, sys.argv[1].split(","))
    limit(seconds, memory_bytes)
    module = sys.argv[2]
    del sys.argv[1:3]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
