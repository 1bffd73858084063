// REQUIRES: lpu-opt
// RUN: split-file %s %t.d
// RUN: not lpu-opt %S/../stream/Inputs/unit.mlir --llm-choose-mapping=target=none 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not lpu-opt %S/../stream/Inputs/unit.mlir --llm-choose-mapping=mapping=%t.d/absent.yaml 2>&1 | FileCheck %s --check-prefix=ABSENT
// RUN: not lpu-opt %S/../stream/Inputs/unit.mlir --llm-choose-mapping=mapping=%t.d/key.yaml 2>&1 | FileCheck %s --check-prefix=KEY
// RUN: not lpu-opt %t.d/head.mlir --llm-choose-mapping="target=small mapping=%t.d/down.yaml" 2>&1 | FileCheck %s --check-prefix=DOWN
// RUN: not lpu-opt %t.d/head.mlir --llm-choose-mapping="target=small mapping=%t.d/half.yaml" 2>&1 | FileCheck %s --check-prefix=HALF

// TARGET: error: none: neither a machine preset (tsp1, small, tsp1-int4, lp30) nor a readable file
// ABSENT: absent.yaml{{.*}}error: cannot be read; check the path given with --mapping
// KEY: key.yaml:2{{.*}}error: unknown key 'attn' of linears; qkv, attention-output, gate-up, down and lm-head are known
// DOWN: down.yaml:3{{.*}}error: the model has no linears 'down'; leave the key out
// HALF: half.yaml:1{{.*}}error: the linears 'lm-head' of this model are grouped, which cannot be chosen otherwise; leave the key out

//--- key.yaml
linears:
  attn: {form: dealt}
//--- down.yaml
# The model below is an output projection.
linears:
  down: {form: dealt}
//--- half.yaml
linears: {lm-head: {form: dealt}}
//--- head.mlir
!q = tensor<?x64x!quant.uniform<i16<-32639:32639>:f32, 1.0e-03>>
module attributes {llm.source = "head.gguf", llm.model = "head"} {
  llm.weight @e "token_embd.weight" : tensor<100x64xf16>
  llm.weight @g "output_norm.weight" : tensor<64xf32>
  llm.weight @w "output.weight" : tensor<64x64x!quant.any<i8<-128:127>:f32>>
  llm.step @decode_64 decode tokens 1 context 64
  func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) -> tensor<?x64xf32> {
    %x = llm.embedding %token, @e : (tensor<?xi32>) -> tensor<?x64xf32>
    %n = llm.rms_norm %x, @g {eps = 1.0e-05 : f32} : (tensor<?x64xf32>) -> !q
    %y = llm.linear %n, @w : (!q) -> tensor<?x64xf32>
    return %y : tensor<?x64xf32>
  }
}
