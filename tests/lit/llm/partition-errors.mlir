// REQUIRES: lpu-opt
// RUN: not lpu-opt %s --llm-partition="tp=4" 2>&1 | FileCheck %s --check-prefix=E0
// RUN: not lpu-opt %s --llm-partition="pp=3" 2>&1 | FileCheck %s --check-prefix=E1
// RUN: not lpu-opt %s --llm-partition="tp=2 head-chips=3" 2>&1 | FileCheck %s --check-prefix=E2
// RUN: not lpu-opt %s --llm-partition="pp=2 layers=2,1" 2>&1 | FileCheck %s --check-prefix=E3
// RUN: not lpu-opt %s --llm-partition="head-chips=12" 2>&1 | FileCheck %s --check-prefix=E4
// RUN: not lpu-opt %s --llm-partition="tp=2 target=nothing" 2>&1 | FileCheck %s --check-prefix=E5
// RUN: echo "module {}" | not lpu-opt - --llm-partition=tp=2 2>&1 | FileCheck %s --check-prefix=EMPTY
// Two layers, three heads.

// E0: error: tp=4: a layer of 3 query heads can be shared by 1 to 3 chips
// E1: error: pp=3: 2 layers make 1 to 2 stages
// E2: error: head-chips=3 is no multiple of tp=2
// E3: error: layers of 2 stages that sum up to 3 do not deal 2 layers over 2 stages
// E4: error: a chip of stage 0 needs 12 links: 0 to its group, 0 in and 12 out; 'tsp1' has 11; give the vocabulary fewer chips
// E5: error: {{.*}}nothing
// EMPTY: error: there is no planned model to partition; run llm-quantize and llm-plan-steps first

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
  %n = llm.rms_norm %l1y, @output_norm {eps = 1.0e-05 : f32} : (tensor<?x6xf32>) -> tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 0.5>>
  %y = llm.linear %n, @output : (tensor<?x6x!quant.uniform<i16<-32639:32639>:f32, 0.5>>) -> tensor<?x7xf32>
  return %y : tensor<?x7xf32>
}
