// REQUIRES: lpu-opt
// RUN: python3 %S/Inputs/make-gguf.py %t.gguf
// RUN: split-file %s %t.d
// RUN: sed "s#MODEL#%t.gguf#" %t.d/no-source.mlir   | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=NO-SOURCE
// RUN: sed "s#MODEL#%t.gguf#" %t.d/no-file.mlir     | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=NO-FILE
// RUN: sed "s#MODEL#%t.gguf#" %t.d/no-forward.mlir  | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=NO-FORWARD
// RUN: sed "s#MODEL#%t.gguf#" %t.d/other-shape.mlir | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=OTHER-SHAPE
// RUN: sed "s#MODEL#%t.gguf#" %t.d/unbounded.mlir   | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=UNBOUNDED
// RUN: sed "s#MODEL#%t.gguf#" %t.d/shared.mlir      | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: sed "s#MODEL#%t.gguf#" %t.d/float-input.mlir | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=FLOAT-INPUT
// RUN: sed "s#MODEL#%t.gguf#" %t.d/foreign.mlir     | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=FOREIGN
// RUN: python3 %S/Inputs/make-gguf.py %t.nan.gguf --nan blk.0.attn_q
// RUN: sed "s#MODEL#%t.nan.gguf#" %t.d/nan.mlir     | not lpu-opt --llm-quantize 2>&1 | FileCheck %s --check-prefix=NAN

// NO-SOURCE: error: the module has no attribute llm.source naming its weight file; import it from a model file
// NO-FILE: error: cannot be opened: No such file or directory; check the path and its permissions
// NO-FORWARD: error: there is no function @forward to quantize
// OTHER-SHAPE: error: weight @w is 8x4, tensor "blk.0.attn_q.weight" of {{.*}} is 4x4; the IR belongs to another file
// UNBOUNDED: error: 'llm.rope' op needs operands made by a linear of a norm, nothing else is bounded (N10)
// SHARED: error: 'llm.rope' op needs an operand made by a linear for it alone, which takes the factor 1/scale (N6, N8, N11)
// FLOAT-INPUT: error: 'llm.linear' op its input stays f32: only results of norms, attention and silu_mul can be quantized
// FOREIGN: error: 'builtin.unrealized_conversion_cast' op is not an operation llm-quantize knows
// NAN: error: tensor "blk.0.attn_q.weight" at byte {{[0-9]+}}: value [0, 0] is NaN; the weights are damaged, fetch or export the file again

//--- no-source.mlir
module {
}
//--- no-file.mlir
module attributes {llm.source = "MODEL.absent"} {
}
//--- no-forward.mlir
module attributes {llm.source = "MODEL"} {
}
//--- other-shape.mlir
module attributes {llm.source = "MODEL"} {
  llm.weight @w "blk.0.attn_q.weight" : tensor<8x4xf32>
}
//--- unbounded.mlir
module attributes {llm.source = "MODEL"} {
  llm.weight @n "output_norm.weight" : tensor<4xf32>
  llm.weight @g "blk.0.ffn_gate.weight" : tensor<2x4xf32>
  llm.weight @d "blk.0.ffn_down.weight" : tensor<4x2xf32>
  func.func @forward(%x: tensor<?x4xf32>, %position: tensor<?xi32>) {
    %n = llm.rms_norm %x, @n {eps = 1.0 : f32} : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %g = llm.linear %n, @g : (tensor<?x4xf32>) -> tensor<?x2xf32>
    %u = llm.linear %n, @g : (tensor<?x4xf32>) -> tensor<?x2xf32>
    %h = llm.silu_mul %g, %u : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
    %y = llm.linear %h, @d : (tensor<?x2xf32>) -> tensor<?x4xf32>
    %r = llm.rope %y, %position {heads = 2 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
    return
  }
}
//--- shared.mlir
module attributes {llm.source = "MODEL"} {
  llm.weight @n "output_norm.weight" : tensor<4xf32>
  llm.weight @q "blk.0.attn_q.weight" : tensor<4x4xf32>
  func.func @forward(%x: tensor<?x4xf32>, %position: tensor<?xi32>) {
    %n = llm.rms_norm %x, @n {eps = 1.0 : f32} : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %y = llm.linear %n, @q : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = llm.rope %y, %position {heads = 2 : i64, head_dim = 2 : i64, base = 1.0e+04 : f64} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
    %z = llm.add %y, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    return
  }
}
//--- float-input.mlir
module attributes {llm.source = "MODEL"} {
  llm.weight @q "blk.0.attn_q.weight" : tensor<4x4xf32>
  func.func @forward(%x: tensor<?x4xf32>, %position: tensor<?xi32>) {
    %y = llm.linear %x, @q : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return
  }
}
//--- foreign.mlir
module attributes {llm.source = "MODEL"} {
  func.func @forward(%x: tensor<?x4xf32>, %position: tensor<?xi32>) {
    %y = builtin.unrealized_conversion_cast %x : tensor<?x4xf32> to tensor<?x4xi32>
    return
  }
}
//--- nan.mlir
module attributes {llm.source = "MODEL"} {
  llm.weight @n "output_norm.weight" : tensor<4xf32>
  llm.weight @q "blk.0.attn_q.weight" : tensor<4x4xf32>
  func.func @forward(%x: tensor<?x4xf32>, %position: tensor<?xi32>) {
    %n = llm.rms_norm %x, @n {eps = 1.0 : f32} : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %y = llm.linear %n, @q : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return
  }
}
