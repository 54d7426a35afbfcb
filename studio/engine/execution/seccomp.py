"""The kernel calls that no program in a sandbox may make, as a filter for bubblewrap's --seccomp.

A list of refusals, on top of namespaces and missing capabilities: it closes the parts of the kernel
that attacks begin with, and memory that no watch can see. Numbers are those of the Linux UAPI
headers (asm/unistd_64.h, asm-generic/unistd.h, linux/audit.h, linux/filter.h, linux/seccomp.h).
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

from ..errors import SandboxError

_NEWEST = 469  # file_setattr of Linux 6.17: of calls made later nothing is known yet
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW... that clone() takes
_FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink
_PERSONALITIES = (0, 0xFFFFFFFF)  # the usual one, and the question which it is

# name: its numbers on x86_64 and on aarch64 (None: not there)
_REFUSED: dict[str, tuple[int, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41),
    "mount": (165, 40), "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "statmount": (457, 457), "listmount": (458, 458),
    "open_tree_attr": (467, 467),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "create_module": (174, None), "query_module": (178, None), "get_kernel_syms": (177, None),
    "swapon": (167, 224), "swapoff": (168, 225), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "acct": (163, 89), "syslog": (103, 116), "lookup_dcookie": (212, 18), "nfsservctl": (180, 42),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "settimeofday": (164, 170),
    "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None),
    "_sysctl": (156, None), "migrate_pages": (256, 238), "move_pages": (279, 239),
}  # fmt: skip
# as on a kernel without them, since programs then do it another way: glibc makes threads by
# clone(), whose flags a filter can read; memory in files without a name belongs to no process
_MISSING: dict[str, tuple[int, int | None]] = {
    "clone3": (435, 435), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "msgget": (68, 186),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Machine:
    column: int
    audit: int  # AUDIT_ARCH_...
    clone: int
    socket: int
    personality: int


_MACHINES = {
    "x86_64": _Machine(0, 0xC000003E, clone=56, socket=41, personality=135),
    "aarch64": _Machine(1, 0xC00000B7, clone=220, socket=198, personality=92),
}

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _AUDIT, _FIRST_ARGUMENT = (
    0,
    4,
    16,
)  # offsets in seccomp_data; both machines: low half first
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS


def seccomp_filter(machine: str) -> bytes:
    """An array of `struct sock_filter` for a machine as `platform.machine()` names it.

    Refused calls fail with EPERM or ENOSYS; a program of another kind of machine is killed.
    """
    known = _MACHINES.get(machine)
    if known is None:
        raise SandboxError(f"the sandbox knows no kernel calls of {machine}: use Docker")
    code = [
        _op(_LOAD, _AUDIT), _op(_EQUAL, known.audit, 1, 0), _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER),
        *_answer(_AT_LEAST, _X32, _EPERM), *_answer(_AT_LEAST, _NEWEST + 1, _ENOSYS),
    ]  # fmt: skip
    for calls, answer in ((_REFUSED, _EPERM), (_MISSING, _ENOSYS)):
        for numbers in calls.values():
            number = numbers[known.column]
            code += [] if number is None else _answer(_EQUAL, number, answer)
    code += _argument(known.clone, [*_answer(_ANY_BIT, _NEW_NAMESPACES, _EPERM)])
    code += _argument(known.socket, _one_of(_FAMILIES))
    code += _argument(known.personality, _one_of(_PERSONALITIES))
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _answer(test: int, value: int, answer: int) -> list[bytes]:
    return [_op(test, value, 0, 1), _op(_RETURN, answer)]


def _argument(number: int, checks: list[bytes]) -> list[bytes]:
    """Checks on the first argument of one call; what passes them is allowed."""
    body = [_op(_LOAD, _FIRST_ARGUMENT), *checks, _op(_RETURN, _ALLOW)]
    return [_op(_EQUAL, number, 0, len(body)), *body]


def _one_of(allowed: tuple[int, ...]) -> list[bytes]:
    passed = [_op(_EQUAL, value, len(allowed) - i, 0) for i, value in enumerate(allowed)]
    return [*passed, _op(_RETURN, _EPERM)]
