"""Owner and modes of everything in the mount: the same for all, so they are made once."""

import os
import stat
from dataclasses import dataclass
from typing import Self

from musefs.mount.plan import OwnershipPlan


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whom files and directories belong to and what their modes are, type bits included."""

    uid: int
    gid: int
    file_mode: int
    directory_mode: int

    @classmethod
    def of_plan(cls, plan: OwnershipPlan) -> Self:
        """Return what the flags asked for; the one who mounts where they did not."""
        return cls(
            uid=os.getuid() if plan.uid is None else plan.uid,
            gid=os.getgid() if plan.gid is None else plan.gid,
            file_mode=stat.S_IFREG | plan.file_mode,
            directory_mode=stat.S_IFDIR | plan.dir_mode,
        )
