// REQUIRES: lpu-opt
// RUN: lpu-opt %s --llm-verify-quantized | FileCheck %s
// A quantized model passes and is left as it is.

!q = tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 0.5>>
!x = tensor<?x4xf32>
// CHECK: llm.weight @token_embd
llm.weight @token_embd "token_embd.weight" : tensor<4x4xf16>
llm.weight @n "n" : tensor<4xf32>
llm.weight @w "w" : tensor<4x4x!quant.any<i8<-127:127>:f32>>
llm.kv_cache @c {layer = 0 : i64, heads = 2 : i64, kv_heads = 2 : i64, head_dim = 2 : i64, capacity = 64 : i64}
llm.step @decode_64 decode tokens 1 context 64
// CHECK: func.func @forward
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> !x {
  %x = llm.embedding %token, @token_embd : (tensor<?xi32>) -> !x
  %n = llm.rms_norm %x, @n {eps = 1.0e-05 : f32} : (!x) -> !q
  %y = llm.linear %n, @w {factor = 2.0 : f64} : (!q) -> !x
  %r = llm.rope %y, %position {heads = 2 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (!x, tensor<?xi32>) -> !q
  %v = llm.linear %n, @w : (!q) -> !x
  %a = llm.attention %r, %r, %v, %position, @c : (!q, !q, !x, tensor<?xi32>) -> !q
  %u = llm.linear %a, @w {factor = 2.0 : f64} : (!q) -> !x
  %h = llm.silu_mul %v, %u : (!x, !x) -> !q
  %d = llm.linear %h, @w : (!q) -> !x
  // CHECK: llm.add
  %z = llm.add %d, %x : (!x, !x) -> !x
  return %z : !x
}
