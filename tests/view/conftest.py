"""A headless Chromium without a network."""

import shutil
from contextlib import contextmanager

import pytest

SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --force-device-scale-factor=1 --window-size=1280,1000"
).split()


@contextmanager
def chromium(profile, *more):
    """Start it in a `with` block; skip the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="the views are tested with selenium")
    driver = shutil.which("chromedriver")
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if driver is None or binary is None:
        pytest.skip("the views are tested in Chromium: install chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for switch in (*SWITCHES, *more, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield running
    finally:
        running.quit()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        running.execute_cdp_cmd("Network.enable", {})
        running.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        yield running


@pytest.fixture
def local_browser(tmp_path):
    """One that reaches this machine and nothing else."""
    nothing_else = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    with chromium(tmp_path / "profile", nothing_else) as running:
        yield running
