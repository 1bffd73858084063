// REQUIRES: lpu-opt
// RUN: lpu-opt %s --stream-allocate-memory=target=small | FileCheck %s
// RUN: lpu-opt %s --stream-allocate-memory=target=small --stream-allocate-memory=target=small | FileCheck %s
// RUN: lpu-opt %s --stream-allocate-memory | FileCheck %s --check-prefix=TSP1

// The small machine has 28 slices a side and 1024 rows a bank. One group of 16 slices is for tiles: 12 to 27; the inner
// 12 slices are three groups of four for vectors. tsp1 has 44: two groups for tiles at 12 and 28, one for each plane of a side.

// Tiles: planes 0, 1 east, 2, 3 west; bank 0, rows from the bottom in program order.
// CHECK: stream.object @t0 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 12 : i64}
// TSP1: stream.object @t0 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 12 : i64}
stream.object @t0 role("constant") planes(16) rows(4) plane(0) content {kind = "ones"}
// CHECK: stream.object @t1 {{.*}}place {bank = 0 : i64, row = 4 : i64, side = 0 : i64, slice = 12 : i64}
// TSP1: stream.object @t1 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 28 : i64}
stream.object @t1 role("constant") planes(16) rows(4) plane(1) content {kind = "ones"}
// CHECK: stream.object @t3 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 1 : i64, slice = 12 : i64}
// TSP1: stream.object @t3 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 1 : i64, slice = 28 : i64}
stream.object @t3 role("constant") planes(16) rows(2) plane(3) content {kind = "ones"}

// A tile of 1020 rows no longer fits above the 8 rows of bank 0, so it takes bank 1.
// CHECK: stream.object @big {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 12 : i64}
stream.object @big role("constant") planes(16) rows(1020) plane(0) content {kind = "ones"}

// Vectors: hint h is side h mod 2, inner group h / 2. Written objects prefer bank 0, constants and caches bank 1.
// CHECK: stream.object @h0 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @h0 role("scratch") planes(4) rows(10) hint(0)
// CHECK: stream.object @h1 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 1 : i64, slice = 0 : i64}
stream.object @h1 role("input") planes(4) rows(10) hint(1)
// CHECK: stream.object @h4 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 8 : i64}
stream.object @h4 role("output") planes(4) rows(10) hint(4)
// CHECK: stream.object @table {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @table role("constant") planes(4) rows(9) hint(0) content {kind = "ones"}
// The next in the same group and bank lies above: rows 10 to 17.
// CHECK: stream.object @second {{.*}}place {bank = 0 : i64, row = 10 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @second role("scratch") planes(4) rows(8) hint(0)

// Bigger objects are placed first, so this one has the bottom rows of its group and the small one stands on it.
// CHECK: stream.object @small {{.*}}place {bank = 0 : i64, row = 500 : i64, side = 0 : i64, slice = 4 : i64}
stream.object @small role("scratch") planes(4) rows(3) hint(2)
// CHECK: stream.object @large {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 4 : i64}
stream.object @large role("scratch") planes(4) rows(500) hint(2)
