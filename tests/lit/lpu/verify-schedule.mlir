// REQUIRES: lpu-opt
// RUN: lpu-opt %S/Inputs/step.mlir --convert-stream-to-lpu=target=small --lpu-allocate-code=target=small > %t.mlir
// RUN: lpu-opt %t.mlir --lpu-verify-schedule=target=small > %t.after.mlir
// RUN: cmp %t.mlir %t.after.mlir
// RUN: lpu-opt %s --lpu-verify-schedule=target=small -o /dev/null
// A real schedule passes and is left as it is (verify-schedule-errors.mlir damages it). So does this one, whose last
// effect is a burst of windows: words at 0, 1 and 2, then two copies of all three, the last at 8; 8 + 4 + 3 superlanes.

lpu.program @windows kind("decode") tokens(1) context(64) cycles(15) bounds({}) usage({}) {
  lpu.queue "vxm.3" {
    lpu.issue 0 "move" {akind = 3 : i64, imm = 7 : i64, accwrite = 1 : i64} for "a"
    lpu.issue 1 "addi" {akind = 4 : i64, bkind = 3 : i64, imm = 1 : i64} for "a"
    lpu.issue 2 count(3) window(3) "move" {akind = 4 : i64, accwrite = 1 : i64} for "a"
  }
}
