"""Imports point strictly down, siblings do not import each other, and what is promised to be torch-free is."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bifrons

SOURCE = Path(bifrons.__file__).parent
MOST_LINES = 600

FLOORS: tuple[tuple[str, ...], ...] = (  # from the top; a unit imports from strictly lower floors and from itself
    ("cli",),
    ("study", "report"),
    ("organism", "training", "merge", "export"),
    ("pairs", "evaluation", "diagnostics"),
    ("models", "scorers"),
    ("protocol", "sources", "claims"),
    ("scenes", "losses", "gradients", "strategies", "stats", "checkpoints"),
    ("records",),
)
SAME_UNIT = {"testing": "protocol", "__main__": "cli"}  # the protocol's parity tests; `python -m bifrons`
HEIGHT = {unit: len(FLOORS) - floor for floor, units in enumerate(FLOORS) for unit in units}
ROOT = ""  # the package itself, whose face is lazy: see the tests of it at the end


def unit_of(module: str) -> str:
    """The unit that a dotted module name belongs to, ROOT for the package itself."""
    _, _, rest = module.partition(".")
    name = rest.split(".")[0]
    return SAME_UNIT.get(name, name)


def imported_modules(text: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every bifrons module that a source imports, in functions and under `if` too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parents = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            names = [f"{base}.{alias.name}" if base == "bifrons" else base for alias in node.names]
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            constant = first.value if isinstance(first, ast.Constant) else None
            names = [constant] if called in ("import_module", "__import__") and isinstance(constant, str) else []
        else:
            names = []
        for name in names:
            public = bifrons.PUBLIC.get(name.removeprefix("bifrons."))
            if name.split(".")[0] == "bifrons":
                yield node.lineno, public or name


def violations(text: str, module: str, is_package: bool = False) -> list[str]:
    """Every import of the source that does not point strictly down."""
    own = unit_of(module)
    if own != ROOT and own not in HEIGHT:
        return [f"{module}: the unit {own!r} stands on no floor"]
    found: list[str] = []
    for line, name in imported_modules(text, module, is_package):
        other = unit_of(name)
        if own == ROOT or other == own or name == "bifrons.__version__":
            continue
        if other not in HEIGHT:
            found.append(f"{module}:{line} imports {name}, which stands on no floor")
        elif HEIGHT[other] >= HEIGHT[own]:
            found.append(f"{module}:{line} imports {name}, which is not below {own}")
    return found


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = ("bifrons", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_imports_point_strictly_down() -> None:
    found = [
        line
        for path in sources()
        for line in violations(path.read_text(encoding="utf-8"), module_name(path), path.name == "__init__.py")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("bifrons.records.files", "from bifrons.strategies import PCGrad"),  # upwards
        ("bifrons.losses.dpo", "from bifrons.gradients import take"),  # a sibling
        ("bifrons.report.page", "import bifrons.study.grid"),  # a sibling, whole module
        ("bifrons.models.janus.load", "from bifrons import training"),  # a unit named in `from bifrons import`
        ("bifrons.models.janus.load", "from bifrons import align"),  # a public name that lives higher up
        ("bifrons.strategies.table", "def f():\n    from bifrons.training import align"),  # inside a function
        ("bifrons.scenes.world", "if TYPE_CHECKING:\n    from bifrons.pairs import x"),  # for types only
        ("bifrons.losses.dpo", "from ..gradients.gramian import take"),  # relative
        ("bifrons.losses.dpo", "import_module('bifrons.cli')"),  # by name
        ("bifrons.stats.slope", "from bifrons.common import x"),  # a unit that the design does not know
        ("bifrons.helpers", "import math"),  # a file that the design does not know
    ],
)
def test_a_violation_is_found(module: str, text: str) -> None:
    """The checker is able to fail, on every way of writing an import."""
    assert len(violations(text, module)) == 1


@pytest.mark.parametrize(
    ("module", "text", "is_package"),
    [
        ("bifrons.gradients.gramian", "import torch\nfrom bifrons.records import Gramian", False),
        ("bifrons.models", "from .janus.load import load", True),
        ("bifrons.models.janus.load", "from .packing import pack\nfrom ..load import load", False),
        ("bifrons.models.janus", "from ...records import Gramian", True),
        ("bifrons.testing", "from bifrons.protocol import Sampling", False),
        ("bifrons.cli", "from bifrons import __version__, align, records", False),
    ],
)
def test_a_lawful_import_is_not_reported(module: str, text: str, is_package: bool) -> None:
    assert violations(text, module, is_package) == []


def test_files_are_short() -> None:
    lines = {module_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_nothing_is_named_for_its_leftovers() -> None:
    """No `utils.py`, no `common/`: one idea a file, and its name says which."""
    banned = {"utils", "util", "common", "helpers", "misc"}
    assert [module_name(p) for p in sources() if banned & set(p.relative_to(SOURCE).with_suffix("").parts)] == []


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
"""


def run_without_torch(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{BLOCKED}{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


UNITS = ("records", "strategies", "stats", "scenes", "claims", "report", "sources")
TORCH_FREE = ("bifrons", *(f"bifrons.{unit}" for unit in UNITS))


@pytest.mark.parametrize("module", TORCH_FREE)
def test_imports_without_torch(module: str) -> None:
    """The unit and every module in it can be imported where there is no torch."""
    folder = SOURCE.joinpath(*module.split(".")[1:])
    inner = [] if module == "bifrons" else [module_name(p) for p in sorted(folder.rglob("*.py"))]
    done = run_without_torch("".join(f"import {name}\n" for name in [module, *inner]))
    assert done.returncode == 0, done.stderr


def test_the_block_of_torch_works() -> None:
    """Where torch is blocked, a unit that needs it fails: the tests above would notice."""
    done = run_without_torch("import bifrons.losses")
    assert done.returncode != 0
    assert "torch is blocked" in done.stderr


def test_the_public_face_is_lazy() -> None:
    """No unit is loaded before a name of it is asked for, and a torch-free name can be had without torch."""
    code = "import sys, bifrons\nassert not [m for m in sys.modules if m.startswith('bifrons.')]\n"
    code += "from bifrons import read_pairs, make_strategy\nassert read_pairs.__module__ == 'bifrons.records.files'"
    done = run_without_torch(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", bifrons.PUBLIC)
def test_a_public_name_is_its_units_own(name: str) -> None:
    assert name in dir(bifrons)
    assert getattr(bifrons, name) is getattr(sys.modules[bifrons.PUBLIC[name]], name)
    assert not (SOURCE / name).exists() and not (SOURCE / f"{name}.py").exists(), "a submodule would hide the name"


def test_type_checkers_see_the_same_public_face() -> None:
    """The imports for type checkers say what the table says at run time."""
    face = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(face) if isinstance(node, ast.ImportFrom)]
    shown = {alias.name: node.module for node in imports for alias in node.names}
    assert {name: module for name, module in shown.items() if str(module).startswith("bifrons")} == bifrons.PUBLIC


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bifrons.nothing
