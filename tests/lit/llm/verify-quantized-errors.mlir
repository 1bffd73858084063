// REQUIRES: lpu-opt
// RUN: lpu-opt %s --llm-verify-quantized -split-input-file -verify-diagnostics

// expected-error @+1 {{there is no function @forward}}
module {
}

// -----

// expected-error @+1 {{must be (tensor<?xi32>, tensor<?xi32>) -> tensor<?xVxf32>, found '(tensor<?xi32>) -> tensor<?xi32>'}}
func.func @forward(%token: tensor<?xi32>) -> tensor<?xi32> {
  return %token : tensor<?xi32>
}

// -----

llm.weight @e "e" : tensor<4x4xf32>
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{'llm.embedding' op has a float table, run llm-quantize first}}
  %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x4xf32>
  return %x : tensor<?x4xf32>
}

// -----

llm.weight @e "e" : tensor<4x4xf16>
llm.weight @n "n" : tensor<4xf32>
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x4xf32> {
  %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x4xf32>
  // expected-error @+1 {{'llm.rms_norm' op has a float result, run llm-quantize first}}
  %n = llm.rms_norm %x, @n {eps = 1.0e-05 : f32} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %n : tensor<?x4xf32>
}

// -----

llm.weight @e "e" : tensor<4x4xf16>
llm.weight @w "w" : tensor<4x4xf32>
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x4xf32> {
  %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x4xf32>
  // expected-error @+1 {{'llm.linear' op has a float input, run llm-quantize first}}
  %y = llm.linear %x, @w : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

!q = tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 0.5>>
llm.weight @e "e" : tensor<4x4xf16>
llm.weight @n "n" : tensor<4xf32>
llm.weight @w "w" : tensor<4x4x!quant.any<i8<-127:127>:f32>>
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x4xf32> {
  %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x4xf32>
  %n = llm.rms_norm %x, @n {eps = 1.0e-05 : f32} : (tensor<?x4xf32>) -> !q
  %y = llm.linear %n, @w {factor = 3.0 : f64} : (!q) -> tensor<?x4xf32>
  // expected-error @+1 {{'llm.rope' op needs an operand made by llm.linear with factor 1/scale = 2.000000e+00, found 3.000000e+00}}
  %r = llm.rope %y, %position {heads = 2 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x4xf32>, tensor<?xi32>) -> !q
  return %y : tensor<?x4xf32>
}

// -----

!q = tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 0.5>>
llm.weight @e "e" : tensor<4x4xf16>
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x4xf32> {
  %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x4xf32>
  // expected-error @+1 {{'llm.silu_mul' op needs an operand made by llm.linear with factor 1/scale = 2.000000e+00}}
  %h = llm.silu_mul %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> !q
  return %x : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{no llm.step is planned, run llm-plan-steps first}}
module {
  llm.weight @e "e" : tensor<4x4xf16>
  func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x4xf32> {
    %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x4xf32>
    return %x : tensor<?x4xf32>
  }
}

// -----

llm.weight @e "e" : tensor<4x4xf16>
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x4xf32> {
  %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x4xf32>
  // expected-error @+1 {{'builtin.unrealized_conversion_cast' op does not belong into a quantized model}}
  %y = builtin.unrealized_conversion_cast %x : tensor<?x4xf32> to tensor<?x4xf32>
  return %x : tensor<?x4xf32>
}
