// REQUIRES: lpu-opt
// RUN: split-file %s %t.d
// RUN: lpu-opt %t.d/wide.mlir --llm-choose-mapping=target=small | FileCheck %s --check-prefix=WIDE
// RUN: lpu-opt %t.d/narrow.mlir --llm-choose-mapping=target=small | FileCheck %s --check-prefix=NARROW
// RUN: lpu-opt %S/../stream/Inputs/unit.mlir --llm-choose-mapping=target=small > %t.unit.mlir
// RUN: FileCheck %s --check-prefix=UNIT < %t.unit.mlir
// RUN: lpu-opt %S/../stream/Inputs/unit.mlir --llm-choose-mapping="target=small mapping=%t.d/choice.yaml" > %t.chosen.mlir
// RUN: FileCheck %s --check-prefix=FILE < %t.chosen.mlir
// A module that has its mapping keeps it.
// RUN: lpu-opt %t.chosen.mlir --llm-choose-mapping=target=small | cmp - %t.chosen.mlir
// A form that was chosen is lowered.
// RUN: lpu-opt %t.chosen.mlir --convert-llm-to-stream=target=small -o %t.stream.mlir

// A small machine streams 2 sides · 32 streams · 64 lanes = 4096 bytes a cycle. 512 · 512 weights take 64 cycles: dealt.
// WIDE: lpu.mapping = [{by_file = false, count = 1 : i64, form = "dealt", group = "lm-head", stream_cycles = 64 : i64}]
// WIDE: llm.linear {{.*}}llm.form = "dealt"
// 511 · 512 are 261,632: 63 cycles and some: pinned.
// NARROW: form = "pinned", group = "lm-head", stream_cycles = 63 : i64

// Every group of a decoder has a role, which follows from what makes its input and what takes its result.
// UNIT: lpu.mapping = [
// UNIT-SAME: group = "qkv"
// UNIT-SAME: group = "attention-output"
// UNIT-SAME: group = "gate-up"
// UNIT-SAME: group = "down"
// UNIT-SAME: group = "lm-head"
// UNIT-COUNT-8: llm.linear {{.*}}llm.form = "pinned"

// FILE: {by_file = true, count = 1 : i64, form = "dealt", group = "attention-output", stream_cycles = 0 : i64}
// FILE: llm.linear {{.*}}@blk.0.attn_q {{.*}}llm.form = "pinned"
// FILE: llm.linear {{.*}}@blk.0.attn_output {{.*}}llm.form = "dealt"

//--- choice.yaml
linears:
  attention-output: {form: dealt}
//--- wide.mlir
!q = tensor<?x512x!quant.uniform<i16<-32639:32639>:f32, 1.0e-03>>
module attributes {llm.source = "wide.gguf", llm.model = "wide"} {
  llm.weight @e "token_embd.weight" : tensor<100x512xf16>
  llm.weight @g "output_norm.weight" : tensor<512xf32>
  llm.weight @w "output.weight" : tensor<512x512x!quant.any<i8<-127:127>:f32>>
  llm.step @decode_64 decode tokens 1 context 64
  func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x512xf32> {
    %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x512xf32>
    %n = llm.rms_norm %x, @g {eps = 1.0e-05 : f32} : (tensor<?x512xf32>) -> !q
    %y = llm.linear %n, @w : (!q) -> tensor<?x512xf32>
    return %y : tensor<?x512xf32>
  }
}
//--- narrow.mlir
!q = tensor<?x512x!quant.uniform<i16<-32639:32639>:f32, 1.0e-03>>
module attributes {llm.source = "wide.gguf", llm.model = "wide"} {
  llm.weight @e "token_embd.weight" : tensor<100x512xf16>
  llm.weight @g "output_norm.weight" : tensor<512xf32>
  llm.weight @w "output.weight" : tensor<511x512x!quant.any<i8<-127:127>:f32>>
  llm.step @decode_64 decode tokens 1 context 64
  func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x511xf32> {
    %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x512xf32>
    %n = llm.rms_norm %x, @g {eps = 1.0e-05 : f32} : (tensor<?x512xf32>) -> !q
    %y = llm.linear %n, @w : (!q) -> tensor<?x511xf32>
    return %y : tensor<?x511xf32>
  }
}
