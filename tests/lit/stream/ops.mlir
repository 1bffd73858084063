// REQUIRES: lpu-opt
// RUN: lpu-opt %s | lpu-opt | FileCheck %s
// Every operation of the stream dialect, with and without its optional parts, prints as it is read.

// CHECK: stream.object @token role("input") planes(4) rows(2)
stream.object @token role("input") planes(4) rows(2)
// CHECK: stream.object @x role("scratch") planes(4) rows(16) hint(3) place {bank = 1 : i64, row = 7 : i64, side = 0 : i64, slice = 4 : i64}
stream.object @x role("scratch") planes(4) rows(16) hint(3) place {side = 0 : i64, slice = 4 : i64, bank = 1 : i64, row = 7 : i64}
// CHECK: stream.object @cache role("zero") planes(2) rows(64)
stream.object @cache role("zero") planes(2) rows(64)
// CHECK: stream.object @out role("output") planes(4) rows(2)
stream.object @out role("output") planes(4) rows(2)
// CHECK: stream.object @tile role("constant") planes(16) rows(20) plane(2) content {kind = "ones"}
stream.object @tile role("constant") planes(16) rows(20) plane(2) content {kind = "ones"}

// CHECK: stream.program @prefill_2x64 kind("prefill") tokens(2) context(64) weight_bytes(4096) {
stream.program @prefill_2x64 kind("prefill") tokens(2) context(64) weight_bytes(4096) {
  // CHECK: stream.binding "token" of @token items(2) vectors(1) lanes(320) elements(1)
  stream.binding "token" of @token items(2) vectors(1) lanes(320) elements(1)
  // CHECK: stream.phase "layer 0: norm" {
  stream.phase "layer 0: norm" {
    // CHECK: stream.load_tile @tile plane(2)
    stream.load_tile @tile plane(2)
    // CHECK: stream.install plane(2)
    stream.install plane(2)
    // CHECK: stream.flow repeat(1) {
    stream.flow repeat(1) {
      // CHECK: %[[ID:.*]] = stream.read @token[1] : <4>
      %id = stream.read @token[1] : !stream.vec<4>
      // CHECK: %[[MAP:.*]] = stream.alu "addi"(%[[ID]]) slots([0, -1]) imm(5) row_of @cache : (!stream.vec<4>) -> !stream.vec<2>
      %map = stream.alu "addi"(%id) slots([0, -1]) imm(5) row_of @cache : (!stream.vec<4>) -> !stream.vec<2>
      // CHECK: %[[ROW:.*]] = stream.gather %[[MAP]], @cache : <2>, <2>
      %row = stream.gather %map, @cache : !stream.vec<2>, !stream.vec<2>
      // CHECK: %[[D:.*]] = stream.alu "cvt.f16.f32"(%[[ROW]]) slots([0]) : (!stream.vec<2>) -> !stream.vec<2>
      %d = stream.alu "cvt.f16.f32"(%row) slots([0]) : (!stream.vec<2>) -> !stream.vec<2>
      // CHECK: stream.load %[[D]] planes([0, 1]) bytes([0, 1]) rows([4, 5]) : <2>
      stream.load %d planes([0, 1]) bytes([0, 1]) rows([4, 5]) : !stream.vec<2>
    }
    stream.flow repeat(1) {
      %p = stream.read @x[0] : !stream.vec<4>
      %map = stream.alu "addi"(%p) slots([0, -1]) imm(0) row_of @cache : (!stream.vec<4>) -> !stream.vec<2>
      %v = stream.alu "move"(%p) slots([0]) : (!stream.vec<4>) -> !stream.vec<2>
      // CHECK: stream.scatter %{{.*}}, %{{.*}}, @cache : <2>, <2>
      stream.scatter %v, %map, @cache : !stream.vec<2>, !stream.vec<2>
    }
    stream.flow repeat(1) {
      // CHECK: stream.send @x[0] byte(3) links([0, 6])
      stream.send @x[0] byte(3) links([0, 6])
    }
    stream.flow repeat(1) {
      // CHECK: stream.receive link(6) into [@x] row(0) byte(3)
      stream.receive link(6) into [@x] row(0) byte(3)
    }
    stream.flow repeat(1) {
      // CHECK: stream.pass plane(2) row(4) acc(10) add(true)
      stream.pass plane(2) row(4) acc(10) add(true)
    }
    // CHECK: stream.flow repeat(8) {
    stream.flow repeat(8) {
      // CHECK: %[[X:.*]] = stream.read @x[0] step(2) : <4>
      %x = stream.read @x[0] step(2) : !stream.vec<4>
      // CHECK: %[[ONCE:.*]] = stream.read @x[1] once : <4>
      %once = stream.read @x[1] once : !stream.vec<4>
      // CHECK: %[[MAX:.*]] = stream.alu "maxf"(%[[X]], %[[ONCE]]) slots([-2, 0]) init(1) acc : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
      %max = stream.alu "maxf"(%x, %once) slots([-2, 0]) init(1) acc : (!stream.vec<4>, !stream.vec<4>) -> !stream.vec<4>
      // CHECK: %[[SUM:.*]] = stream.alu "addf"(%[[X]]) slots([-2, 0]) init_imm(0) acc : (!stream.vec<4>) -> !stream.vec<4>
      %sum = stream.alu "addf"(%x) slots([-2, 0]) init_imm(0) acc : (!stream.vec<4>) -> !stream.vec<4>
      // CHECK: %[[M:.*]] = stream.last "move" of %[[MAX]] : <4> -> <4>
      %m = stream.last "move" of %max : !stream.vec<4> -> !stream.vec<4>
      // CHECK: %[[S:.*]] = stream.last "mulf" of %[[SUM]] with %[[M]] : !stream.vec<4>, stagger(2) : <4> -> <4>
      %s = stream.last "mulf" of %sum with %m : !stream.vec<4>, stagger(2) : !stream.vec<4> -> !stream.vec<4>
      // CHECK: stream.write %[[S]], @out[0] : <4>
      stream.write %s, @out[0] : !stream.vec<4>
    }
    stream.flow repeat(8) {
      %x = stream.read @x[0] step(1) : !stream.vec<4>
      %d = stream.alu "move"(%x) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // CHECK: %[[T:.*]] = stream.sweep %{{.*}} byte(3) plane(0) row(0) acc(511) delay(4) : <4>, <4>
      %t = stream.sweep %d byte(3) plane(0) row(0) acc(511) delay(4) : !stream.vec<4>, !stream.vec<4>
      %y = stream.alu "move"(%t) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      // CHECK: stream.write %{{.*}}, @x[8] step(1) : <4>
      stream.write %y, @x[8] step(1) : !stream.vec<4>
    }
    stream.flow repeat(1) {
      // CHECK: stream.emit plane(3) acc(10) : <4>
      %e = stream.emit plane(3) acc(10) : !stream.vec<4>
      %y = stream.alu "move"(%e) slots([0]) : (!stream.vec<4>) -> !stream.vec<4>
      stream.write %y, @out[1] : !stream.vec<4>
    }
  }
}
