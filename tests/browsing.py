"""Chromium for the tests of all rooms, and what a page must not do while one looks at it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Dialog, Page

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run", "--disable-default-apps",
]  # fmt: skip


def watched(page: Page, is_ours: Callable[[str], bool]) -> list[str]:
    """Return a list that grows with every error, dialog, and request to another address."""
    problems: list[str] = []

    def refuse(dialog: Dialog) -> None:
        problems.append(dialog.message)
        dialog.dismiss()

    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("dialog", refuse)
    page.on("request", lambda r: None if is_ours(r.url) else problems.append(r.url))
    return problems
