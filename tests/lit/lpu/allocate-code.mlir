// REQUIRES: lpu-opt
// RUN: lpu-opt %s --split-input-file --lpu-allocate-code=target=small | FileCheck %s

// Words of a queue: sync; a nop when there is a gap before the first issue; a word for each issue, with its copies and the gap behind it.
// mem.e0: sync, mem (at 0, waits 4), mem (at 5, 9 copies): 3 words; vxm.0: sync, nop, move, move: 4 words.
// 7 words · 16 bytes = 112 bytes = 2 rows of 64. The outermost slice east, bank 1, above the 1000 rows in use there.
// CHECK-LABEL: module
// CHECK: lpu.region "code.0.27.1" kind("code") side(0) slice(27) slices(1) bank(1) row(1000) rows(2)
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

// Two programs: 4 words each, one of them with a gap of 70000 cycles, 65535 in the word and a nop for 4465: 8 words, 2 rows.
// Bank 1 of slice 27 east has 1 row left; the second goes to its bank 0.
// CHECK-LABEL: module
// CHECK: lpu.region "code.0.27.1" kind("code") side(0) slice(27) slices(1) bank(1) row(1023) rows(1)
// CHECK: lpu.region "code.0.27.0" kind("code") side(0) slice(27) slices(1) bank(0) row(0) rows(1)
// CHECK-NOT: kind("code")
lpu.region "full" kind("scratch") side(0) slice(27) slices(1) bank(1) row(0) rows(1023)
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
