// REQUIRES: lpu-opt
// RUN: lpu-opt %s --llm-plan-steps | FileCheck %s --check-prefixes=CHECK,FULL
// RUN: lpu-opt %s --llm-plan-steps=max-context=100 | FileCheck %s --check-prefixes=CHECK,CLIPPED
// RUN: lpu-opt %s --llm-plan-steps=max-context=64 | FileCheck %s --check-prefixes=CHECK,EXACT
// RUN: lpu-opt %s "--llm-plan-steps=max-context=5 max-tokens=16" | FileCheck %s --check-prefixes=CHECK,TINY
// RUN: lpu-opt %s "--llm-plan-steps=max-context=512 max-tokens=19" | FileCheck %s --check-prefixes=CHECK,LONG
// RUN: lpu-opt %s "--llm-plan-steps=max-context=512 max-tokens=19 largest-only" | FileCheck %s --check-prefixes=CHECK,FEW
// RUN: lpu-opt %s "--llm-plan-steps=max-context=65 max-tokens=1" | FileCheck %s --check-prefixes=CHECK,DECODE-ONLY
// RUN: lpu-opt %s --llm-plan-steps=max-context=200 --llm-plan-steps=max-context=64 | FileCheck %s --check-prefixes=CHECK,EXACT

// Buckets are 64, 128, 256, … below the maximum context, and that one. Steps of an earlier plan are replaced.
llm.kv_cache @cache.0 {layer = 0 : i64, heads = 2 : i64, kv_heads = 1 : i64, head_dim = 2 : i64, capacity = 512 : i64}
llm.kv_cache @cache.1 {layer = 1 : i64, heads = 2 : i64, kv_heads = 1 : i64, head_dim = 2 : i64, capacity = 512 : i64}
llm.step @decode_7 decode tokens 1 context 7
func.func @forward(%token: tensor<?xi32>, %position: tensor<?xi32>) {
  return
}

// FULL-COUNT-2: llm.kv_cache {{.*}}capacity = 512 : i64
// CLIPPED-COUNT-2: llm.kv_cache {{.*}}capacity = 100 : i64
// EXACT-COUNT-2: llm.kv_cache {{.*}}capacity = 64 : i64
// TINY-COUNT-2: llm.kv_cache {{.*}}capacity = 5 : i64

// FULL-NEXT: llm.step @decode_64 decode tokens 1 context 64
// FULL-NEXT: llm.step @prefill_8x64 prefill tokens 8 context 64
// FULL-NEXT: llm.step @decode_128 decode tokens 1 context 128
// FULL-NEXT: llm.step @prefill_8x128 prefill tokens 8 context 128
// FULL-NEXT: llm.step @decode_256 decode tokens 1 context 256
// FULL-NEXT: llm.step @prefill_8x256 prefill tokens 8 context 256
// FULL-NEXT: llm.step @decode_512 decode tokens 1 context 512
// FULL-NEXT: llm.step @prefill_8x512 prefill tokens 8 context 512

// CLIPPED-NEXT: llm.step @decode_64 decode tokens 1 context 64
// CLIPPED-NEXT: llm.step @prefill_8x64 prefill tokens 8 context 64
// CLIPPED-NEXT: llm.step @decode_100 decode tokens 1 context 100
// CLIPPED-NEXT: llm.step @prefill_8x100 prefill tokens 8 context 100

// EXACT-NEXT: llm.step @decode_64 decode tokens 1 context 64
// EXACT-NEXT: llm.step @prefill_8x64 prefill tokens 8 context 64

// TINY-NEXT: llm.step @decode_5 decode tokens 1 context 5
// TINY-NEXT: llm.step @prefill_5x5 prefill tokens 5 context 5

// Long steps have buckets of their own, in whole blocks of positions.
// LONG: llm.step @decode_64 decode tokens 1 context 64
// LONG-NEXT: llm.step @decode_128 decode tokens 1 context 128
// LONG-NEXT: llm.step @decode_256 decode tokens 1 context 256
// LONG-NEXT: llm.step @decode_512 decode tokens 1 context 512
// LONG-NEXT: llm.step @prefill_19x320 prefill tokens 19 context 320
// LONG-NEXT: llm.step @prefill_19x512 prefill tokens 19 context 512

// FEW: llm.step @decode_512 decode tokens 1 context 512
// FEW-NEXT: llm.step @prefill_19x512 prefill tokens 19 context 512

// DECODE-ONLY: llm.step @decode_64 decode tokens 1 context 64
// DECODE-ONLY-NEXT: llm.step @decode_65 decode tokens 1 context 65

// CHECK-NEXT: func.func @forward
