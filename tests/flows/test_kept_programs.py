"""Programs kept on disk: the same numbers as fresh ones, and no harm from whatever else lies there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from initshape.flows.executable import Executable, loaded, signature
from initshape.flows.kept import FOLDER, compile_or_load
from initshape.flows.program_files import MAGIC, MOST, ProgramFiles
from initshape.flows.program_key import program_key
from initshape.training.trajectory import Rows

pytestmark = pytest.mark.skipif(jax.default_backend() != "cpu", reason="programs are kept for the CPU only")

FLOWS = """
import hashlib, sys
from initshape.flows import compiled
from initshape.flows.executable import Executable
from initshape.run import run
from initshape.spec.experiment import Experiment

experiment = Experiment.model_validate({
    "dataset": {"kind": "sparse_regression", "dimension": 12, "samples": 5, "sparsity": 2, "seed": 1},
    "model": {"kind": "diagonal", "depth": 2}, "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
    "regularizers": ["implicit"],
})
for _ in range(int(sys.argv[1])):
    compiled._programs.clear()
    arrays = run(experiment).arrays
    content = b"".join(arrays[name].tobytes() for name in sorted(arrays))
    (program,) = compiled._programs.values()
    print(isinstance(program.run, Executable), hashlib.sha256(content).hexdigest())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where JAX is told to keep what it compiles; its own entries are kept out."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = [getattr(jax.config, name) for name in names]
    (tmp_path / "compiled").mkdir(mode=0o700)
    jax.config.update(names[0], str(tmp_path / "compiled"))
    jax.config.update(names[1], 1e9)
    yield tmp_path / "compiled" / FOLDER
    for name, value in zip(names, before, strict=True):
        jax.config.update(name, value)


def solved(power: int, A: Any, b: Any) -> Rows:
    """Something with LAPACK in it, and results that the package knows."""
    x = jax.scipy.linalg.solve(A @ A.T + jnp.eye(len(b)), b, assume_a="pos") ** power
    return Rows(x, x.sum(), x, x, jnp.outer(x, x))


class Foreign(NamedTuple):
    """Results that no other process knows."""

    x: Any


def foreign(power: int, A: Any, b: Any) -> Foreign:
    return Foreign(solved(power, A, b).w)


ARGUMENTS = (np.arange(12.0).reshape(3, 4), np.ones(3))


def numbers(results: Any) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(results))


def only_file(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_a_kept_program_gives_the_same_bits(folder: Path) -> None:
    fresh, seconds, cost = compile_or_load(solved, (2,), ARGUMENTS)
    assert not isinstance(fresh, Executable)
    assert seconds >= cost > 0.0
    kept, _, once = compile_or_load(solved, (2,), ARGUMENTS)
    assert isinstance(kept, Executable)
    assert once == cost
    assert kept.memory_analysis().argument_size_in_bytes == fresh.memory_analysis().argument_size_in_bytes
    for arguments in (ARGUMENTS, jax.device_put(ARGUMENTS)):
        assert isinstance(kept(*arguments), Rows)
        assert numbers(kept(*arguments)) == numbers(fresh(*arguments))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only_file(folder).stat().st_mode & 0o777 == 0o600


def test_arguments_of_another_kind_are_refused(folder: Path) -> None:
    compile_or_load(solved, (2,), ARGUMENTS)
    kept, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    A, b = ARGUMENTS
    for wrong in ((A[:, :3], b), (A, b.astype(np.float32)), (A, b, b)):
        with pytest.raises(TypeError):
            kept(*wrong)


def test_flows_from_disk_are_flows_compiled_also_in_another_process(tmp_path: Path) -> None:
    environment = {
        **os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9",
        "JAX_PLATFORMS": "cpu",
    }  # fmt: skip
    tmp_path.chmod(0o700)
    lines = []
    for times in ("2", "1"):
        command = [sys.executable, "-c", FLOWS, times]
        lines += subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split("\n")
    kept, digests = zip(*(line.split() for line in lines if line), strict=True)
    assert kept == ("False", "True", "True")
    assert len(set(digests)) == 1


def test_a_lost_file_does_no_harm_where_jax_still_has_the_program(tmp_path: Path) -> None:
    """What JAX read from its own cache lacks functions when it is stored once more."""
    environment = {
        **os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1", "JAX_PLATFORMS": "cpu",
    }  # fmt: skip
    tmp_path.chmod(0o700)
    lines = []
    for _ in range(3):
        command = [sys.executable, "-c", FLOWS, "1"]
        lines += subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split("\n")
        for file in (tmp_path / FOLDER).glob("*"):
            file.unlink()
    kept, digests = zip(*(line.split() for line in lines if line), strict=True)
    assert kept == ("False", "False", "False")
    assert len(set(digests)) == 1


def test_code_that_does_not_run_is_compiled_again(folder: Path) -> None:
    fresh, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    key = only_file(folder).stem
    header, _ = ProgramFiles(folder).read(key) or ({}, b"")
    kept: Any = compile_or_load(solved, (2,), ARGUMENTS)[0]
    lacking = jax.devices()[0].client.serialize_executable(kept._loaded)  # without the functions that it came with
    assert ProgramFiles(folder).write(key, header, lacking)
    found, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    assert isinstance(found, Executable)
    for _ in range(2):
        assert numbers(found(*ARGUMENTS)) == numbers(fresh(*ARGUMENTS))
    assert (ProgramFiles(folder).read(key) or ({}, b""))[1] != lacking


def damages(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    other = b"another program altogether"
    return {
        "empty": b"",
        "cut": content[:middle],
        "a bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "a number": content.replace(b"argument_size_in_bytes", b"argument_size_in_bites"),
        "foreign": other,
        "another format": content.replace(MAGIC, b"initshape program 0\n"),
        "checksum right, content wrong": MAGIC + hashlib.sha256(other).digest() + other,
    }


@pytest.mark.parametrize("damage", damages(MAGIC))
def test_a_damaged_file_is_ignored_and_replaced(folder: Path, damage: str) -> None:
    fresh, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    file = only_file(folder)
    content = file.read_bytes()
    file.write_bytes(damages(content)[damage])
    again, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    assert not isinstance(again, Executable)
    assert numbers(again(*ARGUMENTS)) == numbers(fresh(*ARGUMENTS))
    kept, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    assert isinstance(kept, Executable)
    assert [path.name for path in folder.iterdir()] == [file.name]


def test_a_whole_file_of_no_program_is_ignored_and_replaced(folder: Path) -> None:
    """Checksum and format are right, but XLA cannot read the code."""
    compile_or_load(solved, (2,), ARGUMENTS)
    key = only_file(folder).stem
    header, _ = ProgramFiles(folder).read(key) or ({}, b"")
    assert ProgramFiles(folder).write(key, header, b"no code")
    again, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    assert not isinstance(again, Executable)
    kept, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    assert isinstance(kept, Executable)


def test_names_in_a_file_are_no_way_to_other_code(folder: Path) -> None:
    compile_or_load(solved, (2,), ARGUMENTS)
    header, code = ProgramFiles(folder).read(only_file(folder).stem) or ({}, b"")
    for name in ("os:system", "initshape.flows.kept:compile_or_load", "subprocess:Popen"):
        with pytest.raises(ValueError, match="no result"):
            loaded({**header, "results": [name, ["*"]]}, code, ARGUMENTS, lambda: solved)


def test_results_that_no_other_process_knows_are_not_kept(folder: Path) -> None:
    compile_or_load(foreign, (2,), ARGUMENTS)
    assert not folder.exists()


def test_a_folder_that_others_may_write_is_not_used(folder: Path) -> None:
    compile_or_load(solved, (2,), ARGUMENTS)
    for path in (folder, folder.parent):
        path.chmod(0o777)
        found, *_ = compile_or_load(solved, (2,), ARGUMENTS)
        assert not isinstance(found, Executable)
        path.chmod(0o700)
    found, *_ = compile_or_load(solved, (2,), ARGUMENTS)
    assert isinstance(found, Executable)


def test_nothing_is_kept_without_a_folder(folder: Path) -> None:
    jax.config.update("jax_compilation_cache_dir", None)
    for _ in range(2):
        found, *_ = compile_or_load(solved, (3,), ARGUMENTS)
        assert not isinstance(found, Executable)
    assert not folder.exists()


def test_what_a_program_depends_on_is_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(power: Any = 2, arguments: Any = ARGUMENTS, function: Any = solved, **options: Any) -> str | None:
        return program_key(function, (power,), *signature(arguments), options)

    A, b = ARGUMENTS
    keys = [key(), key(3), key(True), key(arguments=(A[:, :3], b)), key(arguments=(A, (b,))), key(function=foreign)]
    keys += [key(option=1), key(arguments=(A, b.astype(np.float32)))]
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", "") + " --xla_dump_to=here")
    keys.append(key())
    monkeypatch.undo()
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]
    assert key(object()) is None  # known by its address alone


def test_the_folder_does_not_grow_without_end(tmp_path: Path) -> None:
    files = ProgramFiles(tmp_path / "private")
    for k in range(MOST + 3):
        assert files.write(f"{k}", {}, b"")
        os.utime(files.folder / f"{k}.program", (k, k))
        if k == MOST - 1:
            assert files.read("0") == ({}, b"")  # used just now
    assert files.read("0") is not None
    assert [k for k in range(MOST + 3) if not (files.folder / f"{k}.program").exists()] == [1, 2, 3]
