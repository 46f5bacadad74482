"""Records that cannot be delivered now, kept on disk in order until they can be."""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("sealtrail")

SEGMENT_BYTES = 1 << 20
"""1 MiB: what at most is sent a second time when a process dies between delivering and forgetting; the receiver knows the records by their ids."""

BYTES_MAX = 256 << 20
"""256 MiB: some 250,000 records of one call each, days of a busy application. Beyond it nothing is taken, and the caller is told."""


class FallbackFull(Exception):
    """There is no room for a record that could not be delivered: it was not recorded."""


class Fallback:
    """A queue of JSON lines in a folder, shared by every process of the user that names the same folder.

    A record is on the disk when `append` returns. Segments are read and deleted from the oldest on; a record that was delivered and not deleted yet is
    delivered again, so the receiver must know records by their ids. A line that a crash cut off, and a record that the receiver refuses, go to
    `refused.jsonl` with the reason: nothing is dropped in silence.
    """

    def __init__(self, folder: Path, bytes_max: int = BYTES_MAX) -> None:
        if fcntl is None:
            raise OSError("a fallback folder needs file locks of POSIX")
        self.folder, self.bytes_max = folder, bytes_max
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What of a segment this process has delivered, and what it read of it last: its name and a number of bytes.
        self._delivered: Tuple[str, int] = ("", 0)
        self._read: Tuple[str, int] = ("", 0)

    def __bool__(self) -> bool:
        return bool(self._segments())

    def bytes(self) -> int:
        """How much is kept."""
        return sum(_size(path) for path in self._segments())

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Keeps the records; they are on the disk when this returns. Raises `FallbackFull`, or `OSError` when the disk refuses."""
        lines = b"".join(line_of(record) for record in records)
        with self._lock():
            if self.bytes() + len(lines) > self.bytes_max:
                raise FallbackFull(f"{self.folder} would exceed its limit of {self.bytes_max} bytes: {len(records)} records were not taken")
            segments = self._segments()
            if segments and _size(segments[-1]) < SEGMENT_BYTES:
                newest = segments[-1]
            else:
                # Never a name that was there before: whoever remembers how much of it was delivered would skip what is new.
                number = max(time.time_ns(), int(segments[-1].stem.split("-")[1]) + 1 if segments else 0)
                newest = self.folder / f"pending-{number:020d}.jsonl"
            _append(newest, lines)

    def first(self, count: int) -> List[Dict[str, Any]]:
        """Returns the oldest records that were not delivered; only within `draining`."""
        for path in self._segments():
            with self._lock(), open(path, "rb") as file:
                # Nobody is writing now: a line without an end was cut off by a crash.
                skip = self._delivered[1] if self._delivered[0] == path.name else 0
                file.seek(skip)
                data = file.read()
            records, torn, read = _records_of(data, count)
            for line in torn:
                self.refuse(line.decode("utf-8", "replace"), "a crash cut this line off")
            self._read = (path.name, skip + read)
            if records:
                return records
            self.forget_first()
        return []

    def forget_first(self) -> None:
        """Forgets the records that `first` returned."""
        name, upto = self._read
        path = self.folder / name
        with self._lock():
            if _size(path) <= upto:
                path.unlink(missing_ok=True)
                _sync_folder(self.folder)
            else:
                self._delivered = (name, upto)

    def refuse(self, record: Any, why: str) -> None:
        """Keeps a record that nobody takes, with the reason."""
        path = self.folder / "refused.jsonl"
        log.error("an audit record was refused and is kept in %s: %s", path, why)
        with self._lock():
            _append(path, line_of({"why": why, "record": record}))

    @contextmanager
    def draining(self) -> Iterator[bool]:
        """Lets one at a time deliver; gives False while another does."""
        with open(self.folder / "drain.lock", "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _segments(self) -> List[Path]:
        return sorted(self.folder.glob("pending-*.jsonl"))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with open(self.folder / "append.lock", "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _records_of(data: bytes, count: int) -> Tuple[List[Dict[str, Any]], List[bytes], int]:
    """Returns the first records, the lines that are none, and how many bytes those are."""
    records: List[Dict[str, Any]] = []
    torn: List[bytes] = []
    read = 0
    for line in data.split(b"\n"):
        if len(records) == count or read >= len(data):
            break
        read += len(line) + 1
        try:
            record = json.loads(line) if line.strip() else None
        except ValueError:
            record = None
            torn.append(line)
        if isinstance(record, dict):
            records.append(record)
    return records, torn, min(read, len(data))


def line_of(record: Any) -> bytes:
    """Returns a record as one line of JSON."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "surrogatepass") + b"\n"


def _append(path: Path, lines: bytes) -> None:
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        try:
            while lines:
                lines = lines[os.write(descriptor, lines) :]
            os.fsync(descriptor)
        except OSError:
            # The caller is told that it was not taken, so half a record must not be found later.
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if new:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
