// REQUIRES: lpu-opt
// Passes of fp16 values (timing.md T5.6, T5.7): Inputs/fp16-step.mlir is scheduled and passes; then one thing in it is changed.
// The vector's low bytes go to the lower plane and its high bytes to the upper one, which play their halves together.
// RUN: lpu-opt %S/Inputs/fp16-step.mlir --convert-stream-to-lpu=target=small --lpu-allocate-code=target=small > %t.mlir
// RUN: lpu-opt %t.mlir --lpu-verify-schedule=target=small | FileCheck %s
// CHECK-LABEL: lpu.queue "mxm.e0.a"
// CHECK: lpu.issue 19 "act" {load = 1 : i64, loadrow = 2 : i64}
// CHECK: lpu.issue 20 "act" {fp16 = 1 : i64, mask = 3 : i64, play = 1 : i64, playrow = 2 : i64}
// CHECK: lpu.issue 21 "act" {fp16 = 1 : i64, mask = 12 : i64, play = 1 : i64, playrow = 2 : i64}
// CHECK-LABEL: lpu.queue "mxm.e0.r"
// CHECK: lpu.issue 64 "acc" {accmode = 1 : i64, row = 10 : i64}
// CHECK: lpu.issue 65 "acc" {accmode = 3 : i64, row = 10 : i64}
// CHECK-LABEL: lpu.queue "mxm.e1.a"
// CHECK: lpu.issue 19 "act" {load = 1 : i64, loadrow = 2 : i64, loadstream = 1 : i64}
// CHECK: lpu.issue 20 "act" {fp16 = 1 : i64, mask = 3 : i64, play = 1 : i64, playrow = 2 : i64}

// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e1.a@20 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ALONE
// ALONE: error: {{.*}} op plays one half of fp16 values in cycle 20; the other plane of the side plays none
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@20 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=UPPER
// UPPER: error: {{.*}} op {{plays one half of fp16 values in cycle 20; the other plane of the side plays none|takes a sum in cycle 64, but nothing was played in cycle 64 - 44 = 20}}
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e1.a@20 mask=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=MASK
// MASK: error: {{.*}} op plays one half of fp16 values in cycle 20 with another mask than the other plane of the side
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@20 mask=7 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=WIDE
// WIDE: error: {{.*}} op plays fp16 values of 3 superlanes in cycle 20; a pass takes 2
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e1.a@20 fp16=0 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ALONE
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@19 fp16=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-PLAY
// NO-PLAY: error: {{.*}} op says fp16 in cycle 19, but plays nothing
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@64 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-TAKE
// NO-TAKE: error: {{.*}} op plays in cycle 20, but no acc takes the sum in cycle 20 + 44 = 64
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@65 accmode=2 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=SUM
// SUM: error: {{.*}} op adds int32 in cycle 65, but the sum that arrives is fp32
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@64 accmode=3 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=FIRST
// FIRST: error: {{.*}} op adds to accumulator row 10 in cycle 64, first written in cycle 64 and readable from 65
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@20 fp16=0 mask=15 | python3 %S/Inputs/fault.py /dev/stdin mxm.e1.a@20 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ROW
// ROW: error: {{.*}} op adds fp32 in cycle 65 to accumulator row 10, which holds int32
