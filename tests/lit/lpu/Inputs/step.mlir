// A whole step on the small machine: input row → two ALUs → scratch; scratch → activation row → tile → sum → output;
// a burst summed up in an accumulator → output. tests/lit/stream/convert-stream-to-lpu.mlir pins its times.
stream.object @a role("input") planes(4) rows(4) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @b role("scratch") planes(4) rows(8) place {side = 0 : i64, slice = 8 : i64, bank = 0 : i64, row = 100 : i64}
stream.object @c role("output") planes(4) rows(2) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 7 : i64}
stream.object @w role("constant") planes(16) rows(4) plane(0) content {kind = "ones"} place {side = 0 : i64, slice = 12 : i64, bank = 1 : i64, row = 0 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(4096) {
  stream.binding "a" of @a items(4) vectors(1) lanes(64) elements(1)
  stream.binding "c" of @c items(2) vectors(1) lanes(64) elements(64)
  stream.phase "one" {
    stream.flow repeat(1) {
      %x = stream.read @a[0] : !stream.vec<4>
      %y = stream.alu "addi"(%x) slots([0, -1]) imm(3) : (!stream.vec<4>) -> !stream.vec<4>
      %z = stream.alu "muli"(%y) slots([0, 0]) : (!stream.vec<4>) -> !stream.vec<4>
      stream.write %z, @b[0] : !stream.vec<4>
    }
  }
  stream.phase "two" {
    stream.load_tile @w plane(0)
    stream.install plane(0)
    stream.flow repeat(1) {
      %x = stream.read @b[0] : !stream.vec<4>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      stream.load %y planes([0, 1]) bytes([0, 1]) rows([2, 3]) : !stream.vec<2>
    }
    stream.flow repeat(1) {
      stream.pass plane(0) row(2) acc(10) add(false)
    }
    stream.flow repeat(1) {
      %s = stream.emit plane(0) acc(10) : !stream.vec<4>
      %y = stream.alu "move"(%s) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      stream.write %y, @c[0] : !stream.vec<4>
    }
  }
  stream.phase "three" {
    stream.flow repeat(4) {
      %x = stream.read @a[0] step(1) : !stream.vec<4>
      %s = stream.alu "addi"(%x) slots([-2, 0]) init_imm(0) acc : (!stream.vec<4>) -> !stream.vec<4>
      %m = stream.last "move" of %s : !stream.vec<4> -> !stream.vec<4>
      stream.write %m, @c[1] : !stream.vec<4>
    }
  }
}
