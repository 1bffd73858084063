// REQUIRES: lpu-opt
// RUN: python3 %S/Inputs/make-gguf.py %t.gguf
// RUN: sed "s#MODEL#%t.gguf#" %s | lpu-opt --llm-quantize | FileCheck %s
//
// Weight rows have 2-norms 1, 2, 3, … and norm weights are 1, width H = 4 (see Inputs/make-gguf.py), so:
//   norm:      1.001·√4·1 / 32639                                = 6.13377e-05
//   q bounds:  √4·(1, 2, 3, 4) = 2, 4, 6, 8; pairs √(2²+4²), √(6²+8²) = 10;  1.01·10 / 32639 = 3.09446e-04, 1/s = 3231.584
//   k bounds:  2, 4; pair √20;                                   1.01·√20 / 32639 = 1.38388e-04, 1/s = 7226.04
//   attention: largest |v| = 4;                                  1.01·4 / 32639 = 1.23778e-04
//   ffn:       largest |g|·|u| = 4·4;                            1.01·16 / 32639 = 4.95113e-04, 1/s = 2019.74
// The last digits come from the int8 weights' scales, which are fp32.

!h = tensor<?x4xf32>
!kv = tensor<?x2xf32>
!ids = tensor<?xi32>
module attributes {llm.source = "MODEL", llm.model = "unit"} {
  // CHECK: llm.weight @token_embd "token_embd.weight" : tensor<4x4xf16>
  llm.weight @token_embd "token_embd.weight" : tensor<4x4xf32>
  // CHECK: llm.weight @attn_norm "blk.0.attn_norm.weight" : tensor<4xf32>
  llm.weight @attn_norm "blk.0.attn_norm.weight" : tensor<4xf32>
  // CHECK: llm.weight @attn_q "blk.0.attn_q.weight" : tensor<4x4x!quant.any<i8<-127:127>:f32>>
  llm.weight @attn_q "blk.0.attn_q.weight" : tensor<4x4xf32>
  llm.weight @attn_k "blk.0.attn_k.weight" : tensor<2x4xf32>
  llm.weight @attn_v "blk.0.attn_v.weight" : tensor<2x4xf32>
  llm.weight @attn_output "blk.0.attn_output.weight" : tensor<4x4xf32>
  llm.weight @ffn_gate "blk.0.ffn_gate.weight" : tensor<2x4xf32>
  llm.weight @ffn_up "blk.0.ffn_up.weight" : tensor<2x4xf32>
  llm.weight @ffn_down "blk.0.ffn_down.weight" : tensor<4x2xf32>
  // CHECK: llm.kv_cache
  llm.kv_cache @cache.0 {layer = 0 : i64, heads = 2 : i64, kv_heads = 1 : i64, head_dim = 2 : i64, capacity = 256 : i64}

  func.func @forward(%token: !ids, %position: !ids) -> !h {
    // CHECK: llm.embedding {{.*}} -> tensor<?x4xf32>
    %x = llm.embedding %token, @token_embd : (!ids) -> !h
    // CHECK: %[[N:.*]] = llm.rms_norm {{.*}} -> tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133{{[0-9]+}}E-5>>
    %n = llm.rms_norm %x, @attn_norm {eps = 1.0e-05 : f32} : (!h) -> !h
    // CHECK: %[[Q:.*]] = llm.linear %[[N]], @attn_q {factor = 3231.58{{[0-9]*}} : f64} {{.*}} -> tensor<?x4xf32>
    %q = llm.linear %n, @attn_q : (!h) -> !h
    // CHECK: llm.rope %[[Q]], {{.*}} -> tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 3.0944{{[0-9]+}}E-4>>
    %qr = llm.rope %q, %position {heads = 2 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (!h, !ids) -> !h
    // CHECK: llm.linear {{.*}}, @attn_k {factor = 7226.0{{[0-9]*}} : f64}
    %k = llm.linear %n, @attn_k : (!h) -> !kv
    // CHECK: llm.rope {{.*}} -> tensor<?x2x!quant.uniform<i16<-32639:32639>:f32, 1.3838{{[0-9]+}}E-4>>
    %kr = llm.rope %k, %position {heads = 1 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (!kv, !ids) -> !kv
    // CHECK: llm.linear {{.*}}, @attn_v : (tensor<?x4x!quant
    %v = llm.linear %n, @attn_v : (!h) -> !kv
    // CHECK: llm.attention {{.*}} -> tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 1.2377{{[0-9]+}}E-4>>
    %a = llm.attention %qr, %kr, %v, %position, @cache.0 : (!h, !kv, !kv, !ids) -> !h
    // CHECK: llm.linear {{.*}}, @attn_output : (tensor<?x4x!quant{{.*}} -> tensor<?x4xf32>
    %o = llm.linear %a, @attn_output : (!h) -> !h
    // CHECK: llm.add {{.*}} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %y = llm.add %o, %x : (!h, !h) -> !h
    %m = llm.rms_norm %y, @attn_norm {eps = 1.0e-05 : f32} : (!h) -> !h
    // CHECK: llm.linear {{.*}}, @ffn_gate : (tensor<?x4x!quant
    %g = llm.linear %m, @ffn_gate : (!h) -> !kv
    // CHECK: llm.linear {{.*}}, @ffn_up {factor = 2019.7{{[0-9]*}} : f64}
    %u = llm.linear %m, @ffn_up : (!h) -> !kv
    // CHECK: llm.silu_mul {{.*}} -> tensor<?x2x!quant.uniform<i16<-32639:32639>:f32, 4.9511{{[0-9]+}}E-4>>
    %s = llm.silu_mul %g, %u : (!kv, !kv) -> !kv
    // CHECK: llm.linear {{.*}}, @ffn_down : (tensor<?x2x!quant{{.*}} -> tensor<?x4xf32>
    %d = llm.linear %s, @ffn_down : (!kv) -> !h
    %z = llm.add %d, %y : (!h, !h) -> !h
    return %z : !h
  }
}
