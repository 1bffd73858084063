#!/usr/bin/python3
"""The page of lpu-serve in headless Chromium: a chat by keyboard, at 360 pixels and wide, without a console message."""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from serving import serving
from tools import Case

CHROMIUM = shutil.which("chromium")


class Browser:
    """Chromium's DevTools protocol over a pair of pipes: JSON messages that end in a zero byte."""

    def __init__(self, folder, width):
        read_end, self.to = os.pipe()
        self.back, write_end = os.pipe()

        command = f'exec "$@" 3<&{read_end} 4>&{write_end}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={folder}"],
            pass_fds=(read_end, write_end), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(read_end), os.close(write_end)
        self.width, self.folder = width, folder
        self.number, self.rest, self.events, self.session = 0, b"", [], None

    def close(self):
        """Ends all of its processes: what is left of them would go on writing into the folder."""
        with contextlib.suppress(AssertionError, OSError):
            self.call("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.to), os.close(self.back)
        while self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    def receive(self):
        while b"\0" not in self.rest:
            data = os.read(self.back, 65536)
            if not data:
                raise AssertionError("chromium ended")
            self.rest += data
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **({"sessionId": self.session} if self.session else {})}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            got = self.receive()
            if got.get("id") == self.number:
                if "error" in got:
                    raise AssertionError(f"{method}: {got['error']}")
                return got["result"]
            self.events.append(got)

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=self.width, height=800, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)

    def value(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression):
        end = time.monotonic() + tools.TIMEOUT
        while not self.value(expression):
            if time.monotonic() > end:
                raise AssertionError(f"never came: {expression}")
            time.sleep(0.05)

    def press(self, key, **more):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, **more)

    def complaints(self):
        return [e for e in self.events if e["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")]

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


class Page(Case):
    def setUp(self):
        super().setUp()
        if not CHROMIUM:
            self.skipTest("chromium is missing")

    def chat(self, width):
        with serving(f"tiny={tools.compiled_tiny()[0]}:systems=2") as server:
            browser = Browser(self.dir / f"profile{width}", width)
            self.addCleanup(browser.close)
            browser.open(server.url)
            browser.wait_for("document.querySelectorAll('#model option').length === 1 && document.querySelector('#slots i') !== null")
            self.assertEqual(browser.value("document.activeElement.id"), "text")  # one can type at once
            browser.call("Input.insertText", text="One day <b>Tom</b>")
            browser.press("Enter", windowsVirtualKeyCode=13, text="\r")
            browser.wait_for("document.querySelector('.facts a') !== null")
            self.assertGreater(len(browser.value("document.querySelectorAll('.message')[1].textContent")), 20)
            self.assertEqual(browser.value("document.querySelectorAll('.message b').length"), 0)  # text is text
            facts = browser.value("document.querySelector('.facts').textContent")
            self.assertIn("a token on the modelled machine", facts)
            self.assertEqual(browser.value("document.querySelectorAll('.bar span').length"), 3)
            proof = browser.value("document.querySelector('.facts a').getAttribute('href')")
            self.assertEqual(server.get(proof)[0], 200)
            self.assertLessEqual(browser.value("document.documentElement.scrollWidth"), width)
            self.assertEqual(browser.complaints(), [])
            if keep := os.environ.get("LPU_SCREENSHOTS"):
                browser.screenshot(pathlib.Path(keep) / f"page-{width}.png")

    def test_narrow(self):
        self.chat(360)

    def test_wide(self):
        self.chat(1000)


if __name__ == "__main__":
    tools.main()
