#!/usr/bin/env python3
"""Prints a program of 9 words and regions that leave ROWS rows free, all in bank 0 of the innermost slice west.

fill-memory.py SLICES ROWS-PER-BANK ROWS
"""
import sys

slices, rows, free = map(int, sys.argv[1:])
for side in (0, 1):
    for bank in (0, 1):
        print('lpu.region "full" kind("scratch") side(%d) slice(1) slices(%d) bank(%d) row(0) rows(%d)' % (side, slices - 1, bank, rows))
        print('lpu.region "inner" kind("scratch") side(%d) slice(0) slices(1) bank(%d) row(0) rows(%d)'
              % (side, bank, rows - free if (side, bank) == (1, 0) else rows))
print('lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {')
for queue in ("vxm.0", "vxm.1", "vxm.2"):  # sync, nop, move each
    print('  lpu.queue "%s" {\n    lpu.issue 1 "move" {akind = 3 : i64} for "a"\n  }' % queue)
print("}")
