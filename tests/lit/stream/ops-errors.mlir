// REQUIRES: lpu-opt
// RUN: lpu-opt %s --split-input-file --verify-diagnostics
// Each constraint of StreamOps.td, by its label.

// expected-error @+1 {{'stream.object' op C1: role is 'temporary', expected constant, zero, scratch, input or output}}
stream.object @x role("temporary") planes(4) rows(1)

// -----

// expected-error @+1 {{'stream.object' op C2: 3 planes, expected 1, 2, 4 or 16}}
stream.object @x role("scratch") planes(3) rows(1)

// -----

// expected-error @+1 {{'stream.object' op C3: -1 rows, expected at least 1}}
stream.object @x role("scratch") planes(4) rows(-1)

// -----

// expected-error @+1 {{'stream.object' op C4: a constant has content and nothing else has}}
stream.object @x role("constant") planes(4) rows(1)

// -----

// expected-error @+1 {{'stream.object' op C4: a constant has content and nothing else has}}
stream.object @x role("zero") planes(4) rows(1) content {kind = "ones"}

// -----

// expected-error @+1 {{'stream.object' op C5: place has no integer 'bank' of at least 0}}
stream.object @x role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, row = 0 : i64}

// -----

// expected-error @+1 {{'stream.object' op C5: place has no integer 'row' of at least 0}}
stream.object @x role("scratch") planes(4) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = -4 : i64}

// -----

// expected-error @+1 {{'stream.object' op C6: an object of 16 planes, and no other, is a tile and says which MXM plane, 0 to 3, loads it}}
stream.object @x role("scratch") planes(16) rows(1)

// -----

// expected-error @+1 {{'stream.object' op C6: an object of 16 planes, and no other, is a tile and says which MXM plane, 0 to 3, loads it}}
stream.object @x role("scratch") planes(16) rows(1) plane(4)

// -----

// expected-error @+1 {{'stream.object' op C6: an object of 16 planes, and no other, is a tile and says which MXM plane, 0 to 3, loads it}}
stream.object @x role("scratch") planes(4) rows(1) plane(0)

// -----

// expected-error @+1 {{'stream.object' op C7: pieces are four times slice, bank and row of a tile, none negative}}
stream.object @x role("constant") planes(16) rows(1) plane(0) content {kind = "ones"} place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64, pieces = array<i64: 0, 0, 0>}

// -----

// expected-error @+1 {{C1: a vector of 3 bytes, expected 1, 2 or 4}}
func.func private @f(!stream.vec<3>)

// -----

// expected-error @+1 {{'stream.program' op C1: kind is 'train', expected prefill, decode or encode}}
stream.program @p kind("train") tokens(1) context(64) weight_bytes(0) {
}

// -----

// expected-error @+1 {{'stream.program' op C2: tokens, context and users are at least 1}}
stream.program @p kind("decode") tokens(0) context(64) weight_bytes(0) {
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  // expected-error @+1 {{'stream.binding' op C1: there is no stream.object @token}}
  stream.binding "token" of @token items(1) vectors(1) lanes(320) elements(1)
}

// -----

stream.object @x role("scratch") planes(4) rows(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  // expected-error @+1 {{'stream.binding' op C1: @x is 'scratch', expected input or output}}
  stream.binding "token" of @x items(1) vectors(1) lanes(320) elements(1)
}

// -----

stream.object @logits role("output") planes(4) rows(11)
stream.program @p kind("prefill") tokens(4) context(64) weight_bytes(0) {
  // 4 · 3 = 12 > 11
  // expected-error @+1 {{'stream.binding' op C2: 4 items of 3 vectors do not fit the 11 rows of @logits}}
  stream.binding "logits" of @logits items(4) vectors(3) lanes(320) elements(700)
}

// -----

stream.object @logits role("output") planes(4) rows(11)
// expected-error @+1 {{'stream.binding' op expects parent op 'stream.program'}}
stream.binding "logits" of @logits items(1) vectors(1) lanes(320) elements(700)

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.load_tile' op C1: there is no stream.object @tile}}
    stream.load_tile @tile plane(2)
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.load_tile' op C1: @x has 4 planes, a tile has 16}}
    stream.load_tile @x plane(2)
  }
}

// -----

stream.object @tile role("scratch") planes(16) rows(20) plane(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.load_tile' op C2: plane 4, expected 0 to 3}}
    stream.load_tile @tile plane(4)
  }
}

// -----

// Planes 0 and 1 are east.
stream.object @tile role("scratch") planes(16) rows(20) plane(2) place {side = 0 : i64, slice = 12 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.load_tile' op C2: plane 2 is west, @tile lies on the other side}}
    stream.load_tile @tile plane(2)
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.install' op C1: plane 5, expected 0 to 3}}
    stream.install plane(5)
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.flow' op C1: repeat is 0, expected at least 1}}
    stream.flow repeat(0) {
    }
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.flow' op C2: the body has arguments}}
    stream.flow repeat(1) {
    ^bb0(%x: !stream.vec<4>):
    }
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.read' op C1: there is no stream.object @x}}
      %x = stream.read @x[0] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.read' op C1: the vector has 4 bytes, @x has 2 planes}}
      %x = stream.read @x[0] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(5) {
      // Rows 0, 5, 10, 15 and 20.
      // expected-error @+1 {{'stream.read' op C2: rows 0 to 0 + 5 * 4 = 20 are not inside the 20 rows of @x}}
      %x = stream.read @x[0] step(5) : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(5) {
      // Backwards: 3, 2, 1, 0 and −1.
      // expected-error @+1 {{'stream.read' op C2: rows 3 to 3 + -1 * 4 = -1 are not inside the 20 rows of @x}}
      %x = stream.read @x[3] step(-1) : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %m = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.gather' op C1: the vector has 2 bytes, @x has 4 planes}}
      %y = stream.gather %m, @x : !stream.vec<2>, !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %m = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{'stream.gather' op C2: the map has 4 bytes, expected 2}}
      %y = stream.gather %m, @x : !stream.vec<4>, !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.alu' op C1: 'lw' is no VXM operation}}
      %y = stream.alu "lw"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.alu' op C1: 'addi' takes 2 operands, not 1}}
      %y = stream.alu "addi"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.alu' op C2: slot 1 with 1 arguments}}
      %y = stream.alu "addi"(%x) slots([0, 1]) : (!stream.vec<4>) -> !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.alu' op C2: init 1 with 1 arguments}}
      %y = stream.alu "addi"(%x) slots([0, -2]) init(1) : (!stream.vec<4>) -> !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.alu' op C3: an accumulator is used but neither init nor init_imm is given}}
      %y = stream.alu "addi"(%x) slots([0, -2]) : (!stream.vec<4>) -> !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.alu' op C4: there is no stream.object @table}}
      %y = stream.alu "addi"(%x) slots([0, -1]) imm(0) row_of @table : (!stream.vec<4>) -> !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(4) {
      %x = stream.read @x[0] step(1) : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{'stream.last' op C1: the operand is not an accumulating stream.alu}}
      %z = stream.last "move" of %y : !stream.vec<4> -> !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(4) {
      %x = stream.read @x[0] step(1) : !stream.vec<4>
      %y = stream.alu "addi"(%x) slots([-2, 0]) init_imm(0) acc : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{'stream.last' op C2: 'mulf' is no VXM operation of one operand}}
      %z = stream.last "mulf" of %y : !stream.vec<4> -> !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.write' op C1: the vector has 2 bytes, @x has 4 planes}}
      stream.write %y, @x[0] : !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{'stream.write' op C2: rows 20 to 20 + 0 * 0 = 20 are not inside the 20 rows of @x}}
      stream.write %y, @x[20] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("constant") planes(4) rows(20) content {kind = "ones"}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{'stream.write' op C3: @x is a constant}}
      stream.write %y, @x[0] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.write' op C4: the value comes from no stream.alu or stream.last; move it first}}
      stream.write %x, @x[1] : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(20)
stream.object @c role("constant") planes(2) rows(20) content {kind = "ones"}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<2>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<2>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.scatter' op C3: @c is a constant}}
      stream.scatter %y, %y, @c : !stream.vec<2>, !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<2>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<2>) -> !stream.vec<4>
      // expected-error @+1 {{'stream.scatter' op C1: the vector has 4 bytes, @x has 2 planes}}
      stream.scatter %y, %x, @x : !stream.vec<4>, !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{'stream.scatter' op C2: the map has 4 bytes, expected 2}}
      stream.scatter %y, %y, @x : !stream.vec<4>, !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.load' op C1: planes, bytes and rows have 2, 1 and 2 entries}}
      stream.load %y planes([0, 1]) bytes([0]) rows([4, 5]) : !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.load' op C2: planes 1 and 2 are on different sides}}
      stream.load %y planes([1, 2]) bytes([0, 1]) rows([4, 5]) : !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.load' op C3: plane 1 appears twice}}
      stream.load %y planes([1, 1]) bytes([0, 1]) rows([4, 5]) : !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.load' op C4: byte 2 of a vector of 2 to plane 1; planes are 0 to 3}}
      stream.load %y planes([0, 1]) bytes([0, 2]) rows([4, 5]) : !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.load' op C5: the value comes from no stream.alu or stream.last; move it first}}
      stream.load %x planes([0, 1]) bytes([0, 1]) rows([4, 5]) : !stream.vec<4>
    }
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.pass' op C1: plane -1, expected 0 to 3}}
      stream.pass plane(-1) row(0) acc(0) add(false)
    }
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.pass' op C2: the sum has 4 bytes, not 2}}
      %s = stream.pass plane(0) row(0) acc(0) add(false) : !stream.vec<2>
    }
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.pass' op C3: a pass of fp16 values names the lower plane of a pair, and a mask}}
      stream.pass plane(1) row(0) acc(0) add(false) mask(3) fp16
    }
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.pass' op C3: a pass of fp16 values names the lower plane of a pair, and a mask}}
      stream.pass plane(0) row(0) acc(0) add(false) fp16
    }
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.emit' op C1: plane 4, expected 0 to 3}}
      %x = stream.emit plane(4) acc(0) : !stream.vec<4>
    }
  }
}

// -----

stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.emit' op C2: the result has 2 bytes, sums have 4}}
      %x = stream.emit plane(3) acc(0) : !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.sweep' op C1: plane 9, expected 0 to 3}}
      %s = stream.sweep %y byte(0) plane(9) row(0) acc(0) delay(0) : !stream.vec<2>, !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.sweep' op C2: byte 2 of a vector of 2}}
      %s = stream.sweep %y byte(2) plane(0) row(0) acc(0) delay(0) : !stream.vec<2>, !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.sweep' op C3: the result has 2 bytes, sums have 4}}
      %s = stream.sweep %y byte(1) plane(0) row(0) acc(0) delay(0) : !stream.vec<2>, !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
// expected-error @+1 {{'stream.phase' op expects parent op 'stream.program'}}
stream.phase "a" {
}

// -----

stream.object @h role("scratch") planes(2) rows(8) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: ffn" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.fetch' op C1: there is no stream.object @none}}
      stream.fetch @none[0] byte(0) planes([2]) rows([7])
    }
  }
}

// -----

stream.object @h role("scratch") planes(2) rows(8) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: ffn" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.fetch' op C1: byte 2 of the 2 planes of @h}}
      stream.fetch @h[0] byte(2) planes([2]) rows([7])
    }
  }
}

// -----

stream.object @h role("scratch") planes(2) rows(8) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: ffn" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.fetch' op C2: rows 8 to 8 + 1 * 0 = 8 are not inside the 8 rows of @h}}
      stream.fetch @h[8] byte(0) planes([2]) rows([7])
    }
  }
}

// -----

stream.object @h role("scratch") planes(2) rows(8) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: ffn" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.fetch' op C3: planes and rows have 2 and 1 entries}}
      stream.fetch @h[0] byte(0) planes([2, 3]) rows([7])
    }
  }
}

// -----

stream.object @h role("scratch") planes(2) rows(8) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: ffn" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.fetch' op C4: plane 1; planes are 0 to 3, all on one side and none twice}}
      stream.fetch @h[0] byte(0) planes([2, 1]) rows([7, 7])
    }
  }
}

// -----

stream.object @h role("scratch") planes(2) rows(8) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: ffn" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.fetch' op C4: plane 0 and @h are on different sides}}
      stream.fetch @h[0] byte(0) planes([0]) rows([7])
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.send' op C2: byte 0 of row 2 is not inside the 2 planes of 2 rows of @x}}
      stream.send @x[2] byte(0) links([0])
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.send' op C1: there is no stream.object @y}}
      stream.send @y[0] byte(0) links([0])
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.send' op C2: byte 2 of row 0 is not inside the 2 planes of 2 rows of @x}}
      stream.send @x[0] byte(2) links([0])
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.send' op C3: needs one link or several different ones, numbered from 0}}
      stream.send @x[0] byte(0) links([])
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.send' op C3: needs one link}}
      stream.send @x[0] byte(0) links([1, 1])
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(2) {
      // expected-error @+1 {{'stream.send' op C4: stands in a flow that happens 2 times}}
      stream.send @x[0] byte(0) links([0])
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.receive' op C1: there is no stream.object @y}}
      stream.receive link(0) into [@x, @y] row(0) byte(0)
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.receive' op C1: names no object}}
      stream.receive link(0) into [] row(0) byte(0)
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.receive' op C2: byte 3 of row 0 is not inside the 2 planes of 2 rows of @x}}
      stream.receive link(0) into [@x] row(0) byte(3)
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.receive' op C3: link -1, expected at least 0}}
      stream.receive link(-1) into [@x] row(0) byte(0)
    }
  }
}

// -----

stream.object @x role("scratch") planes(2) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(3) {
      // expected-error @+1 {{'stream.receive' op C4: stands in a flow that happens 3 times}}
      stream.receive link(0) into [@x] row(0) byte(0)
    }
  }
}

// -----

stream.object @x role("constant") planes(2) rows(2) content {kind = "ones"}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: gather" {
    stream.flow repeat(1) {
      // expected-error @+1 {{'stream.receive' op C5: @x is a constant}}
      stream.receive link(0) into [@x] row(0) byte(0)
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(2)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "layer 0: norm" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      // expected-error @+1 {{'stream.alu' op C5: early is -1, expected at least 0}}
      %y = stream.alu "mulf"(%x, %x) slots([-2, 0]) init(1) early(-1) : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
    }
  }
}

// -----
stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.scatter_tile' op C1: there is no stream.object @nothing}}
      stream.scatter_tile %y byte(0), %y, @nothing : !stream.vec<2>, !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.scatter_tile' op C1: @x has 4 planes, a tile has 16}}
      stream.scatter_tile %y byte(0), %y, @x : !stream.vec<2>, !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.scatter_tile' op C4: byte 2 of a vector of 2}}
      stream.scatter_tile %y byte(2), %y, @keys : !stream.vec<2>, !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.scatter_tile' op C5: the value comes from no stream.alu or stream.last; move it first}}
      stream.scatter_tile %x byte(0), %y, @keys : !stream.vec<4>, !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      %z = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // expected-error @+1 {{'stream.scatter_tile' op C2: the map has 4 bytes, expected 2}}
      stream.scatter_tile %y byte(0), %z, @keys : !stream.vec<2>, !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.lanes' op C1: 'permute.shift', expected rotate, or permute or distribute with .broadcast or .rotate, or permute.exchange or permute.spread}}
      %z = stream.lanes "permute.shift" %y side(0) amount(0) queue(0) : !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.lanes' op C2: side 2, expected 0 (east) or 1}}
      %z = stream.lanes "rotate" %y side(2) amount(0) queue(0) : !stream.vec<2>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.lanes' op C3: the value comes from no stream.alu or stream.last; move it first}}
      %z = stream.lanes "rotate" %x side(0) amount(0) queue(0) : !stream.vec<4>
    }
  }
}

// -----

stream.object @x role("scratch") planes(4) rows(20)
stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    stream.flow repeat(1) {
      %x = stream.read @x[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // expected-error @+1 {{'stream.lanes' op C4: amount and queue are at least 0}}
      %z = stream.lanes "rotate" %y side(0) amount(-1) queue(0) : !stream.vec<2>
    }
  }
}

// -----

stream.object @keys role("zero") planes(16) rows(20) plane(1)
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
  stream.phase "a" {
    // expected-error @+1 {{'stream.load_tile' op C3: 8 rows from row 16 on are not inside the 20 rows of @keys}}
    stream.load_tile @keys row(16) rows(8) plane(1)
  }
}

// -----
