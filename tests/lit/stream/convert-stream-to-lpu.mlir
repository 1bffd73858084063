// REQUIRES: lpu-opt
// RUN: lpu-opt %S/../lpu/Inputs/step.mlir --convert-stream-to-lpu=target=small --lpu-verify-schedule=target=small | FileCheck %s
// RUN: lpu-opt %S/../lpu/Inputs/step.mlir --convert-stream-to-lpu=target=small > %t.1
// RUN: lpu-opt %S/../lpu/Inputs/step.mlir --convert-stream-to-lpu=target=small > %t.2
// RUN: cmp %t.1 %t.2
// RUN: lpu-opt %s --convert-stream-to-lpu=target=small --lpu-verify-schedule=target=small | FileCheck %s --check-prefix=DATA

// Inputs/step.mlir, cycle by cycle, on the small machine: slices 0–3 stand at position 1, 8–11 at 3, 12–15 at 4,
// 24–27 at 7, MXM at 9; mem_read 5, mem_write 2, vxm_simple 4, mxm_play 44, 4 superlanes.
// Objects become regions: input, output and scratch are all written by someone first.
// CHECK-DAG: lpu.region "a" kind("scratch") side(0) slice(0) slices(4) bank(0) row(0) rows(4)
// CHECK-DAG: lpu.region "b" kind("scratch") side(0) slice(8) slices(4) bank(0) row(100) rows(8)
// CHECK-DAG: lpu.region "c" kind("scratch") side(1) slice(0) slices(4) bank(0) row(7) rows(2)
// CHECK-DAG: lpu.region "w" kind("constant") side(0) slice(12) slices(16) bank(1) row(0) rows(4) content {kind = "ones"}

// Last effect: the last write at 118 + 2 = 120; + 3 superlanes.
// Phases: 19 + 84 + 17 = 120, all of it critical path. weight_stream: 4096 bytes / (2 · 32 streams · 64 lanes) = 1.
// Busiest queues: 1 word in phase one, 2 in two (mxm.e0.a: install and play, with which the load may share a word), 4 in
// three (mem.e0; the 6 operations of VXM may be spread over 16 ALUs): 1 + 2 + 4 + 3 superlanes = 10.
// CHECK: lpu.program @p kind("decode") tokens(1) context(64) cycles(123)
// CHECK-SAME: bounds({critical_path = 123 : i64, lower = 123 : i64, resource = 10 : i64, weight_stream = 1 : i64})
// CHECK: lpu.binding "a" direction("in") width(4) items(4) vectors(1) lanes(64) elements(1) side(0) slice(0) bank(0) row(0)
// CHECK: lpu.binding "c" direction("out") width(4) items(2) vectors(1) lanes(64) elements(64) side(1) slice(0) bank(0) row(7)

// Phase one: read at 0, driven at 5 at position 1, at VXM at 6; addi 6 → 10, muli 10 → 14, at position 3 at 17, readable at 19.
// CHECK: lpu.queue "mem.e0" {
// CHECK-NEXT: lpu.issue 0 "mem" {rd = 1 : i64, rddir = 1 : i64} for "one"
// Phase three starts at 103: rows 0 to 3.
// CHECK-NEXT: lpu.issue 103 count(4) "mem" {rd = 1 : i64, rddir = 1 : i64, rdstep = 1 : i64} for "three"
// CHECK: lpu.queue "mem.e8" {
// CHECK-NEXT: lpu.issue 17 "mem" {wr = 1 : i64, wrrow = 100 : i64} for "one"
// Phase two starts at 19: driven at 24, at VXM at 27; move → 31, at MXM at 31 + 9 = 40.
// CHECK-NEXT: lpu.issue 19 "mem" {rd = 1 : i64, rddir = 1 : i64, rdrow = 100 : i64} for "two"
// The tile runs ahead: slices at position 4 read at 0 and drive at 5, slices at 7 three cycles later, all in slot 1; lw at 1 + 9 = 10.
// CHECK: lpu.queue "mem.e12" {
// CHECK-NEXT: lpu.issue 0 count(4) "mem" {rd = 1 : i64, rdbank = 1 : i64, rdstep = 1 : i64} for "two"
// CHECK: lpu.queue "mem.e27" {
// CHECK-NEXT: lpu.issue 3 count(4) "mem" {rd = 1 : i64, rdbank = 1 : i64, rdstep = 1 : i64, rdstream = 15 : i64} for "two"
// The sum: emitted at 86, driven at 87 at position 9, at VXM at 96; move → 100, at position −1 at 101.
// CHECK: lpu.queue "mem.w0" {
// CHECK-NEXT: lpu.issue 101 "mem" {wr = 1 : i64, wrdir = 1 : i64, wrrow = 7 : i64} for "two"
// The accumulator: moved out at 113 → 117, at position −1 at 118.
// CHECK-NEXT: lpu.issue 118 "mem" {wr = 1 : i64, wrdir = 1 : i64, wrrow = 8 : i64} for "three"
// CHECK: lpu.queue "vxm.0" {
// CHECK-NEXT: lpu.issue 6 "addi" {adir = 1 : i64, akind = 1 : i64, awidth = 2 : i64, bkind = 3 : i64, imm = 3 : i64} for "one"
// CHECK-NEXT: lpu.issue 10 "muli" {akind = 2 : i64, bkind = 2 : i64, out = 1 : i64, outwidth = 2 : i64} for "one"
// CHECK-NEXT: lpu.issue 27 "move" {adir = 1 : i64, akind = 1 : i64, awidth = 2 : i64, out = 1 : i64, outwidth = 1 : i64} for "two"
// CHECK-NEXT: lpu.issue 96 "move" {adir = 1 : i64, akind = 1 : i64, awidth = 2 : i64, out = 1 : i64, outdir = 1 : i64, outwidth = 2 : i64} for "two"
// Rows read at 103 … 106 are at VXM at 103 + 5 + 1 = 109 … 112; zero is moved into the accumulator the cycle before.
// CHECK-NEXT: lpu.issue 108 "move" {accwrite = 1 : i64, akind = 3 : i64} for "three"
// CHECK-NEXT: lpu.issue 109 count(4) "addi" {accwrite = 1 : i64, akind = 4 : i64, bdir = 1 : i64, bkind = 1 : i64, bwidth = 2 : i64} for "three"
// CHECK-NEXT: lpu.issue 113 "move" {akind = 4 : i64, out = 1 : i64, outdir = 1 : i64, outwidth = 2 : i64} for "three"
// CHECK: lpu.queue "mxm.e0.w" {
// CHECK-NEXT: lpu.issue 10 count(4) "lw" {rowstep = 1 : i64} for "two"
// CHECK: lpu.queue "mxm.e0.a" {
// CHECK-NEXT: lpu.issue 19 "act" {install = 1 : i64} for "two"
// CHECK-NEXT: lpu.issue 40 "act" {load = 1 : i64, loadrow = 2 : i64} for "two"
// CHECK-NEXT: lpu.issue 41 "act" {mask = 15 : i64, play = 1 : i64, playrow = 2 : i64} for "two"
// 41 + 44 = 85.
// CHECK: lpu.queue "mxm.e0.r" {
// CHECK-NEXT: lpu.issue 85 "acc" {accmode = 1 : i64, row = 10 : i64} for "two"
// CHECK-NEXT: lpu.issue 86 "acc" {emit = 1 : i64, row = 10 : i64} for "two"
// CHECK: lpu.queue "mxm.e1.a" {
// CHECK-NEXT: lpu.issue 40 "act" {load = 1 : i64, loadrow = 3 : i64, loadstream = 1 : i64} for "two"
// CHECK-NOT: stream.

// Rows chosen by data, and a sweep of 24 vectors; everything lies west but the table.
stream.object @id role("input") planes(4) rows(24) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @table role("constant") planes(2) rows(50) content {kind = "ones"} place {side = 0 : i64, slice = 4 : i64, bank = 1 : i64, row = 30 : i64}
stream.object @cache role("zero") planes(2) rows(16) place {side = 1 : i64, slice = 8 : i64, bank = 1 : i64, row = 200 : i64}
stream.object @w role("constant") planes(16) rows(4) plane(2) content {kind = "ones"} place {side = 1 : i64, slice = 12 : i64, bank = 1 : i64, row = 0 : i64}
stream.object @sums role("scratch") planes(4) rows(24) place {side = 1 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @data kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.binding "id" of @id items(24) vectors(1) lanes(64) elements(1)
  stream.phase "rows" {
    stream.flow repeat(1) {
      %id = stream.read @id[0] : !stream.vec<4>
      %map = stream.alu "addi"(%id) slots([0, -1]) imm(0) row_of @table : (!stream.vec<4>) -> !stream.vec<2>
      %row = stream.gather %map, @table : !stream.vec<2>, !stream.vec<2>
      %half = stream.alu "move"(%row) slots([0]) : (!stream.vec<2>) -> !stream.vec<2>
      %there = stream.alu "addi"(%half) slots([0, -1]) imm(3) row_of @cache : (!stream.vec<2>) -> !stream.vec<2>
      %data = stream.alu "move"(%half) slots([0]) : (!stream.vec<2>) -> !stream.vec<2>
      stream.scatter %data, %there, @cache : !stream.vec<2>, !stream.vec<2>
    }
  }
  stream.phase "sweep" {
    stream.load_tile @w plane(2)
    stream.install plane(2)
    stream.flow repeat(24) {
      %x = stream.read @id[0] step(1) : !stream.vec<4>
      %d = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      %s = stream.sweep %d byte(1) plane(2) row(0) acc(511) delay(2) : !stream.vec<4>, !stream.vec<4>
      %y = stream.alu "move"(%s) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      stream.write %y, @sums[0] step(1) : !stream.vec<4>
    }
  }
}

// id at VXM at 6, map → 10, at position 2 (slices 4, 5) at 12, gathered → 19, at VXM at 21; move → 25; map of the scatter and
// its data 25 → 29, at position −3 at 32, readable at 36: phase two starts there. The immediates are the objects' first rows.
// DATA-LABEL: lpu.program @data
// DATA: lpu.queue "mem.e4" {
// DATA-NEXT: lpu.issue 12 "gather" {bank = 1 : i64, dir = 1 : i64} for "rows"
// DATA: lpu.queue "mem.e5" {
// DATA-NEXT: lpu.issue 12 "gather" {bank = 1 : i64, dir = 1 : i64, stream = 1 : i64} for "rows"
// DATA: lpu.queue "mem.w0" {
// DATA-NEXT: lpu.issue 0 "mem" {rd = 1 : i64} for "rows"
// DATA-NEXT: lpu.issue 36 count(24) "mem" {rd = 1 : i64, rdstep = 1 : i64} for "sweep"
// The sweep's sums: 112 at VXM, move → 116, at position −2 at 118.
// DATA: lpu.queue "mem.w4" {
// DATA-NEXT: lpu.issue 118 count(24) "mem" {wr = 1 : i64, wrdir = 1 : i64, wrstep = 1 : i64} for "sweep"
// DATA: lpu.queue "mem.w8" {
// DATA-NEXT: lpu.issue 32 "scatter" {bank = 1 : i64, dir = 1 : i64, mapdir = 1 : i64, stream = 2 : i64} for "rows"
// DATA: lpu.issue 6 "addi" {{.*}}imm = 30 : i64
// DATA: lpu.issue 25 "addi" {{.*}}imm = 203 : i64
// Rows 0 … 23 at VXM at 42, move → 46, at MXM (−9) at 55. Word c loads item c; from c = 3 (1 + delay 2) it plays item c − 3.
// 55, 56, 57 load only; 58 … 65 load and play, twice (24 − 3 = 21, two whole windows of 8); 5 more do both; 3 play only. Runs outside of the windows are one issue each.
// DATA: lpu.queue "mxm.w0.a" {
// DATA-NEXT: lpu.issue 36 "act" {install = 1 : i64} for "sweep"
// DATA-NEXT: lpu.issue 55 count(3) "act" {load = 1 : i64, loadstep = 1 : i64, loadstream = [[S:[0-9]+]] : i64} for "sweep"
// DATA-NEXT: lpu.issue 58 "act" {load = 1 : i64, loadrow = 3 : i64, loadstream = [[S]] : i64, mask = 15 : i64, play = 1 : i64} for "sweep"
// DATA: lpu.issue 65 count(2) window(8) "act" {load = 1 : i64, loadrow = 2 : i64, loadstream = [[S]] : i64, mask = 15 : i64, play = 1 : i64, playrow = 7 : i64} for "sweep"
// DATA-NEXT: lpu.issue 74 count(5) "act" {load = 1 : i64, loadrow = 3 : i64, loadstep = 1 : i64, loadstream = [[S]] : i64, mask = 15 : i64, play = 1 : i64, playstep = 1 : i64} for "sweep"
// DATA-NEXT: lpu.issue 79 count(3) "act" {mask = 15 : i64, play = 1 : i64, playrow = 5 : i64, playstep = 1 : i64} for "sweep"
// DATA-NEXT: }
// Sums arrive from 58 + 44 = 102 on and leave as they come: driven at 103, at VXM at 112.
// DATA: lpu.queue "mxm.w0.r" {
// DATA-NEXT: lpu.issue 102 count(24) "acc" {accmode = 1 : i64, emit = 1 : i64, row = 511 : i64} for "sweep"
