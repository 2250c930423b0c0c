"""Nothing that comes from outside is ever run: no pickles in any disguise, no eval, no shell, no YAML with objects."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("initshape", "service", "workers", "benchmarks", "deploy")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))

PICKLES = {
    "pickle",
    "_pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "joblib",
    "cloudpickle",
    "jsonpickle",
    "pickletools",
    "multiprocessing",
}
BETWEEN_OWN_PROCESSES = {
    "benchmarks/pool.py: imports multiprocessing",
    "initshape/spread.py: imports multiprocessing.connection",
    "initshape/spread_child.py: imports multiprocessing.connection",
    "initshape/spread_child.py: imports pickle",
}
"""`Local()`, a benchmark, and their own children, which they start themselves and reach by sockets without a name:
whoever could write there could run code as this user already."""
CALLS = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn"}
LOADERS = {"load", "load_array", "read_array", "save", "savez", "savez_compressed", "write_array"}
"""Of NumPy: what could read or write pickles, each to be told that it may not."""


def name_of(node: ast.expr) -> str:
    """`a.b.c` of a call; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return ""


def offences(source: str) -> Iterator[str]:
    """What a module does that could run data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"imports {a.name}" for a in node.names if a.name.partition(".")[0] in PICKLES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PICKLES:
            yield f"imports {node.module}"
        elif isinstance(node, ast.Call):
            yield from offences_of(node)


def offences_of(node: ast.Call) -> Iterator[str]:
    name = name_of(node.func)
    given = {word.arg: word.value for word in node.keywords}
    if name in CALLS or name in SHELLS or name.startswith("os.spawn"):
        yield f"calls {name}"
    shell = given.get("shell")
    if shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False):
        yield f"{name} with a shell"
    module, _, function = name.rpartition(".")
    if module.split(".")[0] in ("np", "numpy") and function in LOADERS:
        allowed = given.get("allow_pickle")
        if not (isinstance(allowed, ast.Constant) and allowed.value is False):
            yield f"{name} without allow_pickle=False"
    if "allow_pickle" in given and not (
        isinstance(given["allow_pickle"], ast.Constant) and given["allow_pickle"].value is False
    ):
        yield f"{name} with pickles"
    if module in ("yaml", "ruamel.yaml") and function != "YAML":
        yield f"{name}: PyYAML's loaders are not used"
    if name.rpartition(".")[2] == "YAML":
        kind = given.get("typ")
        if not (isinstance(kind, ast.Constant) and kind.value == "safe"):
            yield f"{name} that is not safe"


def test_the_files_were_found() -> None:
    assert len(FILES) > 200


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_runs_data(package: str) -> None:
    found = {
        f"{file.relative_to(ROOT)}: {offence}"
        for file in FILES
        if file.is_relative_to(ROOT / package)
        for offence in offences(file.read_text())
    }
    assert found == {offence for offence in BETWEEN_OWN_PROCESSES if offence.startswith(f"{package}/")}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from cloudpickle import dumps", "import joblib.numpy_pickle", "np.load(f)",
        "from multiprocessing.connection import Connection",
        "np.load(f, allow_pickle=True)", "np.load(f, allow_pickle=flag)", "np.lib.format.read_array(f)",
        "np.savez(f, **arrays)", "eval(text)", "exec(text)", "subprocess.run(text, shell=True)", "os.system(text)",
        "yaml.load(text)", "YAML()", "YAML(typ='unsafe')", "__import__(name)",
    ],
)  # fmt: skip
def test_each_of_them_would_be_found(source: str) -> None:
    assert list(offences(source))
