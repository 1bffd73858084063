// REQUIRES: lpu-opt
// RUN: split-file %s %t.d
// RUN: not lpu-opt %t.d/empty.mlir --convert-llm-to-stream 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not lpu-opt %t.d/empty.mlir --convert-llm-to-stream=target=none 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not lpu-opt %t.d/foreign.mlir --convert-llm-to-stream 2>&1 | FileCheck %s --check-prefix=FOREIGN
// RUN: not lpu-opt %t.d/tokens.mlir --convert-llm-to-stream=target=small 2>&1 | FileCheck %s --check-prefix=TOKENS
// RUN: sed 's/planes_per_side: 2 .*/planes_per_side: 1/' %machines/small.yaml > %t.planes.yaml
// RUN: not lpu-opt %t.d/empty.mlir --convert-llm-to-stream=target=%t.planes.yaml 2>&1 | FileCheck %s --check-prefix=PLANES
// RUN: sed 's/slices_per_side: 28 .*/slices_per_side: 27/' %machines/small.yaml > %t.slices.yaml
// RUN: not lpu-opt %t.d/empty.mlir --convert-llm-to-stream=target=%t.slices.yaml 2>&1 | FileCheck %s --check-prefix=SLICES
// RUN: sed 's/alus: 16 .*/alus: 15/' %machines/small.yaml > %t.alus.yaml
// RUN: not lpu-opt %t.d/empty.mlir --convert-llm-to-stream=target=%t.alus.yaml 2>&1 | FileCheck %s --check-prefix=ALUS
// RUN: sed 's/rows_per_bank: 1024.*/rows_per_bank: 1000/' %machines/small.yaml > %t.rows.yaml
// RUN: not lpu-opt %t.d/empty.mlir --convert-llm-to-stream=target=%t.rows.yaml 2>&1 | FileCheck %s --check-prefix=ROWS
// RUN: not lpu-opt %t.d/heads.mlir --convert-llm-to-stream=target=small 2>&1 | FileCheck %s --check-prefix=HEADS

// EMPTY: error: there is no @forward to lower; run llm-quantize and llm-plan-steps first
// TARGET: error: none: neither a machine preset (tsp1, small, tsp1-int4, lp30) nor a readable file
// FOREIGN: error: 'builtin.unrealized_conversion_cast' op has no lowering to the stream dialect
// PLANES: error: the mapping uses two MXM planes a side, machine 'small' has 1
// SLICES: error: the mapping needs 16 MEM slices a side for weights and 12 for activations, machine 'small' has 27
// ALUS: error: the attention sweep needs 16 ALUs, machine 'small' has 15
// ROWS: error: embedding look-up needs a power of two of rows per bank, machine 'small' has 1000
// 700 inputs are 11 vectors of 64 lanes; two halves of 128 activation rows, two rows a vector: 128 / 4 / 11 = 2 tokens.
// TOKENS: error: feeds 3 tokens, but the activation rows of 'small' hold the widest layer for 2
// HEADS: error: 'llm.linear' op heads of 66 elements do not fit a vector of 64 lanes

//--- empty.mlir
module {
}
//--- foreign.mlir
module attributes {llm.source = "m.gguf", llm.model = "m"} {
  llm.step @decode_64 decode tokens 1 context 64
  func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x10xf32> {
    %y = builtin.unrealized_conversion_cast %token : tensor<?xi32> to tensor<?x10xf32>
    return %y : tensor<?x10xf32>
  }
}
//--- tokens.mlir
!q = tensor<?x700x!quant.uniform<i16<-32639:32639>:f32, 1.0e-03>>
module attributes {llm.source = "m.gguf", llm.model = "m"} {
  llm.weight @e "token_embd.weight" : tensor<25x700xf16>
  llm.weight @g "output_norm.weight" : tensor<700xf32>
  llm.weight @w "output.weight" : tensor<10x700x!quant.any<i8<-127:127>:f32>>
  llm.step @prefill_3x64 prefill tokens 3 context 64
  func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x10xf32> {
    %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x700xf32>
    %n = llm.rms_norm %x, @g {eps = 1.0e-05 : f32} : (tensor<?x700xf32>) -> !q
    %y = llm.linear %n, @w : (!q) -> tensor<?x10xf32>
    return %y : tensor<?x10xf32>
  }
}
//--- heads.mlir
!n = tensor<?x8x!quant.uniform<i16<-32639:32639>:f32, 1.0e-03>>
!q = tensor<?x66x!quant.uniform<i16<-32639:32639>:f32, 1.0e-03>>
module attributes {llm.source = "m.gguf", llm.model = "m"} {
  llm.weight @e "token_embd.weight" : tensor<25x8xf16>
  llm.weight @g "blk.0.attn_norm.weight" : tensor<8xf32>
  llm.weight @w "blk.0.attn_q.weight" : tensor<66x8x!quant.any<i8<-127:127>:f32>>
  llm.kv_cache @cache.0 {capacity = 8 : i64, head_dim = 66 : i64, heads = 1 : i64, kv_heads = 1 : i64, layer = 0 : i64}
  llm.step @decode_8 decode tokens 1 context 8
  func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x66xf32> {
    %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x8xf32>
    %n = llm.rms_norm %x, @g {eps = 1.0e-05 : f32} : (tensor<?x8xf32>) -> !n
    %l = llm.linear %n, @w {factor = 1.0e+03 : f64} : (!n) -> tensor<?x66xf32>
    %q = llm.rope %l, %position {base = 1.0e+04 : f64, head_dim = 66 : i64, heads = 1 : i64} : (tensor<?x66xf32>, tensor<?xi32>) -> !q
    %v = llm.linear %n, @w : (!n) -> tensor<?x66xf32>
    %a = llm.attention %q, %q, %v, %position, @cache.0 : (!q, !q, tensor<?x66xf32>, tensor<?xi32>) -> !q
    return %l : tensor<?x66xf32>
  }
}
