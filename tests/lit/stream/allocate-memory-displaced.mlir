// REQUIRES: lpu-opt
// RUN: lpu-opt %s --stream-allocate-memory=target=small | FileCheck %s

// The two planes of side 0 have one group of sixteen slices, 12 to 27, in whose two banks of 1024 rows their tiles of
// 4 · 500 rows fit. But a vector asks for group 3, slices 12 to 15, and leaves 924 rows of a bank there. So the tiles of
// the sweep are not kept at home: they take any four groups of four slices that have room.

// CHECK: stream.object @v {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 12 : i64}
stream.object @v role("constant") planes(4) rows(100) hint(6) content {kind = "ones"}
// CHECK: stream.object @a {{.*}}place {bank = 0 : i64, pieces = array<i64: 0, 0, 0, 4, 0, 0, 8, 0, 0, 16, 0, 0>, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @a role("constant") planes(16) rows(500) hint(1) plane(0) content {kind = "ones"}
// CHECK: stream.object @b {{.*}}place {bank = 0 : i64, pieces = array<i64: 0, 0, 500, 12, 0, 0, 20, 0, 0, 24, 0, 0>, row = 500 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @b role("constant") planes(16) rows(500) hint(1) plane(1) content {kind = "ones"}
// CHECK: stream.object @c {{.*}}place {bank = 1 : i64, pieces = array<i64: 0, 1, 0, 4, 0, 500, 8, 0, 500, 16, 0, 500>, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @c role("constant") planes(16) rows(500) hint(1) plane(0) content {kind = "ones"}
// CHECK: stream.object @d {{.*}}place {bank = 1 : i64, pieces = array<i64: 0, 1, 500, 12, 0, 500, 20, 0, 500, 24, 0, 500>, row = 500 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @d role("constant") planes(16) rows(500) hint(1) plane(1) content {kind = "ones"}
