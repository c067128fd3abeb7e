import json
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import aidocumines_auth

ROOT = Path(__file__).parent.parent


def test_version_and_licence_are_the_servers() -> None:
    spec = json.loads((ROOT / "../../openapi.json").read_text())
    manifest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["version"] == spec["info"]["version"] == metadata("aidocumines-auth")["Version"]
    assert manifest["license"] == spec["info"]["license"]["name"]


def test_the_package_that_is_tested_is_the_installed_one() -> None:
    assert "site-packages" in aidocumines_auth.__file__
    assert Path(aidocumines_auth.__file__).with_name("py.typed").exists()
