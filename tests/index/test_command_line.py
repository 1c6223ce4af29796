"""Flags, environment and config.toml: what wins, what is refused, and what the refusal says."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from musefs.index.command import config
from musefs.index.command.common import Shell, with_common
from musefs.index.command.completion import render_completion
from musefs.index.command.flag import Command, Flag
from musefs.index.command.kind import parse_boolean, parse_duration, parse_size
from musefs.index.command.run import Program, Terminated, main
from musefs.index.command.settings import Settings
from musefs.index.edit.cli import plan_tag
from musefs.index.edit.flags import TAG
from musefs.index.edit.plan import RemoveTags, SetTags, TagPlan
from musefs.index.errors import ExitCode, VolumeNotFoundError
from musefs.mount.cli import plan_mount
from musefs.mount.flags import MOUNT
from musefs.mount.plan import Mode, MountPlan
from musefs.pipeline.cli import plan_scan
from musefs.pipeline.flags import IO_PROBE, SCAN

COMMANDS = [with_common(command) for command in (SCAN, IO_PROBE, MOUNT, TAG)]


@dataclass
class Ran:
    """Keeps the plans that were run, and does what a test wants."""

    plans: list[object] = field(default_factory=list)
    outcome: Callable[[], ExitCode] = lambda: ExitCode.OK

    def __call__(self, plan: object) -> ExitCode:
        self.plans.append(plan)
        return self.outcome()


@pytest.fixture(autouse=True)
def _no_files_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(config, "SYSTEM_FILE", tmp_path / "etc" / "config.toml")


def mount(*words: str) -> MountPlan:
    ran = Ran()
    assert main(Program(MOUNT, plan_mount, ran), words) == 0
    plan = ran.plans[0]
    assert isinstance(plan, MountPlan)
    return plan


def tag(*words: str) -> TagPlan:
    ran = Ran()
    assert main(Program(TAG, plan_tag, ran), words) == 0
    plan = ran.plans[0]
    assert isinstance(plan, TagPlan)
    return plan


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_declaration_is_sound(command: Command) -> None:
    settings = Settings(command, None, {})
    shorts: list[str] = []
    for flag in command.flags:
        assert flag.help, flag.name
        assert not flag.help.endswith("."), flag.name
        if not flag.required:
            flag.read(settings.source(flag).texts)
        shorts += [flag.short] if flag.short else []
    assert len(shorts) == len(set(shorts))
    for sub in command.subcommands:
        for flag in sub.flags:
            if not flag.required:
                flag.read(flag.default_texts())


def test_flag_beats_environment_beats_config_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mount("i", "m").poll_interval_s == 1.0
    file = tmp_path / "xdg" / "musefs" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        '[mount]\npoll-interval = "3s"\nkeep-cache = false\n[mount.fallback]\ng = "x"\n'
    )
    assert mount("i", "m").poll_interval_s == 3.0
    assert mount("i", "m").kernel.keep_cache is False
    assert mount("i", "m").naming.fallbacks == (("g", "x"),)
    monkeypatch.setenv("MUSEFS_POLL_INTERVAL", "4s")
    assert mount("i", "m").poll_interval_s == 4.0
    assert mount("i", "m", "--poll-interval", "5s").poll_interval_s == 5.0
    assert mount("i", "m", "--poll-interval=250ms", "--keep-cache").kernel.keep_cache is True


def test_print_config_says_where_each_value_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUSEFS_MODE", "structure-only")
    assert main(Program(MOUNT, plan_mount, Ran()), ["i", "m", "--print-config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    mode = next(line for line in lines if line.startswith("--mode"))
    assert mode.split() == ["--mode", "structure-only", "#", "environment", "MUSEFS_MODE"]
    assert any(line.startswith("INDEX") and line.endswith("command line") for line in lines)


def test_print_config_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["i", "m", "--print-config", "--format", "json"]
    assert main(Program(MOUNT, plan_mount, Ran()), words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format_version"] == 1
    assert {"flag": "INDEX", "value": "i", "origin": "command line"} in told["settings"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('tempate = "x"', "'tempate'; did you mean template in the table [mount]?"),
        ('template = "x"', "'template' belongs into the table [mount]"),
        ('[mout]\ntemplate = "x"', "'mout'; did you mean the table [mount]?"),
        ("verbos = 1", "'verbos'; did you mean verbose?"),
        ("[mount]\ntempate = 1", "'tempate' in [mount]; did you mean template?"),
    ],
)
def test_an_unknown_key_of_the_configuration_names_the_nearest(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text)
    words = ["i", "m", "--config", str(file)]
    assert main(Program(MOUNT, plan_mount, Ran()), words) == ExitCode.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--frobnicate"], ["--frobnicate"]),
        (["--polinterval", "1s"], ["--polinterval", "--poll-interval"]),
        (["i", "m", "--poll-interval", "soon"], ["--poll-interval", "'soon'", "500ms"]),
        (["i", "m", "--mode", "magic"], ["--mode", "'magic'", "synthesis, structure-only"]),
        (["i", "m", "--file-mode", "999"], ["--file-mode", "'999'", "octal"]),
        (["i", "m", "--fallback", "genre"], ["--fallback", "'genre'", "KEY=VALUE"]),
        (["i", "m", "--owner", "no-such-user-here"], ["--owner", "no such user"]),
        (["i", "m", "--max-background", "0"], ["--max-background", "from 1 to 65535"]),
        (["i", "m", "x"], ["'x'"]),
        (["i"], ["MOUNTPOINT"]),
        ([], ["INDEX"]),
        (["i", "m", "--config", "/no/such.toml"], ["/no/such.toml"]),
        (["i", "m", "--view", "a=$x", "--view", "b=$x", "--view", "a=$y"], ["--view a", "twice"]),
    ],
)
def test_a_refusal_names_flag_value_and_what_is_allowed(
    words: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(Program(MOUNT, plan_mount, Ran()), words) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert all(word in told for word in said), told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("= 1", "TOML"),
        ("[mount]\npol-interval = 1\n", "poll-interval"),
        ("frob = 1\n", "frob"),
        ('[mount]\npoll-interval = "x"\n', "configuration"),
        ("[mount]\nfallback = 3\n", "list"),
        ("mount = 3\n", "table"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused_by_name(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text)
    code = main(Program(MOUNT, plan_mount, Ran()), ["i", "m", "--config", str(file)])
    told = capsys.readouterr().err
    assert code == ExitCode.USAGE
    assert said in told
    assert str(file) in told


def _raise(error: BaseException) -> ExitCode:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (VolumeNotFoundError("nothing there", path="/dev/x"), 4, "/dev/x: nothing there"),
        (KeyboardInterrupt(), 130, "Ctrl-C"),
        (Terminated(), 143, "SIGTERM"),
        (BrokenPipeError(), 0, ""),
        (RuntimeError("oops"), 99, "bug"),
    ],
)
def test_every_outcome_has_its_exit_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(outcome=lambda: _raise(error))
    assert main(Program(SCAN, plan_scan, ran), ["x"]) == code
    assert said in capsys.readouterr().err


def test_json_errors_are_one_object_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    error = VolumeNotFoundError("nothing there", path="/dev/\udcff")
    ran = Ran(outcome=lambda: _raise(error))
    assert main(Program(SCAN, plan_scan, ran), ["x", "--format", "json"]) == 4
    body = json.loads(capsys.readouterr().err)
    assert body["format_version"] == 1
    assert body["error"]["class"] == "VolumeNotFoundError"
    assert body["error"]["exit_code"] == 4
    assert body["error"]["path_base64"] == "L2Rldi//"


def test_mount_options_arrive_typed() -> None:
    plan = mount("i.duckdb", "/mnt", "--mode=structure-only", "--owner", "0", "--file-mode", "640")
    assert plan.mode is Mode.STRUCTURE_ONLY
    assert plan.ownership.uid == 0
    assert plan.ownership.allow_other is True
    assert plan.ownership.file_mode == 0o640
    assert plan.reading.read_ahead_budget_bytes == 64 << 20
    views = mount("i", "m", "--view", "a=$artist", "--view", "y=$date/[$x=1]").naming.views
    assert views == (("a", "$artist"), ("y", "$date/[$x=1]"))


def test_tag_sub_commands_take_their_own_flags() -> None:
    plan = tag("--index", "i", "set", "genre=Jazz", "genre=Bop", "--track", "3", "-n")
    assert plan.action == SetTags((("genre", "Jazz"), ("genre", "Bop")))
    assert plan.selection.tracks == (3,)
    assert plan.dry_run
    plan = tag("remove", "comment", "genre=Pop", "--all", "-i", "j")
    assert plan.action == RemoveTags(keys=("comment",), pairs=(("genre", "Pop"),))
    assert plan.index == Path("j")
    assert not tag("list").selection.given


@pytest.mark.parametrize(
    "words", [["set", "a=b"], ["frob"], [], ["set", "--all"], ["list", "--frob"]]
)
def test_tag_refuses_what_it_does_not_understand(words: list[str]) -> None:
    ran = Ran()
    assert main(Program(TAG, plan_tag, ran), words) == ExitCode.USAGE
    assert ran.plans == []


@pytest.mark.parametrize("shell", list(Shell))
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_completion_knows_every_flag(command: Command, shell: Shell) -> None:
    script = render_completion(command, shell)
    flags: list[Flag[object]] = [flag for flag in command.all_flags() if not flag.positional]
    for flag in flags:
        assert f"-l {flag.name} " in script if shell is Shell.FISH else f"--{flag.name}" in script


def test_values_are_read_as_people_write_them() -> None:
    assert parse_size("64MiB") == parse_size("64 M") == 64 << 20
    assert parse_size("1kB") == 1000
    assert parse_duration("1500ms") == 1.5
    assert parse_duration("2m") == 120
    assert parse_boolean("On") is True
    for wrong in ("", "MiB", "1 parsec", "-1"):
        with pytest.raises(ValueError, match=r"number|unit"):
            parse_size(wrong)
