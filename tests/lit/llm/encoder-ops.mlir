// REQUIRES: lpu-opt
// RUN: lpu-opt %s | lpu-opt | FileCheck %s
// RUN: lpu-opt %s --llm-verify-quantized | FileCheck %s
// The operations of encoders print as they are read; the module is a quantized encoder as llm-verify-quantized wants it.

!x = tensor<?x64xf32>
!q = tensor<?x64x!quant.uniform<i16<-32639:32639>:f32, 1.250000e-04>>
!u = tensor<?x64x!quant.uniform<i16<-32639:32639>:f32, 5.000000e-02>>

// CHECK: module attributes {llm.outputs = ["hidden", "pooled"], llm.sequence = 128 : i64}
module attributes {llm.outputs = ["hidden", "pooled"], llm.sequence = 128 : i64} {
  llm.weight @words "words" : tensor<512x64xf16>
  llm.weight @positions "positions" : tensor<128x64xf16>
  llm.weight @types "types" : tensor<2x64xf16>
  llm.weight @gain "gain" : tensor<64xf32>
  llm.weight @offset "offset" : tensor<64xf32>
  llm.weight @w "w" : tensor<64x64x!quant.any<i8<-127:127>:f32>>
  // CHECK: llm.step @encode_128 encode tokens 128 context 128
  llm.step @encode_128 encode tokens 128 context 128
  // CHECK-LABEL: func.func @forward
  func.func @forward(%token: tensor<?xi32>, %type: tensor<?xi32>) -> (!x, tensor<1x64xf32>) {
    // CHECK: llm.embedding_sum %{{.*}}, %{{.*}}, @words, @positions types @types : (tensor<?xi32>, tensor<?xi32>) -> tensor<?x64xf32>
    %e = llm.embedding_sum %token, %type, @words, @positions types @types : (tensor<?xi32>, tensor<?xi32>) -> !x
    // CHECK: llm.layer_norm %{{.*}}, @gain, @offset {eps = 9.99999996E-13 : f32} : tensor<?x64xf32>
    %n = llm.layer_norm %e, @gain, @offset {eps = 1.0e-12 : f32} : !x
    // CHECK: llm.quantize %{{.*}} : tensor<?x64xf32> -> tensor<?x64x!quant.uniform
    %q = llm.quantize %n : !x -> !q
    // CHECK: llm.quantize %{{.*}} {high = 127 : i32, low = -128 : i32} : tensor<?x64xf32> ->
    %u = llm.quantize %n {low = -128 : i32, high = 127 : i32} : !x -> !u
    %y = llm.linear %u, @w {bias = @offset} : (!u) -> !x
    %yq = llm.quantize %y : !x -> !q
    // CHECK: llm.self_attention %{{.*}}, %{{.*}}, %{{.*}} {heads = 4 : i64, scale = 2.500000e-01 : f64} :
    %a = llm.self_attention %q, %q, %yq {heads = 4 : i64, scale = 2.5e-01 : f64} : !q, !q, !q -> !q
    %o = llm.linear %a, @w : (!q) -> !x
    %s = llm.add %o, %n : (!x, !x) -> !x
    // CHECK: llm.gelu %{{.*}} : tensor<?x64xf32>
    %g = llm.gelu %s : !x
    // CHECK: llm.gelu %{{.*}} {approximate} : tensor<?x64xf32>
    %h = llm.gelu %g {approximate} : !x
    // CHECK: llm.relu %{{.*}} : tensor<?x64xf32>
    %r = llm.relu %h : !x
    // CHECK: llm.sigmoid %{{.*}} : tensor<?x64xf32>
    %sig = llm.sigmoid %r : !x
    // CHECK: llm.silu %{{.*}} {slope = 1.702000e+00 : f64} : tensor<?x64xf32>
    %silu = llm.silu %sig {slope = 1.702 : f64} : !x
    // CHECK: llm.mean %{{.*}} : tensor<?x64xf32> -> tensor<1x64xf32>
    %mean = llm.mean %silu : !x -> tensor<1x64xf32>
    // CHECK: llm.normalize %{{.*}} : tensor<1x64xf32>
    %unit = llm.normalize %mean : tensor<1x64xf32>
    // CHECK: llm.first %{{.*}} : tensor<?x64xf32> -> tensor<1x64xf32>
    %f = llm.first %h : !x -> tensor<1x64xf32>
    // CHECK: llm.tanh %{{.*}} : tensor<1x64xf32>
    %t = llm.tanh %f : tensor<1x64xf32>
    return %h, %t : !x, tensor<1x64xf32>
  }
}
