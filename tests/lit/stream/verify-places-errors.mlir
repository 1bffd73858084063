// REQUIRES: lpu-opt
// RUN: lpu-opt %s --split-input-file --verify-diagnostics --stream-verify-places=target=small
// RUN: not lpu-opt %S/verify-places.mlir --stream-verify-places=target=none 2>&1 | FileCheck %s
// CHECK: error: none: neither a machine preset (tsp1, small, tsp1-int4, lp30) nor a readable file

// expected-error @+1 {{'stream.object' op has no place; run stream-allocate-memory first}}
stream.object @x role("scratch") planes(4) rows(1)

// -----

// Slices 26 to 29 of 28.
// expected-error @+1 {{'stream.object' op lies outside of machine 'small': slices 26 to 29 of 28, bank 0 of 2, rows 0 to 0 of 1024}}
stream.object @x role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 26 : i64, bank = 0 : i64, row = 0 : i64}

// -----

// Rows 1020 to 1024 of 1024.
// expected-error @+1 {{'stream.object' op lies outside of machine 'small': slices 0 to 3 of 28, bank 1 of 2, rows 1020 to 1024 of 1024}}
stream.object @x role("scratch") planes(4) rows(5) place {side = 1 : i64, slice = 0 : i64, bank = 1 : i64, row = 1020 : i64}

// -----

// A cache keeps its rows from step to step: slice 2 is the third of @x and the first of @k, rows 4 to 7 are of both.
stream.object @x role("scratch") planes(4) rows(8) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
// expected-error @+1 {{'stream.object' op has row 4 of bank 0 of}}
stream.object @k role("zero") planes(2) rows(8) place {side = 0 : i64, slice = 2 : i64, bank = 0 : i64, row = 4 : i64}
