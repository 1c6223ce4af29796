"""musefs-tag: from flags to a plan, and to the commands that carry it out."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from musefs.index.command.common import CommonPlan
from musefs.index.command.flag import Flag
from musefs.index.command.room import run_in
from musefs.index.command.run import Program, leave
from musefs.index.command.run import main as run_program
from musefs.index.command.settings import Settings
from musefs.index.edit import flags
from musefs.index.edit.plan import (
    Action,
    AddTags,
    DiffTags,
    EditArt,
    ExportTags,
    GetTags,
    ImportTags,
    ListTracks,
    RemoveTags,
    ResetTags,
    Selection,
    SetTags,
    TagPlan,
    UndoChange,
)
from musefs.index.errors import ExitCode, SelectionError, UsageError


def _pairs(settings: Settings) -> tuple[tuple[str, str], ...]:
    pairs = settings[flags.PAIRS]
    if not pairs:
        raise UsageError("KEY=VALUE is missing", hint="For example: musefs-tag set genre=Jazz …")
    return pairs


def _removal(settings: Settings) -> RemoveTags:
    words = settings[flags.REMOVED]
    if not words:
        raise UsageError("nothing to remove was named", hint="Name a tag, or KEY=VALUE.")
    split = [word.partition("=") for word in words]
    return RemoveTags(
        keys=tuple(key for key, equals, _ in split if not equals),
        pairs=tuple((key, value) for key, equals, value in split if equals),
    )


def _art(settings: Settings) -> EditArt:
    art = EditArt(
        picture_type=settings[flags.PICTURE_TYPE],
        set_from=settings[flags.SET_FROM],
        remove=settings[flags.REMOVE_ART],
        export_to=settings[flags.EXPORT_TO],
    )
    if (art.set_from is not None) + art.remove + (art.export_to is not None) > 1:
        raise UsageError("--set, --remove and --export exclude each other")
    return art


_ACTIONS: Mapping[str, Callable[[Settings], Action]] = MappingProxyType(
    {
        "list": lambda settings: ListTracks(settings[flags.LIMIT]),
        "get": lambda settings: GetTags(settings[flags.KEYS]),
        "set": lambda settings: SetTags(_pairs(settings)),
        "add": lambda settings: AddTags(_pairs(settings)),
        "remove": _removal,
        "art": _art,
        "diff": lambda _: DiffTags(),
        "reset": lambda settings: ResetTags(settings[flags.KEYS]),
        "export": lambda settings: ExportTags(settings[flags.TARGET], settings[flags.TABLE_FORMAT]),
        "import": lambda settings: ImportTags(settings[flags.SOURCE], settings[flags.TABLE_FORMAT]),
        "undo": lambda _: UndoChange(),
    }
)


def _selection(settings: Settings) -> Selection:
    if not _has(settings, flags.WHERE):
        return Selection(everything=True)
    return Selection(
        where=settings[flags.WHERE],
        paths=settings[flags.PATHS],
        tracks=settings[flags.TRACKS],
        everything=settings[flags.ALL],
    )


def _has(settings: Settings, flag: Flag[object]) -> bool:
    return any(known is flag for known in settings.flags())


def _changes(action: Action) -> bool:
    if isinstance(action, EditArt):
        return action.remove or action.set_from is not None
    return isinstance(action, SetTags | AddTags | RemoveTags | ResetTags)


def plan_tag(settings: Settings, common: CommonPlan) -> TagPlan:
    """Return what musefs-tag was asked to do."""
    if settings.subcommand is None:
        raise UsageError("a sub-command is missing")
    action = _ACTIONS[settings.subcommand.name](settings)
    selection = _selection(settings)
    if _changes(action) and not selection.given:
        raise SelectionError(
            f"musefs-tag {settings.subcommand.name} needs to know which tracks are meant",
            hint="Select with --where, --path or --track, or say --all.",
        )
    return TagPlan(
        index=settings[flags.INDEX],
        action=action,
        selection=selection,
        dry_run=_has(settings, flags.DRY_RUN) and settings[flags.DRY_RUN],
        common=common,
    )


def _run(plan: TagPlan) -> ExitCode:
    return run_in("musefs.index.edit.commands", plan)


def main() -> int:
    """Run musefs-tag."""
    return run_program(Program(flags.TAG, plan_tag, _run))


def command() -> None:
    """Be musefs-tag."""
    leave(main())
