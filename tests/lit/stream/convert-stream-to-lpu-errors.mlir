// REQUIRES: lpu-opt
// RUN: lpu-opt %s --split-input-file --verify-diagnostics --convert-stream-to-lpu=target=small
// RUN: not lpu-opt %S/../lpu/Inputs/step.mlir --convert-stream-to-lpu=target=none.yaml 2>&1 | FileCheck %s
// CHECK: error: none.yaml: neither a machine preset (tsp1, small, tsp1-int4, lp30) nor a readable file
// Flows that cannot be timed or shaped; positions are those of the small machine (slices 4s … 4s + 3 at s + 1, MXM at 9).

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

stream.object @x role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.read' op makes a value that nothing in the flow uses}}
      %x = stream.read @x[0] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @y role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "addi"(%x) slots([0, -1]) imm(1) : (!stream.vec<4>) -> !stream.vec<4>
      // x is there at 0, y = x + 1 at 4; a stream value passes once.
      // expected-error @+1 {{operands cannot arrive together: one path needs cycle 0, another 4; a result is visible in one cycle only}}
      %z = stream.alu "addi"(%x, %y) slots([0, 1]) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
      stream.write %z, @y[0] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @y role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // exp takes 12 cycles, move 4.
      %e = stream.alu "exp"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      %m = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{operands cannot arrive together: one path needs cycle 12, another 4; a result is visible in one cycle only}}
      %z = stream.alu "addf"(%e, %m) slots([0, 1]) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
      stream.write %z, @y[0] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @y role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %e = stream.alu "exp"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // The accumulator holds exp x from 12 + 1 on, but x passes at 0.
      // expected-error @+1 {{'stream.alu' op needs an accumulator 13 cycles before it is filled}}
      %z = stream.alu "addf"(%x, %e) slots([0, -2]) init(1) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
      stream.write %z, @y[0] : !stream.vec<4>
    }
  }
}

// -----

// A result of VXM leaves eastwards or westwards.
stream.object @x role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @e role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @w role("scratch") planes(4) rows(1) place {side = 1 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{wants on one side what another operation wants on the other; a VXM operation has one destination}}
      stream.write %y, @e[0] : !stream.vec<4>
      stream.write %y, @w[0] : !stream.vec<4>
    }
  }
}

// -----

// Both rows are read so that they are at VXM together, from slices that one queue serves: 0 − 5 − 1 = 6 cycles before.
stream.object @x role("input") planes(4) rows(2) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @y role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.flow' op uses objects together that memory does not fit into different slices: queue mem.e0 is needed twice in cycle -6 of the flow}}
    stream.flow repeat(1) {
      %a = stream.read @x[0] : !stream.vec<4>
      %b = stream.read @x[1] : !stream.vec<4>
      %z = stream.alu "addi"(%a, %b) slots([0, 1]) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
      stream.write %z, @y[0] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'func.call' op is no flow}}
    func.call @f() : () -> ()
  }
}
func.func private @f()

// -----

// Links 0 to 5 stand east, the others west.
stream.object @x role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.send' op sends east and west at once; a row leaves memory in one direction}}
      stream.send @x[0] byte(0) links([5, 6])
    }
  }
}

// -----

stream.object @x role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.send' op names link 11, machine 'small' has 11}}
      stream.send @x[0] byte(0) links([11])
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.receive' op names link 12, machine 'small' has 11}}
      stream.receive link(12) into [@x] row(0) byte(0)
    }
  }
}

// -----

// Two scratch objects in one row, both needed: x is read after y was written over it.
stream.object @i role("input") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @x role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 4 : i64, bank = 0 : i64, row = 7 : i64}
stream.object @y role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 4 : i64, bank = 0 : i64, row = 7 : i64}
// expected-error @+1 {{schedule is wrong: row 7 of bank 0 of mem.e4 is read for 'x' in cycle 29 ('c'), but holds 'y' since the write of cycle 27 ('b')}}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %i = stream.read @i[0] : !stream.vec<4>
      %x = stream.alu "addi"(%i) slots([0, -1]) imm(1) : (!stream.vec<4>) -> !stream.vec<4>
      stream.write %x, @x[0] : !stream.vec<4>
    }
  }
  stream.phase "b" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "addi"(%x) slots([0, -1]) imm(1) : (!stream.vec<4>) -> !stream.vec<4>
      stream.write %y, @y[0] : !stream.vec<4>
    }
  }
  stream.phase "c" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "addi"(%x) slots([0, -1]) imm(1) : (!stream.vec<4>) -> !stream.vec<4>
      stream.write %y, @y[0] : !stream.vec<4>
    }
  }
}

// -----

// A cache lives longer than any flow says.
stream.object @kv role("zero") planes(4) rows(8) place {side = 1 : i64, slice = 4 : i64, bank = 0 : i64, row = 0 : i64}
// expected-error @+1 {{'stream.object' op has row 7 of bank 0 of mem.w4, which 'kv' has too; only scratch objects may share rows}}
stream.object @x role("scratch") planes(4) rows(2) place {side = 1 : i64, slice = 4 : i64, bank = 0 : i64, row = 7 : i64}
