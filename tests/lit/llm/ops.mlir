// REQUIRES: lpu-opt
// RUN: lpu-opt %s | lpu-opt | FileCheck %s
// Every operation in float and quantized form prints as it is read; these are the examples of LLMOps.td.

!x = tensor<?x64xf32>
!q = tensor<?x64x!quant.uniform<i16<-32639:32639>:f32, 1.250000e-04>>

// CHECK: module attributes {llm.model = "m", llm.source = "m.gguf"}
module attributes {llm.source = "m.gguf", llm.model = "m"} {
  // CHECK: llm.weight @token_embd "token_embd.weight" : tensor<512x64xf16>
  llm.weight @token_embd "token_embd.weight" : tensor<512x64xf16>
  // CHECK: llm.weight @blk.0.attn_norm "blk.0.attn_norm.weight" : tensor<64xf32>
  llm.weight @blk.0.attn_norm "blk.0.attn_norm.weight" : tensor<64xf32>
  // CHECK: llm.weight @blk.0.attn_q "blk.0.attn_q.weight" : tensor<64x64xf32>
  llm.weight @blk.0.attn_q "blk.0.attn_q.weight" : tensor<64x64xf32>
  // CHECK: llm.weight @blk.0.attn_q8 "blk.0.attn_q.weight" : tensor<64x64x!quant.any<i8<-127:127>:f32>>
  llm.weight @blk.0.attn_q8 "blk.0.attn_q.weight" : tensor<64x64x!quant.any<i8<-127:127>:f32>>
  llm.weight @rope_freqs "rope_freqs.weight" : tensor<4xf32>
  llm.weight @blk.0.attn_q_norm "blk.0.attn_q_norm.weight" : tensor<8xf32>
  // CHECK: llm.kv_cache @cache.0 {capacity = 512 : i64, head_dim = 8 : i64, heads = 8 : i64, kv_heads = 4 : i64, layer = 0 : i64}
  llm.kv_cache @cache.0 {layer = 0 : i64, heads = 8 : i64, kv_heads = 4 : i64, head_dim = 8 : i64, capacity = 512 : i64}
  // CHECK: llm.step @decode_64 decode tokens 1 context 64
  llm.step @decode_64 decode tokens 1 context 64
  // CHECK: llm.step @prefill_8x64 prefill tokens 8 context 64
  llm.step @prefill_8x64 prefill tokens 8 context 64

  // CHECK-LABEL: func.func @real
  func.func @real(%token: tensor<?xi32>, %position: tensor<?xi32>, %kv: tensor<?x32xf32>, %g: tensor<?x172xf32>) {
    // CHECK: llm.embedding %{{.*}}, @token_embd : (tensor<?xi32>) -> tensor<?x64xf32>
    %x = llm.embedding %token, @token_embd : (tensor<?xi32>) -> !x
    // CHECK: llm.rms_norm %{{.*}}, @blk.0.attn_norm {eps = 9.99999974E-6 : f32} : (tensor<?x64xf32>) -> tensor<?x64xf32>
    %n = llm.rms_norm %x, @blk.0.attn_norm {eps = 1.0e-05 : f32} : (!x) -> !x
    // CHECK: llm.linear %{{.*}}, @blk.0.attn_q : (tensor<?x64xf32>) -> tensor<?x64xf32>
    %q = llm.linear %n, @blk.0.attn_q : (!x) -> !x
    // CHECK: llm.head_norm %{{.*}}, @blk.0.attn_q_norm {eps = 9.99999997E-7 : f32} : tensor<?x64xf32>
    %hn = llm.head_norm %q, @blk.0.attn_q_norm {eps = 1.0e-06 : f32} : !x
    // CHECK: llm.rope %{{.*}}, %{{.*}} {base = 1.000000e+04 : f64, head_dim = 8 : i64, heads = 8 : i64} : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
    %r = llm.rope %q, %position {heads = 8 : i64, head_dim = 8 : i64, base = 1.0e+04 : f64} : (!x, tensor<?xi32>) -> !x
    // CHECK: freqs = @rope_freqs, head_dim = 8 : i64, heads = 8 : i64, magnitude = 1.250000e+00 : f64
    %rf = llm.rope %q, %position {heads = 8 : i64, head_dim = 8 : i64, base = 1.0e+04 : f64, freqs = @rope_freqs, magnitude = 1.25 : f64} : (!x, tensor<?xi32>) -> !x
    // CHECK: llm.attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, @cache.0 : (tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi32>) -> tensor<?x64xf32>
    %a = llm.attention %r, %kv, %kv, %position, @cache.0 : (!x, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi32>) -> !x
    // CHECK: llm.rope {{.*}}, still} :
    %rs = llm.rope %q, %position {heads = 8 : i64, head_dim = 8 : i64, base = 1.0e+04 : f64, still} : (!x, tensor<?xi32>) -> !x
    // CHECK: llm.attention {{.*}} {scale = 1.562500e-02 : f64}
    %as = llm.attention %r, %kv, %kv, %position, @cache.0 {scale = 0.015625 : f64} : (!x, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi32>) -> !x
    // CHECK: llm.silu_mul %{{.*}}, %{{.*}} : (tensor<?x172xf32>, tensor<?x172xf32>) -> tensor<?x172xf32>
    %h = llm.silu_mul %g, %g : (tensor<?x172xf32>, tensor<?x172xf32>) -> tensor<?x172xf32>
    // CHECK: llm.silu_mul %{{.*}}, %{{.*}} {gelu} : (tensor<?x172xf32>, tensor<?x172xf32>) -> tensor<?x172xf32>
    %hg = llm.silu_mul %g, %g {gelu} : (tensor<?x172xf32>, tensor<?x172xf32>) -> tensor<?x172xf32>
    // CHECK: llm.attention {{.*}} {cap = 5.000000e+01 : f64}
    %ac = llm.attention %r, %kv, %kv, %position, @cache.0 {cap = 50.0 : f64} : (!x, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi32>) -> !x
    // CHECK: llm.linear {{.*}} {cap = 3.000000e+01 : f64}
    %lc = llm.linear %n, @blk.0.attn_q {cap = 30.0 : f64} : (!x) -> !x
    // CHECK: llm.quantize %{{.*}} : tensor<?x64xf32> -> tensor<?x64xf32>
    %qx = llm.quantize %x : !x -> !x
    // CHECK: llm.rms_norm %{{.*}}, @blk.0.attn_norm {eps = 9.99999974E-6 : f32, factor = 5.000000e-01 : f64}
    %nb = llm.rms_norm %a, @blk.0.attn_norm {eps = 1.0e-05 : f32, factor = 0.5 : f64} : (!x) -> !x
    // CHECK: llm.add %{{.*}}, %{{.*}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
    %y = llm.add %a, %x : (!x, !x) -> !x
    return
  }

  // CHECK-LABEL: func.func @quantized
  func.func @quantized(%x: !x, %position: tensor<?xi32>, %k: tensor<?x32x!quant.uniform<i16<-32639:32639>:f32, 2.5e-04>>, %v: tensor<?x32xf32>) {
    // CHECK: llm.rms_norm {{.*}} -> tensor<?x64x!quant.uniform<i16<-32639:32639>:f32, 1.250000e-04>>
    %n = llm.rms_norm %x, @blk.0.attn_norm {eps = 1.0e-05 : f32} : (!x) -> !q
    // CHECK: llm.linear %{{.*}}, @blk.0.attn_q8 {factor = 8.000000e+03 : f64} : (tensor<?x64x!quant.uniform<i16<-32639:32639>:f32, 1.250000e-04>>) -> tensor<?x64xf32>
    %q = llm.linear %n, @blk.0.attn_q8 {factor = 8.0e+03 : f64} : (!q) -> !x
    %r = llm.rope %q, %position {heads = 8 : i64, head_dim = 8 : i64, base = 1.0e+04 : f64} : (!x, tensor<?xi32>) -> !q
    // CHECK: llm.attention {{.*}} -> tensor<?x64x!quant.uniform<i16<-32639:32639>:f32, 1.250000e-04>>
    %a = llm.attention %r, %k, %v, %position, @cache.0 : (!q, tensor<?x32x!quant.uniform<i16<-32639:32639>:f32, 2.5e-04>>, tensor<?x32xf32>, tensor<?xi32>) -> !q
    %h = llm.silu_mul %x, %x : (!x, !x) -> !q
    return
  }

  // CHECK: llm.weight @part "blk.0.attn_q.weight" rows <8 of 64> columns <2 of 32> : tensor<8x16xf32>
  llm.weight @part "blk.0.attn_q.weight" rows <8 of 64> columns <2 of 32> : tensor<8x16xf32>
  // CHECK: heads_cut = #llm.cut<4 of 8>, kv_heads = 1 : i64, layer = 1 : i64, query_group = 2 : i64
  llm.kv_cache @cache.1 {layer = 1 : i64, heads = 2 : i64, kv_heads = 1 : i64, head_dim = 8 : i64, capacity = 512 : i64, heads_cut = #llm.cut<4 of 8>, query_group = 2 : i64}
  // CHECK: window = 128 : i64
  llm.kv_cache @cache.2 {layer = 2 : i64, heads = 8 : i64, kv_heads = 4 : i64, head_dim = 8 : i64, capacity = 512 : i64, window = 128 : i64}
  // CHECK-LABEL: func.func @between
  func.func @between(%x: !x, %own: tensor<?x8xf32>) {
    // CHECK: llm.all_gather %{{.*}} 8 pieces : (tensor<?x8xf32>) -> tensor<?x64xf32>
    %all = llm.all_gather %own 8 pieces : (tensor<?x8xf32>) -> !x
    // CHECK: llm.send %{{.*}} links [10] : tensor<?x64xf32>
    llm.send %x links [10] : !x
    // CHECK: llm.send %{{.*}} links [9] piece <8 of 64> : tensor<?x64xf32>
    llm.send %x links [9] piece <8 of 64> : !x
    // CHECK: llm.receive links [7] piece <8 of 64> : tensor<?x8xf32>
    %in = llm.receive links [7] piece <8 of 64> : tensor<?x8xf32>
    return
  }
}
