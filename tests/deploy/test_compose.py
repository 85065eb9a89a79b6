import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.config import parse
from driftline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
ONE_SHOT = {"topics"}


def images() -> list[str]:
    named = [service["image"] for service in SERVICES.values()]
    return [*named, *re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)]


def test_the_fleet_is_all_there() -> None:
    assert {"kafka", "redis", "topics", "worker", "web", "prometheus", "grafana"} == set(SERVICES)


def test_every_setting_named_exists() -> None:
    named = set(re.findall(r"\bDRIFTLINE_[A-Z_]+", COMPOSE + DOCKERFILE))
    known = {f"DRIFTLINE_{name.upper()}" for name in Settings.model_fields}
    assert {"DRIFTLINE_KAFKA", "DRIFTLINE_REDIS"} <= named
    assert named - known == set()


@pytest.mark.parametrize("image", images())
def test_images_are_pinned_to_a_version(image: str) -> None:
    tag = image.partition(":")[2]
    assert re.match(r"v?\d+\.\d+\.\d+", tag), image


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_every_lasting_service_is_asked_for_its_health(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["worker", "web"])
def test_nothing_starts_before_its_topics_and_stores(name: str) -> None:
    conditions = {on: wait["condition"] for on, wait in SERVICES[name]["depends_on"].items()}
    assert conditions == {
        "kafka": "service_healthy",
        "redis": "service_healthy",
        "topics": "service_completed_successfully",
    }


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_mounted_files_exist_and_are_read_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, mode = (*volume.split(":"), "")[:3]
        # The monitors are the user's own.
        if source.startswith("./") and source != "./monitors":
            assert (ROOT / source).exists(), volume
        if source.startswith("./"):
            assert mode == "ro", volume


def test_no_secret_is_written_down() -> None:
    for text in (COMPOSE, DOCKERFILE):
        assert not re.search(r"(?i)(password|passwd|secret|token|api_?key)\S*\s*[:=]\s*\S", text)


def test_the_alerting_file_is_one_the_desk_can_read() -> None:
    config = parse(yaml.safe_load((ROOT / "deploy" / "alerting.yml").read_text()))
    assert config.integrations()


def test_driftline_runs_without_privileges() -> None:
    final_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"(?m)^USER (\d+):\d+$", final_stage)
    assert int(user) >= 10000
    for name in ("topics", "worker", "web"):
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert "user" not in SERVICES[name]


def test_the_image_installs_hashed_dependencies_and_says_how_it_is() -> None:
    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"(?m)^HEALTHCHECK ", DOCKERFILE)
    assert re.search(r'(?m)^ENTRYPOINT \["driftline"\]$', DOCKERFILE)


def test_every_locked_dependency_has_a_version_and_a_hash() -> None:
    lock = (ROOT / "requirements.txt").read_text()
    entries = re.split(r"(?m)^(?=[a-z0-9])", lock)[1:]
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+ ", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]
