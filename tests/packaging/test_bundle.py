"""The bundle for machines with no network, and the unit that runs the server there."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGING = ROOT / "packaging"


@pytest.fixture(scope="module")
def bundle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle", PACKAGING / "bundle.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bundle"] = module
    spec.loader.exec_module(module)
    return module


def a_wheel(folder: Path, name: str, fields: str) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        metadata = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{fields}\n"
        archive.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        archive.writestr(f"{name}/x.dist-info/METADATA", "not this one")
    return path


def a_bundle(bundle: ModuleType, out: Path) -> Path:
    fields = ("License-Expression: MIT", "Classifier: License :: OSI Approved :: BSD License", "")
    paths = [a_wheel(out / "wheels", f"p{n}", one) for n, one in enumerate(fields)]
    bundle.write_lists(out, [bundle.read_wheel(path) for path in paths])
    bundle.copy_files(out)
    bundle.write_sums(out)
    return out


def test_every_package_has_its_version_hash_and_license(bundle: ModuleType, tmp_path: Path) -> None:
    out = a_bundle(bundle, tmp_path / "bundle")
    rows = [line.split("\t") for line in (out / "LICENSES.tsv").read_text().splitlines()]
    assert rows[1:] == [["p0", "1.0", "MIT"], ["p1", "1.0", "BSD License"], ["p2", "1.0", "?"]]
    components = json.loads((out / "sbom.json").read_text())["components"]
    assert [one["purl"] for one in components] == [f"pkg:pypi/p{n}@1.0" for n in range(3)]
    pins = (out / "requirements.txt").read_text().splitlines()
    for n, pin in enumerate(pins):
        hashed = bundle.hash_file(out / "wheels" / f"p{n}-1.0-py3-none-any.whl")
        assert pin == f"p{n}==1.0 --hash=sha256:{hashed}" and hashed in str(components[n])


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
@pytest.mark.parametrize("harm", ["change", "remove"])
def test_a_damaged_bundle_is_not_installed(bundle: ModuleType, tmp_path: Path, harm: str) -> None:
    out, target = a_bundle(bundle, tmp_path / "bundle"), tmp_path / "target"
    wheel = out / "wheels" / "p1-1.0-py3-none-any.whl"
    if harm == "change":
        wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    else:
        wheel.unlink()
    words = ["sh", str(out / "install.sh"), str(target)]
    variables = os.environ | {"PYTHON": sys.executable}
    result = subprocess.run(words, capture_output=True, check=False, env=variables, text=True)
    assert result.returncode == 1 and "damaged" in result.stderr
    assert not target.exists()


def test_the_wrong_python_is_named(bundle: ModuleType, tmp_path: Path) -> None:
    out = a_bundle(bundle, tmp_path / "bundle")
    (out / "PYTHON_VERSION").write_text("2.7\n")
    words = ["sh", str(out / "install.sh"), str(tmp_path / "target")]
    variables = os.environ | {"PYTHON": sys.executable}
    result = subprocess.run(words, capture_output=True, check=False, env=variables, text=True)
    assert result.returncode == 2 and "2.7" in result.stderr


def test_pins_are_read_without_their_hashes(bundle: ModuleType) -> None:
    pins = list(bundle.pins_of((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    assert len(pins) > 50 and not any("--hash" in pin or "\\" in pin for pin in pins)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = (PACKAGING / "rinsho.service").read_text(encoding="utf-8")
    path = tmp_path / "rinsho.service"
    path.write_text(unit.replace("/opt/rinsho/venv/bin/rinsho", sys.executable))
    words = ["systemd-analyze", "verify", str(path)]
    result = subprocess.run(words, capture_output=True, check=False, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.campaign
def test_a_bundle_installs_into_an_empty_machine_s_folder(tmp_path: Path) -> None:
    out, target = tmp_path / "bundle", tmp_path / "opt"
    words = [sys.executable, str(PACKAGING / "bundle.py"), "--out", str(out)]
    subprocess.run(words, check=True)
    no_index = {
        "PYTHON": sys.executable,
        "PIP_NO_INDEX": "1",
        "PIP_INDEX_URL": "http://127.0.0.1:9",
    }
    unshare = ["unshare", "-rn"] if shutil.which("unshare") else []
    install = [*unshare, "sh", str(out / "install.sh"), str(target)]
    subprocess.run(install, check=True, env=os.environ | no_index)
    note = tmp_path / "note.txt"
    note.write_text("肺炎で入院。発熱なし。", encoding="utf-8")
    found = subprocess.run(
        [*unshare, str(target / "venv" / "bin" / "rinsho"), "extract", str(note)],
        check=True, capture_output=True, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"},
    ).stdout  # fmt: skip
    assert "disease" in found.decode() and "negated" in found.decode()
    assert len((out / "LICENSES.tsv").read_text().splitlines()) > 30
