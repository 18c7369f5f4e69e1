"""A real browser, for tests of pages that only a browser can read: Debian's Chromium, driven by Selenium."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@contextmanager
def open_browser(width: int = 1600, height: int = 1200) -> Iterator[WebDriver]:
    """A browser with a profile of its own. Without Chromium the test is skipped; in CI it fails."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        reason = "Chromium and its driver are missing: `apt-get install chromium chromium-driver`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.page_load_strategy = "eager"
    with tempfile.TemporaryDirectory() as profile:
        for option in (*OPTIONS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(option)
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
        try:
            yield browser
        finally:
            browser.quit()


def await_text(browser: WebDriver, *texts: str, seconds: float = 60) -> str:
    """The page's visible text, once all of these stand in it; fails with what stood there instead."""
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.support.ui import WebDriverWait

    def visible(page: WebDriver) -> str:
        return str(page.execute_script("return document.body ? document.body.innerText : ''"))

    try:
        WebDriverWait(browser, seconds, 0.2).until(lambda page: all(text in visible(page) for text in texts))
    except TimeoutException:
        missing = [text for text in texts if text not in visible(browser)]
        pytest.fail(f"{browser.current_url}: no {missing} within {seconds:.0f} s, but:\n{visible(browser)[:3000]}")
    return visible(browser)
