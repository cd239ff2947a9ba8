"""What keeps a drill's processes out of production (P8): an allow-list of what may be read, and no secrets.

Two guards, both by what is allowed, so that nothing of production need be named:

- Landlock, where the Linux kernel has it: the kernel refuses a process, and all that it ever starts, every
  file outside the list, whatever way it is asked for, and tracing or signalling any process outside.
- An audit hook in Python, everywhere: it refuses the same through Python's own functions. Code that calls the
  system past Python is not seen by it; that is why it is said which guard is on.

The environment is cleaned before the first process is started: what is not on its list does not come along.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import HikeshiError

VARIABLE = "HIKESHI_DRILL_GUARD"
"""Set in every process of a running drill: the directory that it may not leave."""
KEPT = frozenset(
    {
        "PATH", "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "NO_COLOR", "PYTHONPATH", "VIRTUAL_ENV",
        "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS", "LOGNAME", "USER", "SSL_CERT_FILE", "HIKESHI_LANG",
    }
)  # fmt: skip
"""Variables that a drill's processes keep; besides those that begin as in KEPT_BEGINNINGS."""
SECRETS = "HIKESHI_DRILL_"
"""How the variables begin in which a drill finds its secrets."""
KEPT_BEGINNINGS = ("LC_", SECRETS)
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/opt/homebrew")
DEVICES = ("/dev",)
OWN_PACKAGES = ("console", "flows", "models", "notifiers", "playbooks")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a drill's process may read, and what it may also write. Whole folders, resolved."""

    read: tuple[str, ...]
    write: tuple[str, ...]

    def reads(self, path: str) -> bool:
        """Whether the resolved path lies in what may be read."""
        return _within(path, (*self.read, *self.write))

    def writes(self, path: str) -> bool:
        """Whether the resolved path lies in what may be written."""
        return _within(path, self.write)


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Which guards are on in this process."""

    landlock: int
    """The kernel's version of it; 0 if it is not there."""
    audit: bool

    @property
    def word(self) -> str:
        """The guard as one word for texts: `landlock` or `audit`."""
        return "landlock" if self.landlock else "audit"


def allowed(directory: Path) -> Allowed:
    """The list for the drill in `directory`: the system, Python with its packages, Hikeshi, and the drill."""
    paths = sysconfig.get_paths()
    python = {
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        *(paths[one] for one in ("purelib", "stdlib", "platlib")),
    }
    python |= {str(Path(sys.executable).resolve().parent)}
    ours = {str(_ROOT / name) for name in OWN_PACKAGES}
    read = {os.path.realpath(one) for one in (*SYSTEM, *python, *ours) if os.path.exists(one)}
    write = {os.path.realpath(one) for one in (*DEVICES, directory) if os.path.exists(one)}
    return Allowed(read=tuple(sorted(read)), write=tuple(sorted(write)))


def exposes(directory: Path, secret: Path) -> bool:
    """Whether the guard of the drill in `directory` would leave `secret` readable."""
    return allowed(directory).reads(os.path.realpath(secret))


def environment(directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a drill's processes: no secret, no directory and no address of production's."""
    home = directory / "var" / "home"
    kept = {
        name: value for name, value in environ.items() if name in KEPT or name.startswith(KEPT_BEGINNINGS)
    }
    return kept | {
        "HOME": str(home),
        "TMPDIR": str(directory / "var" / "tmp"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HIKESHI_DIR": str(directory),
        VARIABLE: str(directory),
    }


def arm(directory: Path) -> Guard:
    """Put both guards on this process and all that it starts; they cannot be taken off again.

    Raises HikeshiError if the kernel has Landlock and refuses it: half a guard would be none.
    """
    home = directory / "var"
    for folder in (home, home / "home", home / "tmp"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    listed = allowed(directory.resolve())
    version = _landlock(listed)
    _audit(listed)
    return Guard(landlock=version, audit=True)


def arm_here() -> None:
    """Put the audit hook on a process that was started by a guarded one; Landlock it has inherited."""
    directory = os.environ.get(VARIABLE)
    if directory and not _hooked:
        _audit(allowed(Path(directory)))


# -- the audit hook -----------------------------------------------------------------------------------------

_hooked: list[bool] = []
_PATHS: Mapping[str, tuple[int, ...]] = {
    "open": (0,), "os.listdir": (0,), "os.scandir": (0,), "os.chdir": (0,), "os.rename": (0, 1),
    "os.remove": (0,), "os.rmdir": (0,), "os.mkdir": (0,), "os.link": (0, 1), "os.symlink": (0, 1),
    "os.chmod": (0,), "os.chown": (0,), "os.truncate": (0,), "os.utime": (0,), "shutil.copyfile": (0, 1),
    "shutil.copytree": (0, 1), "shutil.move": (0, 1), "sqlite3.connect": (0,), "glob.glob": (0,),
    "os.getxattr": (0,), "os.listxattr": (0,), "os.setxattr": (0,), "subprocess.Popen": (0,), "os.exec": (0,),
    "os.posix_spawn": (0,),
}  # fmt: skip
"""Events that name a path, and which of their arguments it is."""
_PROCESS = re.compile(r"^/proc/(?P<pid>\d+)/(task/\d+/)?(environ|mem|maps|fd|root|cwd|cmdline)(/|$)")
"""What another process of the same account holds; Landlock refuses that by itself."""
_WRITING = frozenset({"os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown"})


def _audit(listed: Allowed) -> None:
    if _hooked:
        return
    _hooked.append(True)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        for number in _PATHS.get(event, ()):
            given = arguments[number] if number < len(arguments) else None
            if isinstance(given, str | bytes | os.PathLike):
                _must_be_allowed(listed, event, os.fsdecode(given))

    sys.addaudithook(hook)


def _must_be_allowed(listed: Allowed, event: str, given: str) -> None:
    if event == "sqlite3.connect":
        given = given.removeprefix("file:").partition("?")[0]
    if (
        not given
        or given == ":memory:"
        or (event in ("subprocess.Popen", "os.posix_spawn") and "/" not in given)
    ):
        return
    path = os.path.realpath(given)
    if (found := _PROCESS.match(path)) and found["pid"] != str(os.getpid()):
        raise PermissionError(13, "of another process (P8)", given)
    if not (listed.writes(path) if event in _WRITING else listed.reads(path)):
        raise PermissionError(13, "outside of what a drill may touch (P8)", given)


def _within(path: str, folders: Iterable[str]) -> bool:
    return any(path == one or path.startswith(one.rstrip("/") + "/") for one in folders)


# -- Landlock -----------------------------------------------------------------------------------------------

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
"""The system calls, of the same number on every architecture."""
_VERSION, _PATH_BENEATH = 1, 1
_NO_NEW_PRIVS, _DROP_FOR_GOOD, _CAPABILITIES, _CAPABILITY_VERSION = 38, 24, 64, 0x20080522
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_RIGHTS = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
"""From which version on there are which rights to files."""
_SCOPES_FROM, _SCOPES = 6, 3
"""Abstract sockets and signals of processes outside."""


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("access", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def landlock_version() -> int:
    """The kernel's version of Landlock; 0 if it has none, or this is no Linux."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(int(_libc().syscall(_CREATE, None, 0, _VERSION)), 0)


def _landlock(listed: Allowed) -> int:
    version = landlock_version()
    if not version:
        return 0
    rights = sum(bits for since, bits in _RIGHTS if version >= since)
    made = _Ruleset(fs=rights, net=0, scoped=_SCOPES if version >= _SCOPES_FROM else 0)
    size = ctypes.sizeof(made) if version >= _SCOPES_FROM else 16 if version >= 4 else 8  # noqa: PLR2004 - the ABI's
    ruleset = _called(_libc().syscall(_CREATE, ctypes.byref(made), size, 0))
    try:
        reading = _EXECUTE | _READ_FILE | _READ_DIR
        for path in listed.read:
            _rule(ruleset, path, reading)
        for path in listed.write:
            _rule(ruleset, path, rights)
        _called(_libc().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
        _without_capabilities()
        _called(_libc().syscall(_RESTRICT, ruleset, 0))
    finally:
        os.close(ruleset)
    return version


def _without_capabilities() -> None:
    """Root gives up what makes it more than the owner of its files, for itself and all that it starts.

    With CAP_PERFMON the kernel shows the environment of every process, whatever Landlock says.
    """
    for capability in range(_CAPABILITIES):
        # Refused to whoever is not root, and for numbers that the kernel does not know.
        _libc().prctl(_DROP_FOR_GOOD, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _called(_libc().capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)())))


def _rule(ruleset: int, path: str, rights: int) -> None:
    if not os.path.isdir(path):
        rights &= _EXECUTE | _READ_FILE | _WRITE_FILE
    descriptor = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    try:
        rule = _Beneath(access=rights, parent=descriptor)
        _called(_libc().syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _called(result: int) -> int:
    """What a system call gave. Raises HikeshiError with the system's own reason."""
    if result < 0:
        why = os.strerror(ctypes.get_errno())
        raise HikeshiError(f"the drill cannot be fenced off: {why}; start it where Landlock may be used")
    return int(result)
