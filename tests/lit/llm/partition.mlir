// REQUIRES: lpu-opt
// RUN: lpu-opt %s --llm-partition=tp=2 | FileCheck %s --check-prefix=TENSOR
// RUN: lpu-opt %s --llm-partition="pp=3 embedding-chips=2 head-chips=1" | FileCheck %s --check-prefix=PIPELINE
// RUN: lpu-opt %s --llm-partition="tp=2 pp=2 layers=2,1" | FileCheck %s --check-prefix=BOTH
// RUN: lpu-opt %s --llm-partition | FileCheck %s --check-prefix=NONE
// Three layers, three heads of two, residual of 6, FFN of 5, vocabulary of 7.

// Two chips share everything; three heads and five columns are padded to four and six.
// TENSOR: llm.chips = [{class = @all, first_layer = 0 : i64, shard = 0 : i64, stage = 0 : i64}, {class = @all, first_layer = 0 : i64, shard = 1 : i64, stage = 0 : i64}]
// TENSOR-SAME: llm.wires = [array<i64: 0, 0, 1, 0>]
// TENSOR: module @all attributes {llm.layers = 3 : i64, llm.shards = 2 : i64}
// TENSOR: llm.step @decode_64
// TENSOR: llm.weight @token_embd "token_embd.weight" columns <2 of 6> : tensor<7x3xf16>
// TENSOR: llm.weight @blk.0.attn_norm "blk.0.attn_norm.weight" : tensor<6xf32>
// TENSOR: llm.kv_cache @cache.0 {capacity = 64 : i64, head_dim = 2 : i64, heads = 2 : i64, heads_cut = #llm.cut<2 of 3>, kv_heads = 2 : i64, layer = 0 : i64, query_group = 1 : i64}
// TENSOR: llm.weight @blk.0.attn_q "blk.0.attn_q.weight" rows <2 of 6> : tensor<4x6x
// TENSOR: llm.weight @blk.0.attn_k "blk.0.attn_k.weight" : tensor<4x6x
// TENSOR: llm.weight @blk.0.ffn_gate "blk.0.ffn_gate.weight" rows <2 of 5> : tensor<3x6x
// TENSOR: llm.weight @blk.0.ffn_down "blk.0.ffn_down.weight" rows <2 of 6> : tensor<3x5x
// TENSOR: llm.weight @output "output.weight" rows <2 of 7> : tensor<4x6x
// TENSOR: func.func @forward({{.*}}) -> tensor<?x4xf32>
// TENSOR-NEXT: %[[PIECE:.*]] = llm.embedding {{.*}} -> tensor<?x3xf32>
// TENSOR-NEXT: %[[X:.*]] = llm.all_gather %[[PIECE]] 2 pieces : (tensor<?x3xf32>) -> tensor<?x6xf32>
// TENSOR-NEXT: llm.rms_norm %[[X]]
// TENSOR: %[[A:.*]] = llm.attention {{.*}} -> tensor<?x4x
// TENSOR-NEXT: %[[GATHERED:.*]] = llm.all_gather %[[A]] 2 pieces
// TENSOR-NEXT: %[[O:.*]] = llm.linear %[[GATHERED]], @blk.0.attn_output
// TENSOR-NEXT: llm.add %[[O]], %[[PIECE]] : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>

// Two chips deal the vocabulary's rows; layers 1 and 2 are one class, their scales have names.
// PIPELINE: llm.chips = [{class = @embedding, first_layer = 0 : i64, shard = 0 : i64, stage = 0 : i64}, {class = @embedding, first_layer = 0 : i64, shard = 1 : i64, stage = 0 : i64}, {class = @layers.1.in2, first_layer = 0 : i64, shard = 0 : i64, stage = 1 : i64}, {class = @layers.1, first_layer = 1 : i64, shard = 0 : i64, stage = 2 : i64}, {class = @layers.1, first_layer = 2 : i64, shard = 0 : i64, stage = 3 : i64}, {class = @lm_head, first_layer = 3 : i64, shard = 0 : i64, stage = 4 : i64}]
// PIPELINE-SAME: blk.2.attn_k.rope = 3.125
// PIPELINE-SAME: llm.wires = [array<i64: 0, 10, 2, 0>, array<i64: 1, 10, 2, 1>, array<i64: 2, 10, 3, 0>, array<i64: 3, 10, 4, 0>, array<i64: 4, 10, 5, 0>]
// PIPELINE: module @embedding
// PIPELINE: llm.weight @token_embd "token_embd.weight" rows <2 of 7> : tensor<4x6xf16>
// PIPELINE: llm.send %{{.*}} links [10] : tensor<?x6xf32>
// PIPELINE-NEXT: return
// PIPELINE: module @layers.1.in2
// PIPELINE: llm.receive links [0, 1] : tensor<?x6xf32>
// PIPELINE-NOT: llm.scale_name
// PIPELINE: module @layers.1 attributes
// PIPELINE: llm.kv_cache @cache.0
// PIPELINE: llm.weight @blk.0.attn_q "blk.0.attn_q.weight" : tensor<6x6x
// PIPELINE: %[[IN:.*]] = llm.receive links [0] : tensor<?x6xf32>
// PIPELINE-NEXT: llm.rms_norm %[[IN]], @blk.0.attn_norm {eps = {{.*}}, llm.scale_name = "blk.0.attn_norm.rms_norm"}
// PIPELINE: llm.send %{{.*}} links [10] : tensor<?x6xf32>
// PIPELINE: module @lm_head
// PIPELINE: llm.receive links [0]
// PIPELINE: return %{{.*}} : tensor<?x7xf32>

// Shard i of a stage hands its piece to shard i of the next.
// BOTH: llm.wires = [array<i64: 0, 0, 1, 0>, array<i64: 2, 0, 3, 0>, array<i64: 0, 10, 2, 1>, array<i64: 1, 10, 3, 1>]
// BOTH: module @"embedding+layers.2"
// BOTH: llm.send %{{.*}} links [10] : tensor<?x3xf32>
// BOTH: module @"layers.1+lm_head"
// BOTH: llm.receive links [1] piece <2 of 6> : tensor<?x3xf32>

// NONE-NOT: llm.chips
// NONE: func.func @forward

llm.weight @token_embd "token_embd.weight" : tensor<7x6xf16>
llm.weight @blk.0.attn_norm "blk.0.attn_norm.weight" : tensor<6xf32>
llm.weight @blk.0.attn_q "blk.0.attn_q.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.0.attn_k "blk.0.attn_k.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.0.attn_v "blk.0.attn_v.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.0.attn_output "blk.0.attn_output.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.0.ffn_norm "blk.0.ffn_norm.weight" : tensor<6xf32>
llm.weight @blk.0.ffn_gate "blk.0.ffn_gate.weight" : tensor<5x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.0.ffn_up "blk.0.ffn_up.weight" : tensor<5x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.0.ffn_down "blk.0.ffn_down.weight" : tensor<6x5x!quant.any<i8<-127:127>:f32>>
llm.kv_cache @cache.0 {layer = 0 : i64, heads = 3 : i64, kv_heads = 3 : i64, head_dim = 2 : i64, capacity = 64 : i64}
llm.weight @blk.1.attn_norm "blk.1.attn_norm.weight" : tensor<6xf32>
llm.weight @blk.1.attn_q "blk.1.attn_q.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.1.attn_k "blk.1.attn_k.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.1.attn_v "blk.1.attn_v.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.1.attn_output "blk.1.attn_output.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.1.ffn_norm "blk.1.ffn_norm.weight" : tensor<6xf32>
llm.weight @blk.1.ffn_gate "blk.1.ffn_gate.weight" : tensor<5x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.1.ffn_up "blk.1.ffn_up.weight" : tensor<5x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.1.ffn_down "blk.1.ffn_down.weight" : tensor<6x5x!quant.any<i8<-127:127>:f32>>
llm.kv_cache @cache.1 {layer = 1 : i64, heads = 3 : i64, kv_heads = 3 : i64, head_dim = 2 : i64, capacity = 64 : i64}
llm.weight @blk.2.attn_norm "blk.2.attn_norm.weight" : tensor<6xf32>
llm.weight @blk.2.attn_q "blk.2.attn_q.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.2.attn_k "blk.2.attn_k.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.2.attn_v "blk.2.attn_v.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.2.attn_output "blk.2.attn_output.weight" : tensor<6x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.2.ffn_norm "blk.2.ffn_norm.weight" : tensor<6xf32>
llm.weight @blk.2.ffn_gate "blk.2.ffn_gate.weight" : tensor<5x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.2.ffn_up "blk.2.ffn_up.weight" : tensor<5x6x!quant.any<i8<-127:127>:f32>>
llm.weight @blk.2.ffn_down "blk.2.ffn_down.weight" : tensor<6x5x!quant.any<i8<-127:127>:f32>>
llm.kv_cache @cache.2 {layer = 2 : i64, heads = 3 : i64, kv_heads = 3 : i64, head_dim = 2 : i64, capacity = 64 : i64}
llm.weight @output_norm "output_norm.weight" : tensor<6xf32>
llm.weight @output "output.weight" : tensor<7x6x!quant.any<i8<-127:127>:f32>>
llm.step @decode_64 decode tokens 1 context 64
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x7xf32> {
  %x0 = llm.embedding %token, @token_embd : (tensor<?xi32>) -> tensor<?x6xf32>
  %l0n = llm.rms_norm %x0, @blk.0.attn_norm {eps = 1.0e-05 : f32} : (tensor<?x6xf32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.0>>
  %l0q = llm.linear %l0n, @blk.0.attn_q {factor = 0.9411764705882353 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.0>>) -> tensor<?x6xf32>
  %l0rq = llm.rope %l0q, %position {heads = 3 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.0625>>
  %l0k = llm.linear %l0n, @blk.0.attn_k {factor = 0.8888888888888888 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.0>>) -> tensor<?x6xf32>
  %l0rk = llm.rope %l0k, %position {heads = 3 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.125>>
  %l0v = llm.linear %l0n, @blk.0.attn_v : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.0>>) -> tensor<?x6xf32>
  %l0a = llm.attention %l0rq, %l0rk, %l0v, %position, @cache.0 : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.0625>>, tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.125>>, tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.1875>>
  %l0o = llm.linear %l0a, @blk.0.attn_output : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.1875>>) -> tensor<?x6xf32>
  %l0x = llm.add %l0o, %x0 : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %l0m = llm.rms_norm %l0x, @blk.0.ffn_norm {eps = 1.0e-05 : f32} : (tensor<?x6xf32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.25>>
  %l0g = llm.linear %l0m, @blk.0.ffn_gate : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.25>>) -> tensor<?x5xf32>
  %l0u = llm.linear %l0m, @blk.0.ffn_up {factor = 0.7619047619047619 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 1.25>>) -> tensor<?x5xf32>
  %l0h = llm.silu_mul %l0g, %l0u : (tensor<?x5xf32>, tensor<?x5xf32>) -> tensor<?x5x!quant.uniform<i16<-32639:32639>:f32, 1.3125>>
  %l0d = llm.linear %l0h, @blk.0.ffn_down : (tensor<?x5x!quant.uniform<i16<-32639:32639>:f32, 1.3125>>) -> tensor<?x6xf32>
  %l0y = llm.add %l0d, %l0x : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %l1n = llm.rms_norm %l0y, @blk.1.attn_norm {eps = 1.0e-05 : f32} : (tensor<?x6xf32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.0>>
  %l1q = llm.linear %l1n, @blk.1.attn_q {factor = 0.48484848484848486 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.0>>) -> tensor<?x6xf32>
  %l1rq = llm.rope %l1q, %position {heads = 3 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.0625>>
  %l1k = llm.linear %l1n, @blk.1.attn_k {factor = 0.47058823529411764 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.0>>) -> tensor<?x6xf32>
  %l1rk = llm.rope %l1k, %position {heads = 3 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.125>>
  %l1v = llm.linear %l1n, @blk.1.attn_v : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.0>>) -> tensor<?x6xf32>
  %l1a = llm.attention %l1rq, %l1rk, %l1v, %position, @cache.1 : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.0625>>, tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.125>>, tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.1875>>
  %l1o = llm.linear %l1a, @blk.1.attn_output : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.1875>>) -> tensor<?x6xf32>
  %l1x = llm.add %l1o, %l0y : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %l1m = llm.rms_norm %l1x, @blk.1.ffn_norm {eps = 1.0e-05 : f32} : (tensor<?x6xf32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.25>>
  %l1g = llm.linear %l1m, @blk.1.ffn_gate : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.25>>) -> tensor<?x5xf32>
  %l1u = llm.linear %l1m, @blk.1.ffn_up {factor = 0.43243243243243246 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 2.25>>) -> tensor<?x5xf32>
  %l1h = llm.silu_mul %l1g, %l1u : (tensor<?x5xf32>, tensor<?x5xf32>) -> tensor<?x5x!quant.uniform<i16<-32639:32639>:f32, 2.3125>>
  %l1d = llm.linear %l1h, @blk.1.ffn_down : (tensor<?x5x!quant.uniform<i16<-32639:32639>:f32, 2.3125>>) -> tensor<?x6xf32>
  %l1y = llm.add %l1d, %l1x : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %l2n = llm.rms_norm %l1y, @blk.2.attn_norm {eps = 1.0e-05 : f32} : (tensor<?x6xf32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.0>>
  %l2q = llm.linear %l2n, @blk.2.attn_q {factor = 0.32653061224489793 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.0>>) -> tensor<?x6xf32>
  %l2rq = llm.rope %l2q, %position {heads = 3 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.0625>>
  %l2k = llm.linear %l2n, @blk.2.attn_k {factor = 0.32 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.0>>) -> tensor<?x6xf32>
  %l2rk = llm.rope %l2k, %position {heads = 3 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.125>>
  %l2v = llm.linear %l2n, @blk.2.attn_v : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.0>>) -> tensor<?x6xf32>
  %l2a = llm.attention %l2rq, %l2rk, %l2v, %position, @cache.2 : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.0625>>, tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.125>>, tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.1875>>
  %l2o = llm.linear %l2a, @blk.2.attn_output : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.1875>>) -> tensor<?x6xf32>
  %l2x = llm.add %l2o, %l1y : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %l2m = llm.rms_norm %l2x, @blk.2.ffn_norm {eps = 1.0e-05 : f32} : (tensor<?x6xf32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.25>>
  %l2g = llm.linear %l2m, @blk.2.ffn_gate : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.25>>) -> tensor<?x5xf32>
  %l2u = llm.linear %l2m, @blk.2.ffn_up {factor = 0.3018867924528302 : f64} : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 3.25>>) -> tensor<?x5xf32>
  %l2h = llm.silu_mul %l2g, %l2u : (tensor<?x5xf32>, tensor<?x5xf32>) -> tensor<?x5x!quant.uniform<i16<-32639:32639>:f32, 3.3125>>
  %l2d = llm.linear %l2h, @blk.2.ffn_down : (tensor<?x5x!quant.uniform<i16<-32639:32639>:f32, 3.3125>>) -> tensor<?x6xf32>
  %l2y = llm.add %l2d, %l2x : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  %n = llm.rms_norm %l2y, @output_norm {eps = 1.0e-05 : f32} : (tensor<?x6xf32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 0.5>>
  %y = llm.linear %n, @output : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 0.5>>) -> tensor<?x7xf32>
  return %y : tensor<?x7xf32>
}
