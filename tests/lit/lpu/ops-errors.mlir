// REQUIRES: lpu-opt
// RUN: lpu-opt %s --split-input-file --verify-diagnostics
// Each constraint of LpuOps.td, by its label.

// expected-error @+1 {{'lpu.region' op C1: kind is 'input', expected constant, zero, scratch or code}}
lpu.region "x" kind("input") side(0) slice(0) slices(4) bank(0) row(0) rows(8)

// -----

// expected-error @+1 {{'lpu.region' op C2: a constant has content and nothing else has}}
lpu.region "x" kind("constant") side(0) slice(0) slices(4) bank(0) row(0) rows(8)

// -----

// expected-error @+1 {{'lpu.region' op C2: a constant has content and nothing else has}}
lpu.region "x" kind("code") side(0) slice(0) slices(4) bank(0) row(0) rows(8) content {kind = "ones"}

// -----

// expected-error @+1 {{'lpu.region' op C3: a negative place, or no slices or rows}}
lpu.region "x" kind("scratch") side(0) slice(-1) slices(4) bank(0) row(0) rows(8)

// -----

// expected-error @+1 {{'lpu.region' op C3: a negative place, or no slices or rows}}
lpu.region "x" kind("scratch") side(0) slice(0) slices(4) bank(0) row(0) rows(0)

// -----

// expected-error @+1 {{'lpu.program' op C1: 99 cycles are fewer than the lower bound 100}}
lpu.program @p kind("decode") tokens(1) context(64) cycles(99) bounds({lower = 100 : i64}) usage({}) {
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({lower = 100 : i64}) usage({}) {
  lpu.queue "vxm.0" {
  }
  // expected-error @+1 {{'lpu.queue' op C2: vxm.0 appears twice in @p}}
  lpu.queue "vxm.0" {
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  // expected-error @+1 {{'lpu.binding' op C1: direction is 'inout', expected in or out}}
  lpu.binding "token" direction("inout") width(4) items(1) vectors(1) lanes(64) elements(1) side(0) slice(0) bank(0) row(3)
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  // expected-error @+1 {{'lpu.binding' op C2: width is 3, expected 1, 2 or 4}}
  lpu.binding "token" direction("in") width(3) items(1) vectors(1) lanes(64) elements(1) side(0) slice(0) bank(0) row(3)
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  // expected-error @+1 {{'lpu.binding' op C3: items and vectors are at least 1, the other numbers at least 0}}
  lpu.binding "token" direction("in") width(4) items(0) vectors(1) lanes(64) elements(1) side(0) slice(0) bank(0) row(3)
}

// -----

// expected-error @+1 {{'lpu.binding' op expects parent op 'lpu.program'}}
lpu.binding "token" direction("in") width(4) items(1) vectors(1) lanes(64) elements(1) side(0) slice(0) bank(0) row(3)

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  // expected-error @+1 {{'lpu.queue' op C1: 'mem.n0' is no queue name}}
  lpu.queue "mem.n0" {
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "vxm.0" {
    // expected-error @+1 {{'lpu.issue' op C1: no instruction is called 'fma'}}
    lpu.issue 0 "fma" {} for "a"
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "vxm.0" {
    // expected-error @+1 {{'lpu.issue' op C1: queue vxm.0 does not take 'mem'}}
    lpu.issue 0 "mem" {rd = 1 : i64} for "a"
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "mem.e0" {
    // expected-error @+1 {{'lpu.issue' op C2: 'mem' has no field 'playrow'}}
    lpu.issue 0 "mem" {playrow = 1 : i64} for "a"
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "mem.e0" {
    // expected-error @+1 {{'lpu.issue' op C2: field 'wait' follows from count and from the next issue's cycle}}
    lpu.issue 0 "mem" {rd = 1 : i64, wait = 3 : i64} for "a"
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "mem.e0" {
    // rdrow has 13 bits: 0 to 8191.
    // expected-error @+1 {{'lpu.issue' op C2: value 8192 of 'mem' does not fit 13 unsigned bits (rdrow)}}
    lpu.issue 0 "mem" {rd = 1 : i64, rdrow = 8192 : i64} for "a"
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "mem.e0" {
    // expected-error @+1 {{'lpu.issue' op C3: cycle -1, count 1, window 1; expected at least 0, at least 1 and 1 to 255}}
    lpu.issue -1 "mem" {rd = 1 : i64} for "a"
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "mem.e0" {
    // expected-error @+1 {{'lpu.issue' op C3: cycle 0, count 0, window 1; expected at least 0, at least 1 and 1 to 255}}
    lpu.issue 0 count(0) "mem" {rd = 1 : i64} for "a"
  }
}

// -----

lpu.program @p kind("decode") tokens(1) context(64) cycles(100) bounds({}) usage({}) {
  lpu.queue "mem.e0" {
    // expected-error @+1 {{'lpu.issue' op C3: cycle 0, count 2, window 256; expected at least 0, at least 1 and 1 to 255}}
    lpu.issue 0 count(2) window(256) "mem" {rd = 1 : i64} for "a"
  }
}
