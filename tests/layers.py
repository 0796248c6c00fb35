"""The rules of `docs/architecture.md` on who may know whom, read from the source with `ast`."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "mask_cli"

# From top to bottom; a module imports from lower rows, or from its own room.
ROWS = (
    ("__main__",),
    ("cli", "cli.*"),
    ("demo",),
    # These begin with what provisioning knows: applications by name, the addresses it sets,
    # the rows of a plan.
    ("call_import", "consequences", "doctor", "provision_voximplant"),
    ("voximplant_steps",),
    ("call_report", "orders", "pooled", "provision", "sync", "sync.*", "transfer", "web", "web.*"),
    ("binding",),
    ("output", "remote", "sandbox", "sandbox.*"),
    ("progress", "scenario", "scenario.*", "tables"),
    ("config", "providers", "providers.*", "store", "store.*"),
    ("settings",),
    ("phone", "plivo_signature", "records", "rows"),
    ("providers.base", "store.base", "store.calls_base"),
    ("allocation", "plan", "reconcile", "routing"),
    ("models",),
    ("times",),
    ("redaction",),
    ("errors",),
    (PACKAGE,),
)

PURE = (
    *("allocation", "errors", "models", "plan", "providers.base", "records"),
    *("reconcile",),
    *("redaction", "routing", "rows", "store.base", "store.calls_base", "times"),
)
_EFFECTS = frozenset(
    "http os pathlib select shutil signal socket sqlite3 ssl subprocess tempfile threading time "
    "urllib".split()
)

# Who may import what is not the standard library's; what stands nowhere here, nobody.
OWNERS = {
    "cryptography": ("providers.*", "sandbox.*", "web.guard"),
    "httptools": (),  # uvicorn takes it where it is there
    "httpx": ("providers.*",),
    "jwt": ("providers.*", "sandbox.*"),
    "phonenumbers": ("phone",),
    "platformdirs": ("config",),
    "plivo": ("providers.*",),
    "prometheus_client": ("web.metrics",),
    "quickjs": ("sandbox.*",),
    "requests": ("providers.*",),
    "rich": ("output", "progress", "tables"),
    "sqlite3": ("store.*",),
    "sqlite_utils": ("store.*",),
    "starlette": ("web.app",),
    "trustme": ("sandbox.*",),
    "typer": ("cli", "cli.*"),
    "urllib3": ("providers.*",),
    "uvicorn": ("web.server", "web.connection"),
    "uvloop": (),  # likewise
    "voximplant": ("providers.*",),
}

# What has one home each, and who else is let in, with the reason.
HOMES = {
    "clock": (
        "cli.context",
        "cli.completion",  # a shell's completion builds no context
        "providers._voximplant_client",  # tokens carry the time; the provider's clock is compared
        "sandbox.server",  # the emulated provider has a clock of its own
    ),
    "environment": ("config",),
    "print": ("output",),
    "exit": (
        "cli.boundary",
        "output",  # catches Rich's own way of ending the program
    ),
}
_USES = {
    **dict.fromkeys(
        ("time.time", "time.time_ns", "time.localtime", "time.gmtime", "datetime.now"), "clock"
    ),
    **dict.fromkeys(("datetime.utcnow", "datetime.today", "date.today"), "clock"),
    **dict.fromkeys(("os.environ", "os.environb", "os.getenv", "os.putenv"), "environment"),
    "print": "print",
    **dict.fromkeys(("sys.exit", "os._exit", "os.abort", "SystemExit", "exit", "quit"), "exit"),
}
LONGEST_MODULE = 400
LONGEST_COMMAND = 20
TYPICAL_FUNCTION, LONG_FUNCTION, LONG_SHARE = 10, 30, 0.1


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its name without the package, its lines, its tree."""

    name: str
    lines: int
    tree: ast.Module

    @property
    def room(self) -> str:
        """The package that it stands in, or itself."""
        return self.name.partition(".")[0]


def read(name: str, source: str) -> Module:
    """Return the module with this source."""
    return Module(name, source.count("\n"), ast.parse(source))


def modules(root: Path) -> Iterator[Module]:
    """Yield every module of the package in a checkout."""
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        yield read(".".join(parts[1:]) or PACKAGE, path.read_text(encoding="utf-8"))


def row(name: str) -> int | None:
    """Return the row of a module, None when nobody gave it a place; a whole name wins."""
    for exactly in (True, False):
        for number, patterns in enumerate(ROWS):
            if name in patterns if exactly else _is_one_of(name, patterns):
                return number
    return None


def imported(module: Module) -> Iterator[str]:
    """Yield the full name of each thing imported, for the type checker alone or not."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(module: Module, known: frozenset[str]) -> Iterator[str]:
    """Yield the modules of the package that a module imports."""
    for name in imported(module):
        package, _, rest = name.partition(".")
        if package == PACKAGE:
            yield next((n for n in (rest, rest.rpartition(".")[0]) if n in known), PACKAGE)


def upward(module: Module, known: frozenset[str]) -> list[str]:
    """Return the imports that point up, or sideways into another room."""
    here = row(module.name)
    if here is None:
        return [f"{module.name} stands in no row: give it one in tests/layers.py"]
    found = []
    for name in sorted(set(ours(module, known))):
        there = row(name)
        same_room = module.room == name.partition(".")[0] and there == here
        if there is None or there < here or (there == here and not same_room):
            found.append(f"{module.name} imports {name}")
    return found


def between_commands(module: Module, known: frozenset[str], commands: frozenset[str]) -> list[str]:
    """Return the imports of one module of commands by another."""
    if module.name not in commands:
        return []
    others = sorted(commands & set(ours(module, known)) - {module.name})
    return [f"{module.name} imports {name}" for name in others]


def impure(module: Module, known: frozenset[str]) -> list[str]:
    """Return what a pure module imports that could have an effect."""
    if module.name not in PURE:
        return []
    foreign = {name.partition(".")[0] for name in imported(module)} - {PACKAGE}
    found = [n for n in foreign if n not in sys.stdlib_module_names or n in _EFFECTS]
    found += set(ours(module, known)) - {*PURE, PACKAGE}
    return [f"{module.name} imports {name}" for name in sorted(found)]


def unowned(module: Module) -> list[str]:
    """Return the imports of packages that are somebody else's, or nobody's."""
    found = []
    for name in sorted({name.partition(".")[0] for name in imported(module)} - {PACKAGE}):
        owners = OWNERS.get(name, () if name not in sys.stdlib_module_names else ("*",))
        if not _is_one_of(module.name, owners):
            found.append(f"{module.name} imports {name}")
    return found


def away_from_home(module: Module) -> list[str]:
    """Return the uses of the clock, the environment, `print` and exits outside their homes."""
    found = []
    for name, line in _used(module.tree):
        use = _USES.get(name) or _USES.get(".".join(name.split(".")[-2:]))
        if use is not None and module.name not in HOMES[use]:
            found.append(f"{module.name}:{line} uses {name}")
    return found


def too_long(module: Module, commands: frozenset[str]) -> list[str]:
    """Return the module when it is too long, and its commands whose body is."""
    found = []
    if module.lines > LONGEST_MODULE:
        found.append(f"{module.name} has {module.lines} lines")
    for name, length, is_command in functions(module):
        if module.name in commands and is_command and length > LONGEST_COMMAND:
            found.append(f"{module.name}.{name} has {length} lines")
    return found


def functions(module: Module) -> Iterator[tuple[str, int, bool]]:
    """Yield each function: its name, the lines of its body, whether it is a command.

    The docstring does not count; a command is what takes Typer's context.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = 1 if ast.get_docstring(node) is not None and len(node.body) > 1 else 0
            arguments = [argument.arg for argument in node.args.args]
            length = (node.end_lineno or 0) - node.body[first].lineno + 1
            yield node.name, length, "ctx" in arguments


def _is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _used(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every name, dotted or imported, that is used, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node), node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
