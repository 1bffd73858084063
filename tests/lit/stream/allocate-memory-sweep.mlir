// REQUIRES: lpu-opt
// RUN: lpu-opt %s --stream-allocate-memory | FileCheck %s

// Tiles of plane 0 need more than the 8192 rows of its home slices 12 to 27. The tile of no sweep stays there and takes a whole bank.
// CHECK: stream.object @home {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 12 : i64}
stream.object @home role("constant") planes(16) rows(4096) plane(0) content {kind = "ones"}
// A tile of a sweep takes the four emptiest groups of four slices of its plane's share, here all but the four outermost. While its
// vectors are in use (hint 2) the innermost group comes last: 4 and 8, then two of 12 to 27, where bank 0 is full.
// CHECK: stream.object @a {{.*}}place {bank = 0 : i64, pieces = array<i64: 4, 0, 0, 8, 0, 0, 12, 1, 0, 16, 1, 0>, row = 0 : i64, side = 0 : i64, slice = 4 : i64}
stream.object @a role("constant") planes(16) rows(2100) hint(2) plane(0) content {kind = "ones"}
// CHECK: stream.object @b {{.*}}place {bank = 0 : i64, pieces = array<i64: 4, 0, 2100, 8, 0, 2100, 20, 1, 0, 24, 1, 0>, row = 2100 : i64, side = 0 : i64, slice = 4 : i64}
stream.object @b role("constant") planes(16) rows(1990) hint(2) plane(0) content {kind = "ones"}
// Otherwise (hint 1) the innermost group comes first; @x is at its bottom.
// CHECK: stream.object @c {{.*}}place {bank = 0 : i64, pieces = array<i64: 0, 0, 10, 4, 1, 0, 8, 1, 0, 20, 1, 1990>, row = 10 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @c role("constant") planes(16) rows(100) hint(1) plane(0) content {kind = "ones"}
// CHECK: stream.object @x {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @x role("scratch") planes(4) rows(10) hint(0)
