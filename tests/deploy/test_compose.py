"""docker-compose.yml: valid by the compose specification's schema, and true about this repository."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from deploy_files import NAME, ROOT, known_settings
from ruamel.yaml import YAML

COMPOSE: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BUILT = ("api", "worker", "gpu-worker")


def test_it_follows_the_compose_schema() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []
    wrong = {**COMPOSE, "services": {"api": {"imagee": "x"}}}
    assert not validator.is_valid(wrong)


def test_the_services() -> None:
    assert set(SERVICES) == {"redis", *BUILT}
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["gpu-worker"]
    assert SERVICES["gpu-worker"]["profiles"] == ["gpu"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_recovers_and_is_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert re.fullmatch(r"\d+g", service["deploy"]["resources"]["limits"]["memory"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 256
    assert service["secrets"] == ["redis_password"]
    assert not {"privileged", "pid", "ipc", "network_mode", "userns_mode", "devices", "cap_add"} & set(service)
    assert not any("docker.sock" in mount for mount in service.get("volumes", []))
    assert "container_name" not in service, "a fixed name cannot be scaled"


@pytest.mark.parametrize("name", BUILT)
def test_images_come_from_the_targets_of_the_dockerfile(name: str) -> None:
    build = SERVICES[name]["build"]
    dockerfile = (ROOT / build["context"] / build["dockerfile"]).read_text()
    assert build["target"] == name
    assert re.search(rf"^FROM \S+ AS {build['target']}$", dockerfile, re.MULTILINE)
    assert re.search(rf"^ARG {next(iter(build['args']))}=", dockerfile, re.MULTILINE)
    assert SERVICES[name]["depends_on"]["redis"]["condition"] == "service_healthy"


def test_only_the_api_is_published_and_on_loopback_unless_told_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"api": ["${INITSHAPE_PUBLISH:-127.0.0.1}:${INITSHAPE_PORT:-8000}:8000"]}
    assert COMPOSE["networks"]["store"]["internal"] is True
    assert [name for name, service in SERVICES.items() if "front" in service["networks"]] == ["api"]


def test_the_store_keeps_its_file_in_a_named_volume() -> None:
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["redis"]["volumes"])
    assert mounts["redis-data"] == "/data"
    assert "redis-data" in COMPOSE["volumes"]
    for source in (source for source in mounts if source.startswith("./")):
        assert (ROOT / source).is_file()
    assert SERVICES["redis"]["entrypoint"][-1] == mounts["./deploy/start-redis.sh"]
    script = (ROOT / "deploy/start-redis.sh").read_text()
    assert f"INITSHAPE_REDIS_CONF:-{mounts['./deploy/redis.conf']}" in script
    assert "INITSHAPE_REDIS_DIR:-/data" in script


def test_everything_that_is_referred_to_is_declared() -> None:
    for service in SERVICES.values():
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service["secrets"]) <= set(COMPOSE["secrets"])
        named = {mount.split(":")[0] for mount in service.get("volumes", []) if not mount.startswith(".")}
        assert named <= set(COMPOSE["volumes"])


def test_variables_are_ones_that_somebody_reads() -> None:
    passed = {variable for service in SERVICES.values() for variable in service["environment"]}
    assert passed >= {"INITSHAPE_REDIS_URL", "INITSHAPE_REDIS_PASSWORD_FILE"}
    assert {variable for variable in passed if NAME.fullmatch(variable)} <= known_settings()


def test_the_password_is_nowhere_in_the_file() -> None:
    assert COMPOSE["secrets"] == {"redis_password": {"environment": "INITSHAPE_REDIS_PASSWORD"}}
    for service in SERVICES.values():
        assert "INITSHAPE_REDIS_PASSWORD" not in service["environment"]
        assert "@" not in service["environment"].get("INITSHAPE_REDIS_URL", "")


def test_workers_can_be_scaled() -> None:
    for name in ("worker", "gpu-worker"):
        assert not {"ports", "hostname", "container_name", "scale"} & set(SERVICES[name])


def test_plain_text_is_allowed_only_where_the_network_is_internal() -> None:
    allowed = [name for name, s in SERVICES.items() if s["environment"].get("INITSHAPE_REDIS_PLAINTEXT") == "allow"]
    assert allowed == list(BUILT)
    assert COMPOSE["networks"]["store"]["internal"] is True
