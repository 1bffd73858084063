#!/usr/bin/env python3
"""Changes one thing in a printed lpu program and prints the rest as it was.

fault.py FILE QUEUE@CYCLE drop | KEY=VALUE...
The issue of QUEUE at CYCLE is dropped, or gets another cycle (cycle=N), count, or field (0 removes a field).
"""
import re
import sys

path, where = sys.argv[1:3]
queue, cycle = where.split("@")
inside, found = False, False
for line in open(path, encoding="utf-8"):
    if "lpu.queue" in line:
        inside = '"%s"' % queue in line
    if inside and re.match(r"\s*lpu\.issue %s " % cycle, line):
        found = True
        if sys.argv[3] == "drop":
            continue
        for edit in sys.argv[3:]:
            key, value = edit.split("=")
            if key == "cycle":
                line = line.replace("lpu.issue %s " % cycle, "lpu.issue %s " % value)
            elif key == "count":
                line = re.sub(r"count\(\d+\)", "count(%s)" % value, line)
            else:
                line = re.sub(r"(?<=[{ ])%s = -?\d+ : i64(, )?" % key, "", line).replace(", }", "}")
                if value != "0":
                    line = re.sub(r"\{(?=.)", "{%s = %s : i64, " % (key, value), line).replace(", }", "}")
    print(line, end="")
if not found:
    sys.exit("fault.py: error: %s has no issue %s" % (path, where))
