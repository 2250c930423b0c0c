"""The systemd units: accepted by systemd itself where it is installed, and true about this repository."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from deploy_files import DEPLOY, NAME, ROOT, UNITS, known_settings

SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
WORKERS = [unit for unit in SERVICES if "@" in unit.name]


def values(unit: Path, key: str) -> list[str]:
    """All values of one key, in order."""
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(f"{key}=")]


def environment(unit: Path) -> dict[str, str]:
    """The variables that a unit sets."""
    return dict(word.split("=", 1) for line in values(unit, "Environment") for word in shlex.split(line))


def test_the_units() -> None:
    assert {unit.name for unit in UNITS} == {
        "initshape.target", "initshape-redis.service", "initshape-api.service",
        "initshape-worker@.service", "initshape-gpu-worker@.service",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_them(tmp_path: Path) -> None:
    for unit in UNITS:
        # systemd also looks for the programs, which are installed on the server only
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name.replace("@.", "@0.")).write_text(text.replace("/opt/initshape/src/", f"{ROOT}/"))
    units = sorted(str(unit) for unit in tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60
    )  # fmt: skip
    about_them = [line for line in done.stderr.splitlines() if "initshape" in line]
    assert (done.returncode, about_them) == (0, [])


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_every_service_recovers_and_is_bounded(unit: Path) -> None:
    assert values(unit, "Restart") == ["always"]
    assert re.fullmatch(r"\d+G", values(unit, "MemoryMax")[0])
    assert values(unit, "User") == ["initshape"]
    assert values(unit, "NoNewPrivileges") == ["yes"]
    assert values(unit, "LoadCredential") == ["redis_password:/etc/initshape/redis_password"]
    assert environment(unit)["INITSHAPE_REDIS_PASSWORD_FILE"] == "%d/redis_password"
    assert {name for name in environment(unit) if NAME.fullmatch(name)} <= known_settings()


def test_programs_are_those_of_the_repository() -> None:
    commands = {unit.name: values(unit, "ExecStart")[0] for unit in SERVICES}
    assert commands["initshape-redis.service"].removeprefix("/opt/initshape/src/") == "deploy/start-redis.sh"
    assert (DEPLOY / "start-redis.sh").stat().st_mode & 0o111
    assert commands["initshape-api.service"].split() == ["/opt/initshape/bin/python", "-m", "service"]
    for queue, name in (("cpu", "initshape-worker@.service"), ("gpu", "initshape-gpu-worker@.service")):
        assert commands[name] == f"/opt/initshape/bin/python -m workers --queue {queue} --name {queue}%i"


@pytest.mark.parametrize("unit", WORKERS, ids=lambda unit: unit.name)
def test_workers_share_the_place_of_their_core_locks(unit: Path) -> None:
    # with PrivateTmp every instance would see its own /tmp and take the first core
    folder = Path(environment(unit)["TMPDIR"])
    assert folder.relative_to("/var/lib").as_posix() in values(unit, "StateDirectory")[0].split()


def test_a_gpu_worker_sees_the_device_of_its_instance_only() -> None:
    (unit,) = (unit for unit in WORKERS if "gpu" in unit.name)
    assert environment(unit)["CUDA_VISIBLE_DEVICES"] == "%i"
    assert values(unit, "PrivateDevices") == []


MOST_EXPOSED = {"initshape-gpu-worker@.service": 5.0}
"""Of systemd's own measure, 0 to 10; a GPU worker has to reach its device."""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_finds_little_exposed(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@.", "@0.")
    copy.write_text(unit.read_text())
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", copy],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip(f"this systemd cannot judge a file: {done.stderr[:200]}")
    assert float(found[1]) <= MOST_EXPOSED.get(unit.name, 4.0), done.stdout
