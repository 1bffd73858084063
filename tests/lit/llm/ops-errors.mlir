// REQUIRES: lpu-opt
// RUN: lpu-opt %s -split-input-file -verify-diagnostics
// Each numbered constraint of LLMOps.td, broken once.

// expected-error @+1 {{'llm.weight' op C1: needs a static tensor of rank 1 or 2 without empty dimensions, found 'tensor<?x4xf32>'}}
llm.weight @w "w" : tensor<?x4xf32>

// -----

// expected-error @+1 {{C1: needs a static tensor of rank 1 or 2 without empty dimensions, found 'tensor<2x2x2xf32>'}}
llm.weight @w "w" : tensor<2x2x2xf32>

// -----

// expected-error @+1 {{C1: needs a static tensor of rank 1 or 2 without empty dimensions, found 'tensor<0x4xf32>'}}
llm.weight @w "w" : tensor<0x4xf32>

// -----

// expected-error @+1 {{C2: elements must be f32, f16 or a weight type of the dialect (rank 1: f32), found 'i8'}}
llm.weight @w "w" : tensor<4x4xi8>

// -----

// expected-error @+1 {{C2: elements must be f32, f16 or a weight type of the dialect (rank 1: f32), found 'f16'}}
llm.weight @w "w" : tensor<4xf16>

// -----

// expected-error @+1 {{'llm.weight' op C3: names no tensor of the weight file}}
llm.weight @w "" : tensor<4x4xf32>

// -----

// expected-error @+1 {{'llm.kv_cache' op C1: layer must be at least 0; heads, kv_heads, head_dim and capacity at least 1}}
llm.kv_cache @c {layer = 0 : i64, heads = 8 : i64, kv_heads = 0 : i64, head_dim = 8 : i64, capacity = 512 : i64}

// -----

// expected-error @+1 {{'llm.kv_cache' op C2: 3 KV heads do not divide 8 heads}}
llm.kv_cache @c {layer = 0 : i64, heads = 8 : i64, kv_heads = 3 : i64, head_dim = 8 : i64, capacity = 512 : i64}

// -----

// expected-error @+1 {{'llm.kv_cache' op C3: head_dim 7 is odd}}
llm.kv_cache @c {layer = 0 : i64, heads = 8 : i64, kv_heads = 4 : i64, head_dim = 7 : i64, capacity = 512 : i64}

// -----

// expected-error @+1 {{'llm.step' op C1: feeds 65 tokens, possible are 1 to its context of 64}}
llm.step @s prefill tokens 65 context 64

// -----

// expected-error @+1 {{'llm.step' op C1: feeds 0 tokens, possible are 1 to its context of 64}}
llm.step @s prefill tokens 0 context 64

// -----

// expected-error @+1 {{'llm.step' op C2: a decode step feeds one token, found 2}}
llm.step @s decode tokens 2 context 64

// -----

func.func @f(%t: tensor<?xi32>) {
  // expected-error @+1 {{'llm.embedding' op C1: @w is not an llm.weight of rank 2 with f32 or f16 elements}}
  %0 = llm.embedding %t, @w : (tensor<?xi32>) -> tensor<?x4xf32>
  return
}

// -----

llm.weight @w "w" : tensor<8x4xf32>
func.func @f(%t: tensor<?xi32>) {
  // expected-error @+1 {{'llm.embedding' op C2: result must be f32 and 4 wide like the table, found 'tensor<?x5xf32>'}}
  %0 = llm.embedding %t, @w : (tensor<?xi32>) -> tensor<?x5xf32>
  return
}

// -----

llm.weight @w "w" : tensor<5xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.rms_norm' op C1: @w is not an llm.weight of rank 1 with 4 elements}}
  %0 = llm.rms_norm %x, @w {eps = 1.0e-05 : f32} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

llm.weight @w "w" : tensor<4xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.rms_norm' op C2: eps must be positive and finite, found 0.000000e+00 : f32}}
  %0 = llm.rms_norm %x, @w {eps = 0.0 : f32} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

llm.weight @w "w" : tensor<4xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.rms_norm' op C3: needs an f32 input and an f32, int16 or int8 result of its shape, found 'tensor<?x4xf32>' and 'tensor<?x5xf32>'}}
  %0 = llm.rms_norm %x, @w {eps = 1.0 : f32} : (tensor<?x4xf32>) -> tensor<?x5xf32>
  return
}

// -----

llm.weight @w "w" : tensor<4xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.linear' op C1: @w is not an llm.weight of rank 2}}
  %0 = llm.linear %x, @w : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

llm.weight @w "w" : tensor<6x5xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.linear' op C2: weight is 6x5, but the input is 4 and the result 6 wide}}
  %0 = llm.linear %x, @w : (tensor<?x4xf32>) -> tensor<?x6xf32>
  return
}

// -----

llm.weight @w "w" : tensor<6x4x!quant.any<i8<-127:127>:f32>>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.linear' op C3: needs an int8 weight with an int16 input, f16 with f16 or f32 with f32}}
  %0 = llm.linear %x, @w : (tensor<?x4xf32>) -> tensor<?x6xf32>
  return
}

// -----

llm.weight @w "w" : tensor<6x4xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.linear' op C4: result must be f32, found 'tensor<?x6xf16>'}}
  %0 = llm.linear %x, @w : (tensor<?x4xf32>) -> tensor<?x6xf16>
  return
}

// -----

llm.weight @w "w" : tensor<6x4xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.linear' op C5: factor must be positive and finite, found -1.000000e+00 : f64}}
  %0 = llm.linear %x, @w {factor = -1.0 : f64} : (tensor<?x4xf32>) -> tensor<?x6xf32>
  return
}

// -----

llm.weight @w "w" : tensor<6x4xf32>
llm.weight @b "b" : tensor<4xf32>
func.func @f(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{'llm.linear' op C6: @b is not an f32 llm.weight of rank 1 with 6 elements}}
  %0 = llm.linear %x, @w {bias = @b} : (tensor<?x4xf32>) -> tensor<?x6xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.rope' op C1: 3 heads of even width 2 do not make up the input's width 8}}
  %0 = llm.rope %x, %p {heads = 3 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.rope' op C1: 8 heads of even width 1 do not make up the input's width 8}}
  %0 = llm.rope %x, %p {heads = 8 : i64, head_dim = 1 : i64, base = 1.0e+04 : f64} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.rope' op C2: base must be positive and finite, found 0.000000e+00 : f64}}
  %0 = llm.rope %x, %p {heads = 4 : i64, head_dim = 2 : i64, base = 0.0 : f64} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

llm.weight @w "w" : tensor<4xf32>
func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.rope' op C3: @w is not an llm.weight of rank 1 with 1 elements}}
  %0 = llm.rope %x, %p {heads = 4 : i64, head_dim = 2 : i64, base = 1.0 : f64, freqs = @w} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.rope' op C4: needs an f32 input and an f32 or integer result of its shape, found 'tensor<?x8xf32>' and 'tensor<?x8xf16>'}}
  %0 = llm.rope %x, %p {heads = 4 : i64, head_dim = 2 : i64, base = 1.0 : f64} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf16>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.attention' op C1: @c is not an llm.kv_cache}}
  %0 = llm.attention %x, %x, %x, %p, @c : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

llm.kv_cache @c {layer = 0 : i64, heads = 4 : i64, kv_heads = 2 : i64, head_dim = 2 : i64, capacity = 16 : i64}
func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.attention' op C2: the cache needs query and result 8, key and value 4 wide, found 8, 8, 8 and 8}}
  %0 = llm.attention %x, %x, %x, %p, @c : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

llm.kv_cache @c {layer = 0 : i64, heads = 4 : i64, kv_heads = 4 : i64, head_dim = 2 : i64, capacity = 16 : i64}
func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.attention' op C3: query, key and result must be all f32 or all int16 and value f32}}
  %0 = llm.attention %x, %x, %x, %p, @c : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8x!quant.uniform<i16<-32639:32639>:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %y: tensor<?x9xf32>) {
  // expected-error @+1 {{'llm.silu_mul' op C1: needs f32 gate and up and a result of one shape}}
  %0 = llm.silu_mul %x, %y : (tensor<?x8xf32>, tensor<?x9xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.silu_mul' op C2: result must be f32, int16 or int8, found 'tensor<?x8x!quant.uniform<i8:f32, 1.000000e+00>>'}}
  %0 = llm.silu_mul %x, %x : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %y: tensor<?x9xf32>) {
  // expected-error @+1 {{'llm.add' op C1: operands and result must have one f32 type, found 'tensor<?x8xf32>', 'tensor<?x9xf32>' and 'tensor<?x8xf32>'}}
  %0 = llm.add %x, %y : (tensor<?x8xf32>, tensor<?x9xf32>) -> tensor<?x8xf32>
  return
}

// -----

// expected-error @+1 {{'llm.weight' op C4: 2 pieces of 3 do not hold 8}}
llm.weight @w "w" rows <2 of 8> : tensor<3x4xf32>

// -----

// expected-error @+1 {{C1: 0 pieces of 8, both are at least 1}}
llm.weight @w "w" columns <0 of 8> : tensor<3x4xf32>

// -----

// expected-error @+1 {{'llm.kv_cache' op C4: heads_cut and query_group come together}}
llm.kv_cache @c {layer = 0 : i64, heads = 2 : i64, kv_heads = 2 : i64, head_dim = 8 : i64, capacity = 512 : i64, heads_cut = #llm.cut<2 of 4>}

// -----

// expected-error @+1 {{'llm.kv_cache' op C4: 2 pieces of 2 do not hold 5}}
llm.kv_cache @c {layer = 0 : i64, heads = 2 : i64, kv_heads = 2 : i64, head_dim = 8 : i64, capacity = 512 : i64, heads_cut = #llm.cut<2 of 5>, query_group = 1 : i64}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.all_gather' op C1: 2 pieces of 8 elements do not make up 20}}
  %y = llm.all_gather %x 2 pieces : (tensor<?x8xf32>) -> tensor<?x20xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.all_gather' op C2: piece and result must have one element type}}
  %y = llm.all_gather %x 2 pieces : (tensor<?x8xf32>) -> tensor<?x16xf16>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.send' op C1: needs one link or several different ones, numbered from 0}}
  llm.send %x links [1, 1] : tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf16>) {
  // expected-error @+1 {{'llm.send' op C2: sends f32}}
  llm.send %x links [1] : tensor<?x8xf16>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.receive' op C1: needs one link or several different ones, numbered from 0}}
  %x = llm.receive links [] : tensor<?x8xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.receive' op C2: receives f32}}
  %x = llm.receive links [0] : tensor<?x8xf16>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.receive' op C3: 2 pieces of 8 do not hold 17}}
  %x = llm.receive links [0] piece <2 of 17> : tensor<?x8xf32>
  return
}

// -----

llm.weight @w "w" : tensor<3xf32>
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.head_norm' op C1: @w is not an llm.weight of rank 1 that heads of an input of 8 elements can have}}
  %0 = llm.head_norm %x, @w {eps = 1.0e-06 : f32} : tensor<?x8xf32>
  return
}

// -----

llm.weight @w "w" : tensor<4xf32>
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.head_norm' op C2: eps must be positive and finite, found 0.000000e+00 : f32}}
  %0 = llm.head_norm %x, @w {eps = 0.0 : f32} : tensor<?x8xf32>
  return
}

// -----

llm.weight @w "w" : tensor<4xf32>
func.func @f(%x: tensor<?x8xf16>) {
  // expected-error @+1 {{'llm.head_norm' op C3: input must be f32, found 'tensor<?x8xf16>'}}
  %0 = llm.head_norm %x, @w {eps = 1.0e-06 : f32} : tensor<?x8xf16>
  return
}

// -----

llm.weight @w "w" : tensor<4xf32>
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.head_norm' op C4: scale must be positive and finite, found -1.000000e+00 : f64}}
  %0 = llm.head_norm %x, @w {eps = 1.0e-06 : f32, scale = -1.0 : f64} : tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.rope' op C5: magnitude must be positive and finite, found 0.000000e+00 : f64}}
  %0 = llm.rope %x, %p {heads = 4 : i64, head_dim = 2 : i64, base = 1.0 : f64, magnitude = 0.0 : f64} : (tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

// expected-error @+1 {{'llm.kv_cache' op C5: window must be at least 1}}
llm.kv_cache @c {layer = 0 : i64, heads = 2 : i64, kv_heads = 1 : i64, head_dim = 8 : i64, capacity = 64 : i64, window = 0 : i64}

// -----

llm.weight @w "w" : tensor<8xf32>
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.rms_norm' op C4: factor must be positive and finite, found 0.000000e+00 : f64}}
  %0 = llm.rms_norm %x, @w {eps = 1.0e-06 : f32, factor = 0.0 : f64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

llm.weight @w "w" : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.linear' op C7: cap must be positive and finite, found -1.000000e+00 : f64}}
  %0 = llm.linear %x, @w {cap = -1.0 : f64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

llm.kv_cache @c {layer = 0 : i64, heads = 1 : i64, kv_heads = 1 : i64, head_dim = 8 : i64, capacity = 64 : i64}
func.func @f(%x: tensor<?x8xf32>, %p: tensor<?xi32>) {
  // expected-error @+1 {{'llm.attention' op C5: cap must be positive and finite, found 0.000000e+00 : f64}}
  %0 = llm.attention %x, %x, %x, %p, @c {cap = 0.0 : f64} : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'llm.send' op C3: pieces of 16 elements are not those of 'tensor<?x8xf32>'}}
  llm.send %x links [1] piece <2 of 16> : tensor<?x8xf32>
  return
}
