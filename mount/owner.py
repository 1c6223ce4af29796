"""Users and groups as values of flags: a name or a number, resolved on this machine."""

from collections.abc import Callable

from musefs.index.command.kind import Kind

LARGEST_ID = 2**32 - 2
"""The kernel's last usable id; the one above it means nobody."""


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    if number > LARGEST_ID:
        raise ValueError("the number is too large")
    return number


def _resolver(lookup: Callable[[str], int], what: str) -> Callable[[str], int]:
    def resolve(text: str) -> int:
        number = _number(text)
        if number is not None:
            return number
        try:
            return lookup(text)
        except KeyError:
            raise ValueError(f"there is no such {what}") from None

    return resolve


def _user(name: str) -> int:
    import pwd

    return pwd.getpwnam(name).pw_uid


def _group(name: str) -> int:
    import grp

    return grp.getgrnam(name).gr_gid


USER_KIND: Kind[int] = Kind("USER", "a user name or number", _resolver(_user, "user"))
GROUP_KIND: Kind[int] = Kind("GROUP", "a group name or number", _resolver(_group, "group"))
