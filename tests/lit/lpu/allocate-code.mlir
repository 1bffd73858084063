// REQUIRES: lpu-opt
// RUN: lpu-opt %s --split-input-file --lpu-allocate-code=target=small | FileCheck %s

// Words of a queue: sync; for each issue a nop when there is a gap before it, the word, and a repeat when it has copies.
// mem.e0: sync, mem (at 0), nop, mem (at 5), repeat: 5 words, busy until 5 + 9 = 14; vxm.0: sync, nop, move, move: 4 words.
// 9 words · 16 bytes = 144 bytes = 3 rows of 64. The outermost slice east, bank 1, above the 1000 rows in use there.
// CHECK-LABEL: module
// CHECK: lpu.region "code.0.27.1" kind("code") side(0) slice(27) slices(1) bank(1) row(1000) rows(3)
// CHECK-NOT: kind("code")
lpu.region "full" kind("scratch") side(0) slice(24) slices(4) bank(1) row(990) rows(10)
lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "mem.e0" {
    lpu.issue 0 "mem" {rd = 1 : i64} for "a"
    lpu.issue 5 count(10) "mem" {rd = 1 : i64} for "a"
  }
  lpu.queue "vxm.0" {
    lpu.issue 7 "move" {akind = 3 : i64} for "a"
    lpu.issue 8 "move" {akind = 3 : i64} for "a"
  }
}

// -----

// Two programs: 4 words each, one of them a gap of 70000 cycles that takes two nops (65535 + 4465): 4 + 5 = 9 words, 3 rows.
// Bank 1 of slice 27 east has 2 rows left; the third goes to its bank 0.
// CHECK-LABEL: module
// CHECK: lpu.region "code.0.27.1" kind("code") side(0) slice(27) slices(1) bank(1) row(1022) rows(2)
// CHECK: lpu.region "code.0.27.0" kind("code") side(0) slice(27) slices(1) bank(0) row(0) rows(1)
// CHECK-NOT: kind("code")
lpu.region "full" kind("scratch") side(0) slice(27) slices(1) bank(1) row(0) rows(1022)
lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "vxm.0" {
    lpu.issue 1 "move" {akind = 3 : i64} for "a"
    lpu.issue 2 "move" {akind = 3 : i64} for "a"
  }
}
lpu.program @q kind("decode") tokens(1) context(128) cycles(100) bounds({}) usage({}) {
  lpu.queue "vxm.0" {
    lpu.issue 0 "move" {akind = 3 : i64} for "a"
    lpu.issue 70001 "move" {akind = 3 : i64} for "a"
  }
}

// -----

// No words, no regions.
// CHECK-LABEL: module
// CHECK-NOT: lpu.region
lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
}
