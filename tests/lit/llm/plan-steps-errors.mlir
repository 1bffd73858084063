// REQUIRES: lpu-opt
// RUN: split-file %s %t.d
// RUN: not lpu-opt %t.d/cached.mlir --llm-plan-steps=max-context=513 2>&1 | FileCheck %s --check-prefix=CONTEXT
// RUN: not lpu-opt %t.d/cached.mlir --llm-plan-steps=max-tokens=0 2>&1 | FileCheck %s --check-prefix=TOKENS
// RUN: not lpu-opt %t.d/empty.mlir --llm-plan-steps 2>&1 | FileCheck %s --check-prefix=EMPTY

// CONTEXT: error: max-context 513 is more than the model's 512; the largest that fits is 512
// TOKENS: error: max-tokens is 0, a prefill step feeds at least 1 token
// EMPTY: error: there is no llm.kv_cache to plan steps for

//--- cached.mlir
llm.kv_cache @cache.0 {layer = 0 : i64, heads = 2 : i64, kv_heads = 1 : i64, head_dim = 2 : i64, capacity = 512 : i64}
//--- empty.mlir
module {
}
