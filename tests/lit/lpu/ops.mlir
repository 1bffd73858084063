// REQUIRES: lpu-opt
// RUN: lpu-opt %s | lpu-opt | FileCheck %s
// Every operation of the lpu dialect, with and without its optional parts, prints as it is read.

// CHECK: lpu.region "w" kind("constant") side(0) slice(12) slices(16) bank(1) row(0) rows(4) content {kind = "ones"}
lpu.region "w" kind("constant") side(0) slice(12) slices(16) bank(1) row(0) rows(4) content {kind = "ones"}
// CHECK: lpu.region "kv" kind("zero") side(1) slice(4) slices(2) bank(0) row(8) rows(64)
lpu.region "kv" kind("zero") side(1) slice(4) slices(2) bank(0) row(8) rows(64)
// CHECK: lpu.region "x" kind("scratch") side(0) slice(0) slices(4) bank(0) row(0) rows(8)
lpu.region "x" kind("scratch") side(0) slice(0) slices(4) bank(0) row(0) rows(8)
// CHECK: lpu.region "code.0" kind("code") side(0) slice(27) slices(1) bank(1) row(4) rows(31)
lpu.region "code.0" kind("code") side(0) slice(27) slices(1) bank(1) row(4) rows(31)

// CHECK: lpu.program @decode_64 kind("decode") tokens(1) context(64) cycles(200) bounds({lower = 100 : i64}) usage({mxm = 5.000000e-01 : f64}) {
lpu.program @decode_64 kind("decode") tokens(1) context(64) cycles(200) bounds({lower = 100 : i64}) usage({mxm = 0.5 : f64}) {
  // CHECK: lpu.binding "token" direction("in") width(4) items(1) vectors(1) lanes(64) elements(1) side(0) slice(0) bank(0) row(3)
  lpu.binding "token" direction("in") width(4) items(1) vectors(1) lanes(64) elements(1) side(0) slice(0) bank(0) row(3)
  // CHECK: lpu.queue "mem.e0" {
  lpu.queue "mem.e0" {
    // CHECK: lpu.issue 118 count(20) "mem" {rd = 1 : i64, rdrow = 4 : i64, rdstep = -1 : i64} for "layer 0: qkv"
    lpu.issue 118 count(20) "mem" {rd = 1 : i64, rdrow = 4 : i64, rdstep = -1 : i64} for "layer 0: qkv"
  }
  // CHECK: lpu.queue "mxm.w1.a" {
  lpu.queue "mxm.w1.a" {
    // CHECK: lpu.issue 0 "act" {install = 1 : i64} for "a"
    lpu.issue 0 "act" {install = 1 : i64} for "a"
    // CHECK: lpu.issue 1 count(3) window(2) "act" {mask = 15 : i64, play = 1 : i64} for "a"
    lpu.issue 1 count(3) window(2) "act" {mask = 15 : i64, play = 1 : i64} for "a"
  }
}
