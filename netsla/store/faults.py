"""What can be wrong with a disk, in words the operator can act on.

Rules: a disk fault is SQLite's or the kernel's word that the *file* cannot be used now; it is retried.
Anything else SQLite says (wrong SQL, a broken constraint) is a bug and propagates.
"""

from __future__ import annotations

import errno
import sqlite3

_KNOWN = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space"),
    sqlite3.SQLITE_READONLY: ("the folder or the file is read-only", "make it writable for the agent"),
    sqlite3.SQLITE_IOERR: ("the disk fails to read or write", "see the kernel's log"),
    sqlite3.SQLITE_CANTOPEN: ("the file cannot be opened", "see that the folder exists and is writable"),
    sqlite3.SQLITE_BUSY: ("another program holds the file", "end the program that holds it"),
    sqlite3.SQLITE_LOCKED: ("another program holds the file", "end the program that holds it"),
    sqlite3.SQLITE_PROTOCOL: ("another program holds the file", "end the program that holds it"),
    sqlite3.SQLITE_PERM: ("access is denied", "make it writable for the agent"),
    sqlite3.SQLITE_AUTH: ("access is denied", "make it writable for the agent"),
    sqlite3.SQLITE_NOLFS: ("the file is too large for its file system", "move the state folder"),
    sqlite3.SQLITE_CORRUPT: ("the file is corrupt", "it is set aside and what can be read is kept"),
    sqlite3.SQLITE_NOTADB: ("the file is no database", "it is set aside"),
}
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
QUOTA = ("its size limit is reached and nothing more may be deleted", "raise the limit, or shorten retention")


def code(error: sqlite3.Error) -> int:
    """The primary result code; 0 if SQLite was not asked at all."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_fault(error: sqlite3.Error) -> bool:
    """Whether this is the disk's doing, and worth a retry."""
    return code(error) in _KNOWN


def is_corrupt(error: Exception) -> bool:
    """Whether the file's contents are broken: a retry will not help."""
    return isinstance(error, sqlite3.Error) and code(error) in _CORRUPT


def is_full(error: Exception) -> bool:
    """Whether room is missing: on the disk, or under the quota."""
    return isinstance(error, sqlite3.Error) and code(error) == sqlite3.SQLITE_FULL


def words(error: sqlite3.Error | OSError) -> tuple[str, str]:
    """(problem, remedy) of a fault."""
    if isinstance(error, sqlite3.Error):
        return _KNOWN.get(code(error), (str(error), "see the log"))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _KNOWN[sqlite3.SQLITE_FULL]
    if error.errno == errno.EROFS:
        return _KNOWN[sqlite3.SQLITE_READONLY]
    if error.errno in (errno.EACCES, errno.EPERM):
        return _KNOWN[sqlite3.SQLITE_PERM]
    return (str(error), "see that the folder exists and is writable")
