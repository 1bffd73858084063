// REQUIRES: lpu-opt
// RUN: lpu-opt %s --convert-llm-to-stream=target=small | FileCheck %s
// RUN: lpu-opt %S/Inputs/unit.mlir --convert-llm-to-stream=target=small > %t.unit.mlir
// RUN: FileCheck %s --check-prefix=UNIT < %t.unit.mlir
// RUN: FileCheck %s --check-prefix=OBJECTS < %t.unit.mlir
// RUN: lpu-opt %S/Inputs/unit.mlir --convert-llm-to-stream=target=small --stream-allocate-memory=target=small --convert-stream-to-lpu=target=small --lpu-allocate-code=target=small --lpu-verify-schedule=target=small -o /dev/null

// A vector of 130 elements on 64 lanes: 64 + 64 + 2, three vectors. 2500 tokens on banks of 1024 rows: 1024 + 1024 + 452.
!q = tensor<?x130x!quant.uniform<i16<-32639:32639>:f32, 1.0e-03>>
module attributes {llm.source = "wide.gguf", llm.model = "wide"} {
  llm.weight @e "token_embd.weight" : tensor<2500x130xf16>
  llm.weight @g "output_norm.weight" : tensor<130xf32>
  llm.weight @w "output.weight" : tensor<10x130x!quant.any<i8<-127:127>:f32>>
  llm.step @decode_64 decode tokens 1 context 64
  func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x10xf32> {
    %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x130xf32>
    %n = llm.rms_norm %x, @g {eps = 1.0e-05 : f32} : (tensor<?x130xf32>) -> !q
    %y = llm.linear %n, @w : (!q) -> tensor<?x10xf32>
    return %y : tensor<?x10xf32>
  }
}

// The llm dialect is gone but for the source of the constants and the machine. Weights brought in: 10 · 130 bytes.
// CHECK: module attributes {llm.machine = "small", llm.machine_hash = "{{[0-9a-f]+}}", llm.model = "wide", llm.source = "wide.gguf", lpu.mapping = [{by_file = false, count = 1 : i64, form = "pinned", group = "lm-head", stream_cycles = 0 : i64}]} {
// CHECK-NOT: llm.
// CHECK: stream.program @decode_64 kind("decode") tokens(1) context(64) weight_bytes(1300)
// CHECK-DAG: stream.binding "token" of @token items(1) vectors(1) lanes(64) elements(1)
// CHECK-DAG: stream.binding "position" of @position items(1) vectors(1) lanes(64) elements(1)
// CHECK-DAG: stream.binding "logits" of @logits items(1) vectors(1) lanes(64) elements(10)

// Each vector asks each bank; the first answer is stored, the others are added to it. Token ids of bank 1 have id >> 10 = 1.
// CHECK: stream.phase "embedding"
// CHECK: %[[ID:.*]] = stream.read @token[0]
// CHECK: %[[BANK:.*]] = stream.alu "sra"(%[[ID]]) slots([0, -1]) imm(10)
// CHECK: %[[HERE:.*]] = stream.alu "cmpeqi"(%[[BANK]]) slots([0, -1]) imm(0)
// CHECK: %[[LOW:.*]] = stream.alu "and"(%[[ID]]) slots([0, -1]) imm(1023)
// CHECK: %[[ROW:.*]] = stream.alu "addi"(%[[LOW]]) slots([0, -1]) imm(0) row_of @token_embd.weight.rows.0.0
// CHECK: %[[MAP:.*]] = stream.alu "select"(%[[HERE]], %[[ROW]]) slots([0, 1, -1]) imm(65535)
// CHECK: stream.gather %[[MAP]], @token_embd.weight.rows.0.0
// CHECK: stream.write %{{.*}}, @x[0]
// CHECK: stream.alu "cmpeqi"({{.*}}) slots([0, -1]) imm(1)
// CHECK: stream.gather %{{.*}}, @token_embd.weight.rows.0.1
// CHECK: stream.read @x[0]
// CHECK: stream.alu "addf"
// CHECK: stream.write %{{.*}}, @x[0]
// CHECK: stream.gather %{{.*}}, @token_embd.weight.rows.2.2
// CHECK: stream.write %{{.*}}, @x[2]

// The norm: tiles of ones on all planes, sums of the three vectors added up, digits into rows 2v and 2v + 1 of every plane.
// CHECK: stream.phase "final norm"
// CHECK-COUNT-4: stream.load_tile @ones.
// CHECK-COUNT-8: stream.pass {{.*}} add(false)
// CHECK-COUNT-16: stream.pass {{.*}} add(true)
// CHECK: stream.alu "rsqrt"
// CHECK: stream.load %{{.*}} planes([0, 1]) bytes([0, 1]) rows([0, 1])
// CHECK: stream.load %{{.*}} planes([2, 3]) bytes([0, 1]) rows([4, 5])

// One output tile but three input tiles: dealt over planes 0, 1, 2, high digit to the first accumulator row, low to the
// next; the parts are added in VXM.
// CHECK: stream.phase "lm_head"
// CHECK: stream.load_tile @output.weight.tile.0.0 plane(0)
// CHECK-NEXT: stream.install plane(0)
// CHECK: stream.pass plane(0) row(1) acc(0) add(false)
// CHECK: stream.pass plane(0) row(0) acc(1) add(false)
// CHECK: stream.load_tile @output.weight.tile.0.1 plane(1)
// CHECK: stream.pass plane(1) row(3) acc(0) add(false)
// CHECK: stream.pass plane(1) row(2) acc(1) add(false)
// CHECK: stream.load_tile @output.weight.tile.0.2 plane(2)
// CHECK: stream.pass plane(2) row(5) acc(0) add(false)
// CHECK: stream.pass plane(2) row(4) acc(1) add(false)
// CHECK: %[[A:.*]] = stream.emit plane(0) acc(0)
// CHECK: %[[B:.*]] = stream.emit plane(1) acc(0)
// CHECK: %[[C:.*]] = stream.emit plane(2) acc(0)
// CHECK: %[[AB:.*]] = stream.alu "addi"(%[[A]], %[[B]])
// CHECK: %[[LATER:.*]] = stream.alu "move"(%[[C]])
// CHECK: %[[SUM:.*]] = stream.alu "addi"(%[[AB]], %[[LATER]])
// CHECK: %[[HIGH:.*]] = stream.alu "cvt.i32.f32"(%[[SUM]])
// 256.0 is 0x43800000.
// CHECK: stream.alu "mulf"(%[[HIGH]]) slots([0, -1]) imm(1132462080)
// CHECK: stream.read @output.weight.scales[0]
// CHECK: stream.write %{{.*}}, @logits[0]

// CHECK-DAG: stream.object @x role("scratch") planes(4) rows(3)
// CHECK-DAG: stream.object @token_embd.weight.rows.1.1 role("constant") planes(2) rows(1024) {{.*}}first_row = 1024 : i64
// CHECK-DAG: stream.object @token_embd.weight.rows.1.2 role("constant") planes(2) rows(452) {{.*}}first_row = 2048 : i64
// Ten output rows fill one group of 16 rows.
// CHECK-DAG: stream.object @output.weight.tile.0.2 role("constant") planes(16) rows(1) plane(2) content {col_vector = 2 : i64
// CHECK-DAG: stream.object @ones.3 role("constant") planes(16) rows(4) plane(3)

// A decoder layer, phase by phase, once for each step. Weights: q 4·4, k and v 2·4, output 4·4, gate and up 2·4, down 4·2,
// head 4·4: 16 + 8 + 8 + 16 + 8 + 8 + 8 + 16 = 88 bytes; the swapped tiles of rope are the same weights.
// UNIT: stream.program @decode_8 kind("decode") tokens(1) context(8) weight_bytes(88)
// UNIT: stream.phase "embedding"
// UNIT: stream.phase "layer 0: attention norm"
// UNIT: stream.phase "layer 0: qkv"
// UNIT-DAG: stream.load_tile @blk.0.attn_q.weight.tile.0.0
// UNIT-DAG: stream.load_tile @blk.0.attn_q.weight.swapped.tile.0.0
// UNIT-DAG: stream.load_tile @blk.0.attn_k.weight.swapped.tile.0.0
// UNIT-DAG: stream.load_tile @blk.0.attn_v.weight.tile.0.0
// UNIT: stream.scatter %{{.*}}, @kv.0.
// UNIT: stream.phase "layer 0: attention"
// UNIT: stream.load_tile @head_ones.0 plane(0)
// UNIT: stream.flow repeat(8)
// UNIT: stream.sweep
// UNIT: stream.last
// UNIT: stream.phase "layer 0: attention output"
// UNIT: stream.phase "layer 0: ffn norm"
// UNIT: stream.phase "layer 0: ffn gate, up"
// UNIT: stream.alu "exp"
// UNIT: stream.alu "recip"
// UNIT: stream.phase "layer 0: ffn down"
// UNIT: stream.phase "final norm"
// UNIT: stream.phase "lm_head"
// UNIT: stream.program @prefill_8x8 kind("prefill") tokens(8) context(8) weight_bytes(88)
// UNIT: stream.phase "lm_head"
// UNIT-NOT: stream.program

// Memory is shared by the two steps; the larger one decides. Eight tokens: eight rows of input, residual and logits. The
// caches hold 8 positions, key and value heads repeated for each query head, so 4 lanes each; digits take two bytes.
// OBJECTS-DAG: stream.object @token role("input") planes(4) rows(8)
// OBJECTS-DAG: stream.object @position role("input") planes(4) rows(8)
// OBJECTS-DAG: stream.object @x role("scratch") planes(4) rows(8)
// OBJECTS-DAG: stream.object @logits role("output") planes(4) rows(8)
// OBJECTS-DAG: stream.object @kv.0.k.0 role("zero") planes(2) rows(8)
// OBJECTS-DAG: stream.object @kv.0.v.0 role("zero") planes(2) rows(8)
// OBJECTS-DAG: stream.object @rope.cos role("constant") planes(4) rows(8)
// OBJECTS-DAG: stream.object @blk.0.attn_k.weight.tile.0.0 role("constant") planes(16) rows(1) {{.*}}group = 2 : i64, head_dim = 2 : i64
