// REQUIRES: lpu-opt
// RUN: split-file %s %t.d
// RUN: not lpu-opt %t.d/many.mlir --stream-allocate-memory=target=small 2>&1 | FileCheck %s --check-prefix=MANY
// RUN: not lpu-opt %t.d/pieces.mlir --stream-allocate-memory=target=small 2>&1 | FileCheck %s --check-prefix=PIECES
// RUN: not lpu-opt %t.d/tile.mlir --stream-allocate-memory=target=small 2>&1 | FileCheck %s --check-prefix=TILE
// RUN: not lpu-opt %t.d/tile.mlir --stream-allocate-memory=target=none 2>&1 | FileCheck %s --check-prefix=TARGET

// TARGET: error: none: neither a machine preset (tsp1, small, tsp1-int4, lp30) nor a readable file

// 2 · 28 slices · 2 banks · 1024 rows · 64 bytes = 7340032. Wanted: 30 · 4 · 1000 · 64 = 7680000: 339968 too many, two chips.
// MANY: error: the model does not fit on one chip of 'small': weights, KV cache and activations need 7680000 bytes of 7340032, 339968 too many

// 4 · 1025 · 64 = 262400 bytes would fit, but a bank has 1024 rows. Free: 2 · 28 · 2 · 1024 = 114688 rows.
// PIECES: error: the model does not fit on one chip of 'small': weights, KV cache and activations need 262400 bytes of 7340032; no room for the 1025 rows of 'x' in the 114688 rows left in pieces

// Three tiles of 1000 rows for the one group of 16 slices of a side: two banks hold two. 3 · 16 · 1000 · 64 = 3072000;
// free: 114688 − 2 · 16 · 1000 = 82688.
// TILE: error: the model does not fit on one chip of 'small': weights, KV cache and activations need 3072000 bytes of 7340032; no room for the 1000 rows of 'c' in the 82688 rows left in pieces

//--- many.mlir
stream.object @x0 role("scratch") planes(4) rows(1000) hint(0)
stream.object @x1 role("scratch") planes(4) rows(1000) hint(1)
stream.object @x2 role("scratch") planes(4) rows(1000) hint(2)
stream.object @x3 role("scratch") planes(4) rows(1000) hint(3)
stream.object @x4 role("scratch") planes(4) rows(1000) hint(4)
stream.object @x5 role("scratch") planes(4) rows(1000) hint(5)
stream.object @x6 role("scratch") planes(4) rows(1000) hint(0)
stream.object @x7 role("scratch") planes(4) rows(1000) hint(1)
stream.object @x8 role("scratch") planes(4) rows(1000) hint(2)
stream.object @x9 role("scratch") planes(4) rows(1000) hint(3)
stream.object @x10 role("scratch") planes(4) rows(1000) hint(4)
stream.object @x11 role("scratch") planes(4) rows(1000) hint(5)
stream.object @x12 role("scratch") planes(4) rows(1000) hint(0)
stream.object @x13 role("scratch") planes(4) rows(1000) hint(1)
stream.object @x14 role("scratch") planes(4) rows(1000) hint(2)
stream.object @x15 role("scratch") planes(4) rows(1000) hint(3)
stream.object @x16 role("scratch") planes(4) rows(1000) hint(4)
stream.object @x17 role("scratch") planes(4) rows(1000) hint(5)
stream.object @x18 role("scratch") planes(4) rows(1000) hint(0)
stream.object @x19 role("scratch") planes(4) rows(1000) hint(1)
stream.object @x20 role("scratch") planes(4) rows(1000) hint(2)
stream.object @x21 role("scratch") planes(4) rows(1000) hint(3)
stream.object @x22 role("scratch") planes(4) rows(1000) hint(4)
stream.object @x23 role("scratch") planes(4) rows(1000) hint(5)
stream.object @x24 role("scratch") planes(4) rows(1000) hint(0)
stream.object @x25 role("scratch") planes(4) rows(1000) hint(1)
stream.object @x26 role("scratch") planes(4) rows(1000) hint(2)
stream.object @x27 role("scratch") planes(4) rows(1000) hint(3)
stream.object @x28 role("scratch") planes(4) rows(1000) hint(4)
stream.object @x29 role("scratch") planes(4) rows(1000) hint(5)
//--- pieces.mlir
stream.object @x role("scratch") planes(4) rows(1025)
//--- tile.mlir
stream.object @a role("constant") planes(16) rows(1000) plane(0) content {kind = "ones"}
stream.object @b role("constant") planes(16) rows(1000) plane(1) content {kind = "ones"}
stream.object @c role("constant") planes(16) rows(1000) plane(0) content {kind = "ones"}
