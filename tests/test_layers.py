"""The layout that style and architecture promise holds in the real tree.

Each rule is first seen to fail on a bad piece of source: a check that cannot fail is none.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from statistics import median

import pytest

from mask_cli.cli import COMMANDS
from tests import layers

ROOT = Path(__file__).parent.parent
TREE = tuple(layers.modules(ROOT))
KNOWN = frozenset(module.name for module in TREE)
COMMAND_MODULES = frozenset("cli." + place.partition(":")[0] for place in COMMANDS.values())


def test_the_tree_is_really_read() -> None:
    assert {"errors", "cli", "cli.mappings", "store.sqlite", "mask_cli"} <= KNOWN


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("errors", "from mask_cli.models import Mapping"),
        ("models", "from mask_cli import output"),
        ("store.sqlite", "import mask_cli.sync"),
        (
            "store.sqlite",
            "from mask_cli.providers.base import KeyValueStore as S\nimport mask_cli.cli",
        ),
        ("sync", "from mask_cli import transfer"),
        ("store.base", "def f():\n    from mask_cli.store.sqlite import SqliteStore"),
        ("models", "if TYPE_CHECKING:\n    from mask_cli.orders import Orders"),
        ("newcomer", "import json"),
    ],
)
def test_an_import_that_points_up_is_found(name: str, source: str) -> None:
    assert layers.upward(layers.read(name, source), KNOWN)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("sync", "from mask_cli.models import Mapping"),
        ("store.sqlite", "from mask_cli.store.connection import connect"),
        ("store.sqlite", "from mask_cli.store.base import Store"),
        ("cli.context", "from mask_cli import __version__, orders"),
    ],
)
def test_an_import_that_points_down_is_let_through(name: str, source: str) -> None:
    assert layers.upward(layers.read(name, source), KNOWN) == []


def test_a_command_that_imports_another_command_is_found() -> None:
    bad = layers.read("cli.mappings", "def f():\n    from mask_cli.cli.upkeep import sync")
    assert layers.between_commands(bad, KNOWN, COMMAND_MODULES)


@pytest.mark.parametrize(
    "source",
    [
        "import httpx",
        "import time",
        "from os import path",
        "from mask_cli.phone import parse_number",
    ],
)
def test_an_effect_in_a_pure_module_is_found(source: str) -> None:
    assert layers.impure(layers.read("models", source), KNOWN)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("cli.mappings", "import click"),
        ("cli.mappings", "from rich.table import Table"),
        ("output", "import typer"),
        ("orders", "import sqlite3"),
        ("cli.upkeep", "from sqlite_utils import Database"),
        ("sync", "from voximplant.apiclient import VoximplantAPI"),
        ("rows", "import phonenumbers"),
        ("sync", "import requests"),
    ],
)
def test_a_package_used_outside_its_room_is_found(name: str, source: str) -> None:
    assert layers.unowned(layers.read(name, source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("orders", "import time\nnow = time.time()"),
        ("orders", "from time import time"),
        ("orders", "import datetime\nnow = datetime.datetime.now(datetime.UTC)"),
        ("cli.upkeep", "from datetime import datetime\nnow = datetime.now"),
        ("output", "import os\nx = os.environ['A']"),
        ("output", "from os import environ"),
        ("cli.context", "import os\nx = os.getenv('A')"),
        ("demo", "print('hello')"),
        ("demo", "raise SystemExit(1)"),
        ("cli.upkeep", "import sys\nsys.exit(1)"),
        ("cli.upkeep", "from sys import exit"),
    ],
)
def test_a_clock_an_environment_a_print_or_an_exit_away_from_home_is_found(
    name: str, source: str
) -> None:
    assert layers.away_from_home(layers.read(name, source))


def test_what_ends_by_itself_is_no_clock() -> None:
    harmless = layers.read("sync", "import time\nend = time.monotonic() + 1\ntime.sleep(1)")
    assert layers.away_from_home(harmless) == []


def test_a_module_or_a_command_that_grew_too_long_is_found() -> None:
    assert layers.too_long(layers.read("orders", "x = 1\n" * 401), COMMAND_MODULES)
    body = "def add(ctx):\n" + "    x = 1\n" * 21
    assert layers.too_long(layers.read("cli.mappings", body), COMMAND_MODULES)


def test_imports_point_down() -> None:
    assert [found for module in TREE for found in layers.upward(module, KNOWN)] == []


def test_commands_do_not_import_each_other() -> None:
    found = [f for m in TREE for f in layers.between_commands(m, KNOWN, COMMAND_MODULES)]
    assert found == []


def test_pure_modules_have_no_effects() -> None:
    assert [found for module in TREE for found in layers.impure(module, KNOWN)] == []


def test_each_package_has_one_owner() -> None:
    assert [found for module in TREE for found in layers.unowned(module)] == []


def test_clock_environment_print_and_exit_have_one_home_each() -> None:
    assert [found for module in TREE for found in layers.away_from_home(module)] == []


def test_modules_and_commands_stay_short() -> None:
    assert [found for module in TREE for found in layers.too_long(module, COMMAND_MODULES)] == []


def test_functions_stay_short() -> None:
    lengths = [length for module in TREE for _, length, _ in layers.functions(module)]
    assert median(lengths) <= layers.TYPICAL_FUNCTION
    assert sum(n > layers.LONG_FUNCTION for n in lengths) <= len(lengths) * layers.LONG_SHARE


def test_every_package_that_is_imported_is_declared_and_every_declared_one_has_an_owner() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [
        *project["dependencies"],
        *(x for name in extras if name not in ("bench", "dev") for x in extras[name]),
    ]
    declared = {re.split(r"[^a-z0-9-]", line)[0] for line in lines}
    package = {
        "jwt": "pyjwt",
        "prometheus_client": "prometheus-client",
        "sqlite_utils": "sqlite-utils",
        "voximplant": "voximplant-apiclient",
    }
    assert declared == {package.get(name, name) for name in layers.OWNERS if name != "sqlite3"}
