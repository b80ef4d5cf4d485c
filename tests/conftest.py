"""Fixtures that every room uses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from tests.browsing import FLAGS

# No test is timed: a busy machine is no failure.
settings.register_profile("rinsho", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rinsho")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data; tests that need it are marked `data`."""
    if not (folder := os.environ.get("RINSHO_DATA")):
        pytest.skip("RINSHO_DATA is not set: real data not tested")
    return Path(folder)


def program(name: str) -> str:
    """The path of a program; where it is missing, the test is skipped, or fails if required."""
    path = os.environ.get(f"RINSHO_{name.upper()}") or shutil.which(name)
    if path is None:
        message = f"{name} is missing: install it or set RINSHO_{name.upper()}"
        if os.environ.get("RINSHO_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser that tests drive."""
    return program("chromium")


@pytest.fixture(scope="module")  # while it is open, no test of this process can run a loop
def browser(chromium: str) -> Iterator[Browser]:
    """A Chromium for all tests of a file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def curl() -> str:
    """The command-line client that the server is tested with."""
    return program("curl")


@pytest.fixture(scope="session", autouse=True)
def key_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the key of hashed groups out of the home folder of whoever runs the tests."""
    os.environ.setdefault("RINSHO_KEY_FILE", str(tmp_path_factory.mktemp("key") / "key"))
