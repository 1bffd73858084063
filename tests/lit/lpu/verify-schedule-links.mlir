// REQUIRES: lpu-opt
// Vectors on links, scheduled from Inputs/exchange.mlir, and faults seeded into them. The small machine's SXM and links stand at
// positions 8 and -8; c2c_send 216, c2c_receive 1, 24 cycles between sends, 64 vectors may wait.
// RUN: lpu-opt %S/Inputs/exchange.mlir --convert-stream-to-lpu=target=small > %t.mlir
// RUN: lpu-opt %t.mlir --lpu-verify-schedule=target=small | FileCheck %s

// Two sends on link 0, 24 cycles apart; the second one's arrival at 36 + 216 = 252 is received, driven at 253 at position 8 and
// at position -2 ten cycles later, readable at 265; 3 superlanes more.
// CHECK: cycles(268)
// The links' bound: the first send's 216 + 1, the second's 24, is 240; the phase's path: a read 12 cycles before a send, 216, a write
// 11 after the receive, 2 more: 241.
// CHECK-SAME: bound = "critical path", bound_cycles = 241
// Driven at 5 at position 1, at 8 at 12; two sends sample one stream.
// CHECK: lpu.queue "mem.e0"
// CHECK-NEXT: lpu.issue 0 "mem" {rd = 1 : i64}
// From the west past VXM into the east: driven at 1 at position -8, at position -2 at 7, at 1 at 10.
// CHECK: lpu.queue "mem.e2"
// CHECK-NEXT: lpu.issue 10 "mem" {wr = 1 : i64, wrrow = 1 : i64}
// CHECK: lpu.queue "mem.w4"
// CHECK-NEXT: lpu.issue 239 "mem" {wr = 1 : i64, wrdir = 1 : i64, wrrow = 10 : i64}
// CHECK: lpu.queue "mem.w6"
// CHECK-NEXT: lpu.issue 7 "mem" {wr = 1 : i64, wrrow = 11 : i64}
// CHECK: lpu.queue "c2c.0"
// CHECK-NEXT: lpu.issue 12 "send" {}
// CHECK-NEXT: lpu.issue 36 "send" {}
// CHECK-NEXT: lpu.issue 228 "receive" {dir = 1 : i64}
// CHECK-NEXT: lpu.issue 252 "receive" {dir = 1 : i64}
// CHECK: lpu.queue "c2c.1"
// CHECK-NEXT: lpu.issue 12 "send" {}
// Another stage's vectors are taken in the rhythm they can come in.
// CHECK: lpu.queue "c2c.7"
// CHECK-NEXT: lpu.issue 0 "receive" {}
// CHECK-NEXT: lpu.issue 24 "receive" {}

// A SEND six cycles late.
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e1@24 cycle=30 > %t.0.mlir
// RUN: python3 %S/Inputs/fault.py %t.0.mlir c2c.0@36 cycle=42 > %t.1.mlir
// RUN: not lpu-opt %t.1.mlir --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=LATE-SEND
// LATE-SEND: error: 'lpu.issue' op receives on link 0 in cycle 252 what is sent on link 0 in cycle 42 and arrives at 42 + 216 = 258
// A RECEIVE missing.
// RUN: python3 %S/Inputs/fault.py %t.mlir c2c.0@252 drop > %t.0.mlir
// RUN: python3 %S/Inputs/fault.py %t.0.mlir mem.w5@263 drop > %t.1.mlir
// RUN: not lpu-opt %t.1.mlir --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-RECEIVE
// NO-RECEIVE: error: 'lpu.issue' op sends a vector on link 0 in cycle 36 that the group never receives on link 0
// A SEND missing.
// RUN: python3 %S/Inputs/fault.py %t.mlir c2c.0@36 drop > %t.0.mlir
// RUN: python3 %S/Inputs/fault.py %t.0.mlir mem.e1@24 drop > %t.1.mlir
// RUN: not lpu-opt %t.1.mlir --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-SEND
// NO-SEND: error: 'lpu.issue' op receives vector 2 on link 0 in cycle 252; the group sends 1 that way, on link 0
// A link booked twice.
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e1@24 cycle=20 > %t.0.mlir
// RUN: python3 %S/Inputs/fault.py %t.0.mlir c2c.0@36 cycle=32 > %t.1.mlir
// RUN: not lpu-opt %t.1.mlir --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=OVERBOOKED
// OVERBOOKED: error: 'lpu.issue' op sends on link 0 in cycle 32; the link is busy since 12 until 12 + 24 = 36
// What is received and written nowhere.
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.w5@263 drop > %t.0.mlir
// RUN: not lpu-opt %t.0.mlir --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=UNREAD
// UNREAD: error: 'lpu.issue' op drives a value in cycle 253 that no instruction reads
// Two vectors wait where one may.
// RUN: sed 's/fifo_vectors: 64/fifo_vectors: 1/' %S/../../../isa/arch/small.yaml > %t.yaml
// Both are received when both are there.
// RUN: python3 %S/Inputs/fault.py %t.mlir c2c.0@252 cycle=254 > %t.0.mlir
// RUN: python3 %S/Inputs/fault.py %t.0.mlir mem.w5@263 cycle=265 > %t.1.mlir
// RUN: python3 %S/Inputs/fault.py %t.1.mlir c2c.0@228 cycle=253 > %t.2.mlir
// RUN: python3 %S/Inputs/fault.py %t.2.mlir mem.w4@239 cycle=264 > %t.3.mlir
// RUN: not lpu-opt %t.3.mlir --lpu-verify-schedule=target=%t.yaml 2>&1 | FileCheck %s --check-prefix=OVERFLOW
// OVERFLOW: error: 'lpu.issue' op sends a vector on link 0 that arrives at 252, where 1 wait on link 0 already
