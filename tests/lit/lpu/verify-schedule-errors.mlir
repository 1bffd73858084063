// REQUIRES: lpu-opt
// Seeded faults: the step of Inputs/step.mlir is scheduled, one thing in it is changed, and the verifier says what
// cannot be and why. The times of the undamaged step are explained in stream/convert-stream-to-lpu.mlir.
// RUN: lpu-opt %S/Inputs/step.mlir --convert-stream-to-lpu=target=small --lpu-allocate-code=target=small > %t.mlir

// An issue moved by a cycle.
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e0@0 cycle=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=READ-LATE
// READ-LATE: error: {{.*}} op reads stream 0 west at position 0 in cycle 6: nothing was driven east of it on slot 6 + 0 = 6
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@17 cycle=16 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=WRITE-EARLY
// WRITE-EARLY: error: {{.*}} op reads stream 0 east at position 3 in cycle 16: nothing was driven west of it on slot 16 - 3 = 13
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@19 cycle=18 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=READ-EARLY
// READ-EARLY: error: {{.*}} op reads row 100 of bank 0 in cycle 18, written in cycle 17 and readable from 17 + 2 = 19
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@19 cycle=17 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=QUEUE-BUSY
// QUEUE-BUSY: error: {{.*}} op dispatches at 17 while queue mem.e8 is busy until 17
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@6 cycle=5 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ALU-EARLY
// ALU-EARLY: error: {{.*}} op reads stream 0 west at position 0 in cycle 5: nothing was driven east of it on slot 5 + 0 = 5
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@10 cycle=11 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ALU-LATE
// ALU-LATE: error: {{.*}} op reads stream 0 east at position 3 in cycle 17: nothing was driven west of it on slot 17 - 3 = 14
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@113 cycle=114 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=LAST-LATE
// LAST-LATE: error: {{.*}} op reads stream 0 west at position -1 in cycle 118: nothing was driven east of it on slot 118 + -1 = 117
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@113 cycle=112 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=LAST-EARLY
// LAST-EARLY: error: {{.*}} op dispatches at 112 while queue vxm.0 is busy until 112
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.w@10 cycle=11 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=LW-LATE
// LW-LATE: error: {{.*}} op reads stream 0 east at position 9 in cycle 14: nothing was driven west of it on slot 14 - 9 = 5
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@19 cycle=12 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=INSTALL-EARLY
// INSTALL-EARLY: error: {{.*}} op loads weights in cycle 13, which no install puts to use
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@19 cycle=9 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=INSTALL-FIRST
// INSTALL-FIRST: error: {{.*}} op installs in cycle 9 a tile of which nothing was loaded before
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@40 cycle=39 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=LOAD-EARLY
// LOAD-EARLY: error: {{.*}} op reads stream 0 east at position 9 in cycle 39: nothing was driven west of it on slot 39 - 9 = 30
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@41 cycle=42 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=PLAY-LATE
// PLAY-LATE: error: {{.*}} op plays in cycle 42, but no acc takes the sum in cycle 42 + 44 = 86
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@85 cycle=84 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=TAKE-EARLY
// TAKE-EARLY: error: {{.*}} op plays in cycle 41, but no acc takes the sum in cycle 41 + 44 = 85
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@86 cycle=87 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=EMIT-LATE
// EMIT-LATE: error: {{.*}} op reads stream 0 west at position 0 in cycle 96: nothing was driven east of it on slot 96 + 0 = 96
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.w0@101 cycle=102 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=OUTPUT-LATE
// OUTPUT-LATE: error: {{.*}} op reads stream 0 west at position -1 in cycle 102: nothing was driven east of it on slot 102 + -1 = 101

// Another stream or direction.
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e0@0 rdstream=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=STREAM-TAKEN
// STREAM-TAKEN: error: {{.*}} op drives stream 1 west at position 1 in cycle 5, where another instruction drives it too
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@10 outstream=4 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=STREAM-OUT
// STREAM-OUT: error: {{.*}} op reads stream 0 east at position 3 in cycle 17: nothing was driven west of it on slot 17 - 3 = 14
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@17 wrstream=4 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=STREAM-IN
// STREAM-IN: error: {{.*}} op reads stream 4 east at position 3 in cycle 17: nothing was driven west of it on slot 17 - 3 = 14
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@17 wrdir=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=DIRECTION
// DIRECTION: error: {{.*}} op reads stream 0 west at position 3 in cycle 17: nothing was driven east of it on slot 17 + 3 = 20
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@40 loadstream=2 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=STREAM-LOAD
// STREAM-LOAD: error: {{.*}} op reads stream 2 east at position 9 in cycle 40: nothing was driven west of it on slot 40 - 9 = 31
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@86 stream=4 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=STREAM-EMIT
// STREAM-EMIT: error: {{.*}} op reads stream 0 west at position 0 in cycle 96: nothing was driven east of it on slot 96 + 0 = 96

// Another bank or row.
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@17 wrbank=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=WRITE-BANK
// WRITE-BANK: error: {{.*}} op writes row 100 of bank 1 in cycle 17, where no region is
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@17 wrrow=101 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=WRITE-ROW
// WRITE-ROW: error: {{.*}} op reads row 100 of bank 0 (region 'b') in cycle 19, which no instruction writes
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@19 rdbank=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=READ-BANK
// READ-BANK: error: {{.*}} op reads row 100 of bank 1 in cycle 19, where no region is
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@19 rdrow=101 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=READ-ROW
// READ-ROW: error: {{.*}} op reads row 101 of bank 0 (region 'b') in cycle 19, which no instruction writes
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.w0@118 wrrow=7 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=OUTPUT-ROW
// OUTPUT-ROW: error: {{.*}} op 'c': no instruction writes row 8 of bank 0 of slice 0
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e12@0 rdbank=0 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=TILE-BANK
// TILE-BANK: error: {{.*}} op reads row 0 of bank 0 in cycle 0, where no region is
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e12@0 rdrow=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=TILE-ROW
// TILE-ROW: error: {{.*}} op reads row 4 of bank 1 in cycle 3, where no region is
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e27@3 rdrow=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=CODE-ROW
// CODE-ROW: error: {{.*}} op reads row 4 of bank 1 in cycle 6, where instruction text is
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e0@103 rdstep=3 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=BURST-STEP
// BURST-STEP: error: {{.*}} op reads row 6 of bank 0 in cycle 105, where no region is
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@17 rd=1 rdrow=100 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=BOTH-HALVES
// BOTH-HALVES: error: {{.*}} op reads and writes bank 0 in cycle 17; a bank does one of them a cycle
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@41 playrow=3 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ACTIVATION-ROW
// ACTIVATION-ROW: error: {{.*}} op plays activation row 3 in cycle 41, which no instruction loads
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@86 row=11 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ACCUMULATOR-ROW
// ACCUMULATOR-ROW: error: {{.*}} op emits accumulator row 11 in cycle 86, which no instruction writes
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@85 accmode=2 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ADD-FIRST
// ADD-FIRST: error: {{.*}} op adds to accumulator row 10 in cycle 85, first written in cycle 85 and readable from 86
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.w@10 rowstep=0 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=GROUP-TWICE
// GROUP-TWICE: error: {{.*}} op loads row group 0 in cycle 11, which was loaded in cycle 10 and is not installed yet

// Another ALU; accumulators that hold nothing.
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@10 aindex=1 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=ALU
// ALU: error: {{.*}} op reads ALU 1 in cycle 10, when no result of it is visible
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@108 accwrite=0 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-INIT
// NO-INIT: error: {{.*}} op reads the accumulator of ALU 0 in cycle 109, before anything is written to it

// A missing issue, or a shorter or longer burst.
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e0@0 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-READ
// NO-READ: error: {{.*}} op reads stream 0 west at position 0 in cycle 6: nothing was driven east of it on slot 6 + 0 = 6
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e8@17 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-WRITE
// NO-WRITE: error: {{.*}} op reads row 100 of bank 0 (region 'b') in cycle 19, which no instruction writes
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.w0@101 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-OUTPUT
// NO-OUTPUT: error: {{.*}} op 'c': no instruction writes row 7 of bank 0 of slice 0
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@6 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-ALU
// NO-ALU: error: {{.*}} op reads ALU 0 in cycle 10, when no result of it is visible
// RUN: python3 %S/Inputs/fault.py %t.mlir vxm.0@109 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-BURST
// NO-BURST: error: {{.*}} op drives a value in cycle 108 that no instruction reads
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.w@10 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-LW
// NO-LW: error: {{.*}} op installs in cycle 19 a tile of which nothing was loaded before
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@19 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-INSTALL
// NO-INSTALL: error: {{.*}} op plays in cycle 41, before any tile is installed
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@40 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-LOAD
// NO-LOAD: error: {{.*}} op plays activation row 2 in cycle 41, which no instruction loads
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.a@41 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-PLAY
// NO-PLAY: error: {{.*}} op takes a sum in cycle 85, but nothing was played in cycle 85 - 44 = 41
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@85 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-TAKE
// NO-TAKE: error: {{.*}} op plays in cycle 41, but no acc takes the sum in cycle 41 + 44 = 85
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.r@86 drop | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-EMIT
// NO-EMIT: error: {{.*}} op reads stream 0 west at position 0 in cycle 96: nothing was driven east of it on slot 96 + 0 = 96
// RUN: python3 %S/Inputs/fault.py %t.mlir mem.e12@0 count=3 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=SHORT-TILE
// SHORT-TILE: error: {{.*}} op reads stream 0 east at position 9 in cycle 13: nothing was driven west of it on slot 13 - 9 = 4
// RUN: python3 %S/Inputs/fault.py %t.mlir mxm.e0.w@10 count=5 | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=LONG-TILE
// LONG-TILE: error: {{.*}} op loads row group 0 in cycle 14, which was loaded in cycle 10 and is not installed yet

// The claimed length, a unit the machine does not have, a window longer than what stands before it.
// RUN: sed 's/cycles(123)/cycles(124)/' %t.mlir | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=CLAIM
// CLAIM: error: 'lpu.program' op claims 124 cycles; the last effect at 120 + 3 superlanes makes 123
// RUN: sed 's/"mem.e12"/"mem.e28"/' %t.mlir | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=UNIT
// UNIT: error: 'lpu.queue' op machine 'small' has no queue mem.e28
// RUN: sed 's/"mxm.e1.a"/"mxm.e2.a"/' %t.mlir | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=PLANE
// PLANE: error: 'lpu.queue' op machine 'small' has no queue mxm.e2.a
// RUN: sed 's/lpu.issue 10 count(4) "lw"/lpu.issue 10 count(4) window(2) "lw"/' %t.mlir | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=WINDOW
// WINDOW: error: 'lpu.issue' op repeats 2 words but only 1 stand before it
// RUN: not lpu-opt %t.mlir --lpu-verify-schedule=target=medium 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: medium: neither a machine preset (tsp1, small, tsp1-int4, lp30) nor a readable file
// RUN: sed 's/kind("constant")\(.*\) content.*/kind("scratch")\1/' %t.mlir | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=NO-CONTENT
// NO-CONTENT: error: 'lpu.issue' op reads row 0 of bank 1 (region 'w') in cycle 0, which no instruction writes
// RUN: sed 's/region "b" kind("scratch")\(.*\)/region "b" kind("constant")\1 content {kind = "ones"}/' %t.mlir | not lpu-opt --lpu-verify-schedule=target=small 2>&1 | FileCheck %s --check-prefix=CONSTANT
// CONSTANT: error: 'lpu.issue' op writes row 100 of bank 0 in cycle 17, which belongs to the constant region 'b'
