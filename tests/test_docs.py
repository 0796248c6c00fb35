"""What README and docs say is true: commands exist and run, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import typer

from mask_cli import __version__
from mask_cli.cli import app
from mask_cli.cli.context import AppContext
from mask_cli.config import load_settings
from mask_cli.demo import STEPS
from mask_cli.errors import ExitCode, MaskError
from mask_cli.sandbox.surroundings import inside, surroundings
from mask_cli.sandbox.voximplant import VoximplantSandbox
from mask_cli.scenario.render import packaged_phrases
from mask_cli.scenario.report import OUTCOMES
from mask_cli.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
TRIED = ("Add and change orders", "Virtual numbers", "Import and export", "CI", "Privacy")
SETUP = "python3 -m venv .venv && "


def blocks(page: str, *languages: str) -> list[str]:
    return [text for language, text in FENCED.findall(page) if language in languages]


def whole_lines(page: str) -> Iterator[str]:
    """Yield each call of mask in a page's blocks, without the program's name."""
    for block in blocks(page, "sh", "cron", "yaml"):
        for line in block.replace("\\\n", " ").splitlines():
            _, found, rest = f" {line}".partition(" mask ")
            if found:
                yield rest


def quoted_lines(page: str) -> Iterator[str]:
    """Yield each call of mask quoted in a sentence; it may leave out what the command needs."""
    for quoted in QUOTED.findall(FENCED.sub("", page)):
        if quoted.startswith("mask ") and not re.search(r"\[|[A-Z]{3,}", quoted):
            yield quoted.removeprefix("mask ")


def words_of(line: str) -> list[str]:
    """Return the words of one call, up to where the shell goes on with something else."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if word[0] in "|&;<>":
            break
        words.append(word)
    return words


def parse(words: list[str]) -> str:
    """Let the real commands read a command line; return the command's name or raise.

    What acts while it is read (`--install-completion`) is only looked up.
    """
    command: Any = typer.main.get_command(app)
    acting = {opt for param in command.params if not param.rich_help_panel for opt in param.opts}
    if words[0] in acting:
        return words[0]
    context = command.make_context("mask", list(words), obj=AppContext())
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return ""
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    return str(context.info_name)


def every(lines: Callable[[str], Iterator[str]]) -> list[str]:
    return sorted({line for page in PAGES for line in lines(page.read_text(encoding="utf-8"))})


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("line", every(whole_lines))
def test_no_page_shows_a_command_that_does_not_work(line: str) -> None:
    assert parse(words_of(line))


@pytest.mark.parametrize("line", every(quoted_lines))
def test_no_sentence_names_a_command_that_does_not_exist(line: str) -> None:
    try:
        assert parse(words_of(line))
    except typer.TyperException as error:
        if type(error).__name__ not in ("MissingParameter", "NoArgsIsHelpError"):
            raise


@pytest.mark.parametrize(
    "line",
    ["lst", "list --activ", "add 12345", "show", "voximplant kv put a", "extend 12345 --by later"],
)
def test_a_wrong_command_line_would_be_found(line: str) -> None:
    with pytest.raises((typer.TyperException, MaskError)):
        parse(words_of(line))


def test_the_lines_are_really_found() -> None:
    assert len(every(whole_lines)) > 25
    assert {"demo", "reassign"} <= set(every(quoted_lines))


def test_the_reference_does_not_lag_behind_the_program() -> None:
    run = _python("docs/reference.py", "--check")
    assert run.returncode == 0, run.stderr


def test_a_stale_reference_would_be_found(tmp_path: Path) -> None:
    for name in ("README.md", "docs/reference.py"):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((ROOT / name).read_text().replace("Show one mapping.", "Show it."))
    run = _python(str(tmp_path / "docs" / "reference.py"), "--check")
    assert run.returncode == 1
    assert "out of date" in run.stderr


def test_reference_names_every_setting_and_exit_code() -> None:
    reference = README.partition("<!-- reference: begin -->")[2]
    assert [s.name for s in SETTINGS if f"| `{s.name}` | `{s.env}` |" not in reference] == []
    assert [
        code for code in ExitCode if f"| {code.value} | {code.meaning} |" not in reference
    ] == []


@pytest.mark.slow
def test_picture_can_be_drawn_again_from_a_real_run(tmp_path: Path) -> None:
    file = tmp_path / "terminal.svg"
    run = _python("docs/picture.py", str(file))
    assert run.returncode == 0, run.stderr
    drawn, kept = (_text(each) for each in (file, ROOT / "docs" / "terminal.svg"))
    # Only times differ between two runs.
    assert _without_times(drawn) == _without_times(kept)
    assert "+1•••••••2222" in drawn
    assert not re.search(r"https?://(?!www\.w3\.org|www\.textualize\.io)", file.read_text())


def test_picture_shows_no_command_that_does_not_exist() -> None:
    shown = re.findall(r"^\$ mask (.*)$", _text(ROOT / "docs" / "terminal.svg"), re.MULTILINE)
    assert len(shown) >= 5
    assert all(parse(words_of(line)) for line in shown)


def test_demonstration_has_no_command_that_does_not_exist() -> None:
    for step in STEPS:
        words = step.command.format(
            orders="orders.csv", order="1", courier="--courier 1", extra="1 --courier 1 --client 2"
        )
        assert parse(shlex.split(words))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_leads_nowhere(page: Path) -> None:
    targets = [target for target, _ in LINK.findall(page.read_text(encoding="utf-8"))]
    gone = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert gone == []


def test_files_that_are_named_are_there() -> None:
    for page in PAGES:
        names = re.findall(
            r"\b(?:sample_data|docs|tests|benchmarks|mask_cli)/[\w./-]*\w", page.read_text()
        )
        assert [name for name in names if not (ROOT / name).exists()] == [], page.name


def test_set_up_is_two_commands_that_stand_first() -> None:
    first, second = blocks(README, "sh")[:2]
    assert first.startswith(SETUP)
    assert first.endswith(".venv/bin/mask demo\n")
    assert second == ".venv/bin/python -m pytest -q -n 4 --dist worksteal\n"


def test_reader_is_warned_before_the_first_command_that_touches_a_real_account() -> None:
    warning = README.index("**Before you go on:**")
    assert warning < README.index("## Tasks") < README.index("export VOXIMPLANT_CREDENTIALS")


@pytest.mark.slow
def test_commands_of_the_tasks_really_work(tmp_path: Path) -> None:
    """Run them in the order of the page, in a sandbox, from a copy of the sample data."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "mask"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mask_cli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    with VoximplantSandbox() as sandbox:
        environment = inside(surroundings(sandbox))
        environment |= {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "MASK_CONFIG": str(tmp_path / "config.toml"),
        }
        (tmp_path / "config.toml").write_text("")
        for heading in TRIED:
            section = README.partition(f"### {heading}\n")[2].partition("\n### ")[0]
            for line in blocks(section, "sh")[0].splitlines():
                run = subprocess.run(
                    ["sh", "-c", line],
                    env=environment,
                    cwd=tmp_path,
                    capture_output=True,
                    text=True,
                    timeout=30,
                    check=False,
                )
                wanted = ExitCode.PARTLY if "--keep-going" in line else ExitCode.DONE
                assert run.returncode == wanted, f"{line}\n{run.stderr}"


def test_sample_settings_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    file = ROOT / "sample_data" / "config.toml"
    settings = load_settings({"config": str(file)}, {})
    named = {f"{t}.{n}" if t else n for t, n in _names(tomllib.loads(file.read_text()))}
    assert named
    assert {n for n in named if settings.values[n].source == str(file)} == named


def test_sample_of_bad_rows_has_one_good_row(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    run = subprocess.run(
        [
            *(sys.executable, "-m", "mask_cli", "--database", str(tmp_path / "m.db")),
            *("import", str(ROOT / "sample_data" / "bad_rows.csv"), "--format", "json"),
            *("--keep-going", "--rejects", str(rejects)),
        ],
        env=inside({"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    bad = len((ROOT / "sample_data" / "bad_rows.csv").read_bytes().splitlines()) - 2
    assert run.returncode == ExitCode.PARTLY
    assert (
        f'"added": 1, "updated": 0, "unchanged": 0, "skipped": 0, "expired": 0, "rejected": {bad}'
        in run.stdout
    )
    assert not re.search(r"415\W*555\W*01\d\d", run.stdout + run.stderr)


@pytest.mark.slow
def test_script_for_ci_really_provisions_and_simulates(tmp_path: Path) -> None:
    """Run the page's own lines: the script in a file, the line that starts it in the sandbox."""
    page = (ROOT / "docs" / "in-ci.md").read_text()
    script, start, ill = blocks(page, "sh")
    (tmp_path / "ci-masking.sh").write_text(script)
    done = _shell(start, tmp_path)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert '"changed": false' in done.stdout
    assert done.stderr.count("Verdict: connected") == 2
    assert not re.search(r"415\W*666\W*77\d\d", done.stdout + done.stderr)
    broken = start.replace("ci-masking.sh", "broken.sh")
    (tmp_path / "broken.sh").write_text(script.replace("client_to_courier", "courier_to_client"))
    assert _shell(broken, tmp_path).returncode == ExitCode.DECLINED
    if shutil.which("curl"):
        assert _shell(ill, tmp_path).returncode == ExitCode.TRY_LATER


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["going-live-on-plivo", "going-live-on-voximplant", "trying-with-a-real-phone"]
)
def test_way_to_a_real_call_works_in_the_sandbox_line_by_line(page: str, tmp_path: Path) -> None:
    """Run all but what needs an account's secrets, a tunnel, or stays open."""
    shown = "".join(blocks((ROOT / "docs" / f"{page}.md").read_text(), "sh"))
    lines = [line for line in shown.splitlines() if not re.match(r"export|ngrok|mask serve", line)]
    assert len(lines) > 7
    prepared = "export MASK_PUBLIC_URL=https://mask.example.com\n"
    if page.startswith("trying"):
        prepared += "mask plivo number rent '+1 415 555 0120' --yes\n"
    (tmp_path / "way.sh").write_text("set -eux\n" + prepared + "\n".join(lines) + "\n")
    done = _shell("mask sandbox -- sh way.sh", tmp_path)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert "Verdict: connected" in done.stderr
    assert "-> none" not in done.stderr, "a step takes away what an earlier one set"


def _shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a page's line in a folder of its own, with the program under its own name."""
    program = folder / "bin" / "mask"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mask_cli "$@"\n')
    program.chmod(0o755)
    more = {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env=inside({**more, "HOME": str(folder)}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_change_notes_tell_of_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(__version__)}\]", changes, re.MULTILINE)


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = inside({"PYTHONPATH": str(ROOT)})
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _text(svg: Path) -> str:
    """Return the lines of a picture, as they stand on it."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for element in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314
        x, y = float(element.get("x", "0")), float(element.get("y", "0"))
        lines.setdefault(y, []).append((x, element.text or ""))
    return "\n".join(
        "".join(text for _, text in sorted(parts)).replace("\u00a0", " ")
        for _, parts in sorted(lines.items())
    )


def _without_times(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\dZ", "TIME", text)


def _names(tables: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _names(value, name)
        else:
            yield above, name


def test_the_picture_of_the_call_is_that_of_the_packaged_scenario(tmp_path: Path) -> None:
    file = tmp_path / "call.svg"
    run = _python("docs/call_picture.py", str(file))
    assert run.returncode == 0, run.stderr
    assert _text(file) == _text(ROOT / "docs" / "the-call.svg")
    assert "they hear each other for 30 s" in file.read_text(encoding="utf-8")
    assert "3333333333" not in file.read_text(encoding="utf-8")


def test_every_phrase_and_outcome_of_the_scenario_is_documented() -> None:
    for name, text in packaged_phrases()["en"]["phrases"].items():
        assert f"| `{name}` |" in (ROOT / "docs" / "phrases.md").read_text(encoding="utf-8")
        assert f"| {text} |" in (ROOT / "docs" / "phrases.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "the-call.md").read_text(encoding="utf-8")
    assert {word for word in OUTCOMES if f"`{word}`" not in page} == set()
