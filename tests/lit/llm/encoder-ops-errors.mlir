// REQUIRES: lpu-opt
// RUN: lpu-opt %s -split-input-file -verify-diagnostics
// Each numbered constraint of the operations of encoders, broken once.

// expected-error @+1 {{'llm.step' op C3: an encode step feeds its context of 64 tokens, found 32}}
llm.step @encode_64 encode tokens 32 context 64

// -----

llm.weight @t "t" : tensor<8x4xf32>
llm.weight @v "v" : tensor<4xf32>
func.func @f(%t: tensor<?xi32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{C1: @v is not an llm.weight of rank 2 with f32 or f16 elements}}
  %x = llm.embedding_sum %t, %t, @t, @v : (tensor<?xi32>, tensor<?xi32>) -> tensor<?x4xf32>
  return %x : tensor<?x4xf32>
}

// -----

llm.weight @t "t" : tensor<8x4xf32>
llm.weight @p "p" : tensor<8x2xf32>
func.func @f(%t: tensor<?xi32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{C2: result must be f32 and 2 wide like table @p, found 'tensor<?x4xf32>'}}
  %x = llm.embedding_sum %t, %t, @t, @p : (tensor<?xi32>, tensor<?xi32>) -> tensor<?x4xf32>
  return %x : tensor<?x4xf32>
}

// -----

llm.weight @g "g" : tensor<4xf32>
llm.weight @b "b" : tensor<3xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: @b is not an llm.weight of rank 1 with 4 elements}}
  %n = llm.layer_norm %x, @g, @b {eps = 1.0e-12 : f32} : tensor<?x4xf32>
  return
}

// -----

llm.weight @g "g" : tensor<4xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: eps must be positive and finite, found 0.000000e+00 : f32}}
  %n = llm.layer_norm %x, @g, @g {eps = 0.0 : f32} : tensor<?x4xf32>
  return
}

// -----

llm.weight @g "g" : tensor<4xf32>
func.func @f(%x: tensor<?x4xf16>) {
  // expected-error @+1 {{C3: needs an f32 input, found 'tensor<?x4xf16>'}}
  %n = llm.layer_norm %x, @g, @g {eps = 1.0e-12 : f32} : tensor<?x4xf16>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: needs an f32 or int16 input and an int16 result of its shape, found 'tensor<?x4xf32>' and 'tensor<?x5xf32>'}}
  %q = llm.quantize %x : tensor<?x4xf32> -> tensor<?x5xf32>
  return
}

// -----

!q = tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 0.5>>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: low and high must come together, around 0 and within 32639 of it}}
  %q = llm.quantize %x {low = 3 : i32, high = 5 : i32} : tensor<?x4xf32> -> !q
  return
}

// -----

!q = tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 0.5>>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: low and high must come together}}
  %q = llm.quantize %x {low = -3 : i32} : tensor<?x4xf32> -> !q
  return
}

// -----

func.func @f(%x: tensor<?x4xf16>) {
  // expected-error @+1 {{'llm.gelu' op C1: input and result must be f32, found 'tensor<?x4xf16>'}}
  %y = llm.gelu %x : tensor<?x4xf16>
  return
}

// -----

func.func @f(%x: tensor<?x4xf16>) {
  // expected-error @+1 {{'llm.tanh' op C1: input and result must be f32, found 'tensor<?x4xf16>'}}
  %y = llm.tanh %x : tensor<?x4xf16>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: result must be the input's type with one row, found 'tensor<?x4xf32>' and 'tensor<2x4xf32>'}}
  %y = llm.first %x : tensor<?x4xf32> -> tensor<2x4xf32>
  return
}

// -----

!x = tensor<?x4xf32>
func.func @f(%x: !x) {
  // expected-error @+1 {{C1: queries, keys, values and result must have one shape of a width that 3 heads divide}}
  %y = llm.self_attention %x, %x, %x {heads = 3 : i64, scale = 1.0 : f64} : !x, !x, !x -> !x
  return
}

// -----

!x = tensor<?x4xf32>
!q = tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 0.5>>
!r = tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 0.25>>
func.func @f(%q: !q) {
  // expected-error @+1 {{C2: needs all f32, or all int16 with one scale for values and result}}
  %y = llm.self_attention %q, %q, %q {heads = 2 : i64, scale = 1.0 : f64} : !q, !q, !q -> !r
  return
}

// -----

!x = tensor<?x4xf32>
func.func @f(%x: !x) {
  // expected-error @+1 {{C3: scale must be positive and finite, found -1.000000e+00 : f64}}
  %y = llm.self_attention %x, %x, %x {heads = 2 : i64, scale = -1.0 : f64} : !x, !x, !x -> !x
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C2: slope must be positive and finite, found -1.000000e+00 : f64}}
  %h = llm.silu %x {slope = -1.0 : f64} : tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{C1: input and result must be f32 and equally wide, the result with one row, found}}
  %h = llm.mean %x : tensor<?x4xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4xf16>) {
  // expected-error @+1 {{C1: input and result must be f32, found}}
  %h = llm.normalize %x : tensor<?x4xf16>
  return
}
