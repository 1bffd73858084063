// REQUIRES: lpu-opt
// RUN: lpu-opt %s --stream-allocate-memory | FileCheck %s

// Tiles of plane 0 need more than the 8192 rows of its home slices 12 to 27. The tile of no sweep stays there and takes a whole bank.
// CHECK: stream.object @home {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 12 : i64}
stream.object @home role("constant") planes(16) rows(4096) plane(0) content {kind = "ones"}
// Tiles of sweeps (hint 1) take the four emptiest of their plane's groups of four slices: those at slices 0, with @x at the bottom, 4,
// 8 and 12, where bank 0 is full.
// CHECK: stream.object @a {{.*}}place {bank = 0 : i64, pieces = array<i64: 0, 0, 10, 4, 0, 0, 8, 0, 0, 12, 1, 0>, row = 10 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @a role("constant") planes(16) rows(2100) hint(2) plane(0) content {kind = "ones"}
// CHECK: stream.object @b {{.*}}place {bank = 1 : i64, pieces = array<i64: 0, 1, 0, 4, 0, 2100, 8, 0, 2100, 12, 1, 2100>, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @b role("constant") planes(16) rows(1990) hint(2) plane(0) content {kind = "ones"}
// Group 12 is full now; the fourth is the emptiest of the other plane.
// CHECK: stream.object @c {{.*}}place {bank = 0 : i64, pieces = array<i64: 0, 0, 2110, 4, 1, 0, 8, 1, 0, 28, 0, 0>, row = 2110 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @c role("constant") planes(16) rows(100) hint(2) plane(0) content {kind = "ones"}
// CHECK: stream.object @x {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @x role("scratch") planes(4) rows(10) hint(0)
