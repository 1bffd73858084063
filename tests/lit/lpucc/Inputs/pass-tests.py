#!/usr/bin/env python3
"""Every pass of the Passes.td files has NAME.mlir, NAME-errors.mlir and a source file. pass-tests.py REPOSITORY."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
tests = {path.name for path in (root / "tests/lit").rglob("*.mlir")}
sources = {path.name for path in (root / "compiler/lib").rglob("*.cpp")}
passes = [found for td in (root / "compiler/include").rglob("Passes.td")
          for found in re.findall(r'def (\w+) : Pass<"([\w-]+)"', td.read_text())]
faults = [] if passes else ["there are no passes"]
for name, argument in passes:
    short = re.sub("^(llm|stream|lpu)-", "", argument)
    for wanted in (short + ".mlir", short + "-errors.mlir"):
        if wanted not in tests:
            faults.append("pass %s has no test %s" % (argument, wanted))
    if name + ".cpp" not in sources:
        faults.append("pass %s has no source %s.cpp" % (argument, name))
for fault in faults:
    print("error: " + fault)
raise SystemExit(1 if faults else 0)
