// Two passes of fp16 values through the east planes of the small machine, the halves of a vector, added in one accumulator row.
stream.object @a role("input") planes(2) rows(1) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
stream.object @c role("output") planes(4) rows(1) place {side = 1 : i64, slice = 0 : i64, bank = 0 : i64, row = 7 : i64}
stream.object @low role("constant") planes(16) rows(4) plane(0) content {kind = "ones"} place {side = 0 : i64, slice = 12 : i64, bank = 1 : i64, row = 0 : i64}
stream.object @high role("constant") planes(16) rows(4) plane(1) content {kind = "ones"} place {side = 0 : i64, slice = 12 : i64, bank = 1 : i64, row = 4 : i64}
stream.program @p kind("decode") tokens(1) context(64) weight_bytes(8192) {
  stream.binding "a" of @a items(1) vectors(1) lanes(64) elements(1)
  stream.binding "c" of @c items(1) vectors(1) lanes(64) elements(64)
  stream.phase "one" {
    stream.load_tile @low plane(0)
    stream.install plane(0)
    stream.load_tile @high plane(1)
    stream.install plane(1)
    stream.flow repeat(1) {
      %x = stream.read @a[0] : !stream.vec<2>
      %y = stream.alu "move"(%x) slots([0]) : (!stream.vec<2>) -> !stream.vec<2>
      stream.load %y planes([0, 1]) bytes([0, 1]) rows([2, 2]) : !stream.vec<2>
    }
    stream.flow repeat(1) {
      stream.pass plane(0) row(2) acc(10) add(false) mask(3) fp16
    }
    stream.flow repeat(1) {
      stream.pass plane(0) row(2) acc(10) add(true) mask(12) fp16
    }
    stream.flow repeat(1) {
      %s = stream.emit plane(0) acc(10) : !stream.vec<4>
      %y = stream.alu "move"(%s) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      stream.write %y, @c[0] : !stream.vec<4>
    }
  }
}
