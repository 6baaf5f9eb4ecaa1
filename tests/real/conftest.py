"""A real browser, for what people look at."""

from __future__ import annotations

import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> str:
    """The path of a browser."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    assert found, f"Install one of {', '.join(BROWSERS)}: .ci/run does."
    return found
