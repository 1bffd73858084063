// REQUIRES: lpu-opt
// RUN: python3 %S/Inputs/fill-memory.py 28 1024 1 > %t.mlir
// RUN: not lpu-opt %t.mlir --lpu-allocate-code=target=small 2>&1 | FileCheck %s
// RUN: python3 %S/Inputs/fill-memory.py 28 1024 3 > %t.fits.mlir
// RUN: lpu-opt %t.fits.mlir --lpu-allocate-code=target=small | FileCheck %s --check-prefix=FITS
// RUN: not lpu-opt %t.mlir --lpu-allocate-code=target=none 2>&1 | FileCheck %s --check-prefix=TARGET

// Every bank of every slice is full but for one row; the program has 9 words · 16 bytes = 144 bytes, 3 rows of 64 = 192.
// 2 rows, 128 bytes, find no place.
// CHECK: error: the model does not fit on one chip of 'small': its 192 bytes of instruction text are 128 too many beside weights, KV cache and activations
// FITS: lpu.region "code.{{.*}} rows(3)
// TARGET: error: none: neither a machine preset (tsp1, small, tsp1-int4, lp30) nor a readable file
