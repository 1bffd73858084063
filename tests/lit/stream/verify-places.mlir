// REQUIRES: lpu-opt
// RUN: lpu-opt %s --stream-verify-places=target=small | FileCheck %s
// What stream-allocate-memory places passes; so does a tile in pieces, and scratch objects may share rows.
// RUN: lpu-opt %S/allocate-memory.mlir --stream-allocate-memory=target=small --stream-verify-places=target=small -o %t.mlir

// The small machine: 28 slices a side, 2 banks, 1024 rows.
// CHECK: stream.object @x
stream.object @x role("scratch") planes(4) rows(8) place {side = 0 : i64, slice = 24 : i64, bank = 1 : i64, row = 1016 : i64}
// Rows 1020 to 1023 are of both.
stream.object @y role("scratch") planes(4) rows(4) place {side = 0 : i64, slice = 24 : i64, bank = 1 : i64, row = 1020 : i64}
// The other side's rows are others.
stream.object @z role("zero") planes(4) rows(8) place {side = 1 : i64, slice = 24 : i64, bank = 1 : i64, row = 1016 : i64}
