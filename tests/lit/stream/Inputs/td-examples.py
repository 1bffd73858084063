#!/usr/bin/env python3
"""Prints the mlir examples of a .td file, separated as lpu-opt --split-input-file wants them.

td-examples.py FILE.td. Every op must have at least one example.
"""
import re
import sys
import textwrap

text = open(sys.argv[1], encoding="utf-8").read()
examples = []
for op, body in re.findall(r"^def (\w+Op) : (.*?)^}", text, re.S | re.M):
    found = re.findall(r"```mlir\n(.*?)```", body, re.S)
    if not found:
        sys.exit("%s: error: %s has no ```mlir example; add one that parses" % (sys.argv[1], op))
    examples += [(op, textwrap.dedent(example)) for example in found]
print("\n// -----\n\n".join("// %s\n%s" % example for example in examples))
