"""Whole log lines, or none: a full disk costs lines, never the process, and the last line says so.

Print and the logging module write what fits, raise, and leave half a line behind; what they raise ends a
service whose work has nothing to do with its log.
"""

import json
import os
import stat
import threading
from collections import deque
from datetime import UTC, datetime

TAIL_WRITES = 16


class Lines:
    """A text file as loggers want one, on a descriptor opened for appending. Nothing here raises OSError."""

    def __init__(self, descriptor: int, service: str) -> None:
        self._descriptor = descriptor
        self._service = service
        self._lock = threading.Lock()
        self._lost = 0
        self._tail: deque[int] = deque(maxlen=TAIL_WRITES)
        """Bytes of each of the last writes."""
        self._end = -1
        """Where the file ended after them; elsewhere by now = somebody else has written."""

    def write(self, text: str) -> int:
        """Append `text`, one or more whole lines."""
        data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            after = self._note("log lines were lost", count=self._lost) if self._lost else b""
            error = self._append(after + data)
            if error is None:
                self._lost = 0
            else:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def _lose(self, error: OSError) -> None:
        self._lost += 1
        if self._lost > 1:
            return  # said already
        said = self._note("the log cannot be written: lines are lost", error=os.strerror(error.errno or 0))
        if self._append(said) is None or self._end != self._size() or sum(self._tail) < len(said):
            return
        # Not even that fits: it takes the place of the lines before it.
        room = 0
        while room < len(said):
            room += self._tail.pop()
            self._lost += 1
        os.ftruncate(self._descriptor, self._end - room)
        self._append(said)

    def _append(self, data: bytes) -> OSError | None:
        """Write all of it or, on a file, nothing; what was in the way."""
        done = 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except OSError as error:
            size = self._size()
            if done and size >= done:
                os.ftruncate(self._descriptor, size - done)
            return error
        end = self._size()
        if end - done != self._end:
            self._tail.clear()
        self._tail.append(done)
        self._end = end
        return None

    def _size(self) -> int:
        """Of the file; -1 = it is none, but a terminal or a pipe."""
        try:
            facts = os.fstat(self._descriptor)
        except OSError:
            return -1
        return facts.st_size if stat.S_ISREG(facts.st_mode) else -1

    def _note(self, event: str, **more: object) -> bytes:
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = {"service": self._service, "event": event, **more, "level": "error", "timestamp": at}
        return json.dumps(line).encode() + b"\n"
