#!/usr/bin/python3
"""Two builds of the executables give the same bytes: optimised ones, and `--other DIR` without optimisation and with
sanitizers (preset asan). Programs, logits and reports must not depend on compiler flags."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import ROOT, SKIPPED, TINY, Case, load_json, succeed

HOST = ("engine", "host_seconds", "host")
other = ROOT / "build" / "asan" / "bin"


class Builds(Case):
    def made_by(self, folder, name):
        """(program file, report without the host's figures, logits file) of one build."""
        before, tools.bin_dir = tools.bin_dir, folder
        try:
            program, report, logits = (self.dir / f"{name}.{ending}" for ending in ("lpx", "json", "npy"))
            succeed("lpucc", TINY, "-o", program, "--max-context=128")
            succeed("lpu-run", program, "--prompt", "One day, Tom found a", "-n", 6, f"--report={report}", f"--logits={logits}")
            return program, {k: v for k, v in load_json(report).items() if k not in HOST}, logits
        finally:
            tools.bin_dir = before

    def test_same_bytes_from_both(self):
        program, report, logits = self.made_by(tools.bin_dir, "one")
        other_program, other_report, other_logits = self.made_by(other, "two")
        self.assert_same_file(program, other_program)
        self.assertEqual(report, other_report)
        self.assert_same_file(logits, other_logits)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--other", type=pathlib.Path)
    options, sys.argv[1:] = parser.parse_known_args()
    other = (options.other or other).resolve()
    if not (other / "lpucc").exists():
        print(f"skipped: no lpucc in {other}; build the asan preset or give --other")
        sys.exit(SKIPPED)
    tools.main()
