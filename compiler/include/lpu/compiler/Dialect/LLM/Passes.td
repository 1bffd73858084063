// Passes over the llm dialect; each is implemented in the file of its name.
#ifndef LPU_COMPILER_DIALECT_LLM_PASSES_TD
#define LPU_COMPILER_DIALECT_LLM_PASSES_TD

include "mlir/Pass/PassBase.td"

def Quantize : Pass<"llm-quantize", "::mlir::ModuleOp"> {
  let summary = "Give weights int8 and activations int16 with static scales";
  let description = [{
    Float graph to quantized graph by docs/spec/numerics.md. Linear weights become int8 per row, the embedding
    fp16; norm results, queries, keys, attention results and FFN products become int16 whose scales are bounds
    computed from the int8 weights (N10), read from the module's `llm.source`. Linears feeding a rope or the
    `up` of a silu_mul take the factor 1/scale of their consumer (N6, N8). Every weight value is read once, so
    damaged weights (NaN, infinite, too large) are found here.
  }];
  let options = [
    Option<"weightType", "weight-type", "std::string", "\"int8\"", "precision of the weights of linears">,
    Option<"activationType", "activation-type", "std::string", "\"a16\"", "precision of what linears are fed">,
    Option<"kvType", "kv-type", "std::string", "\"int16\"", "precision of cached keys and values">,
  ];
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

def PlanSteps : Pass<"llm-plan-steps", "::mlir::ModuleOp"> {
  let summary = "List the step programs to build";
  let description = [{
    Creates one decode and one prefill `llm.step` per context bucket. Buckets are the powers of two from 64 up to
    the maximum context, the last one clipped to it. Sets the capacity of every KV cache to the maximum context.
  }];
  let options = [
    Option<"maxContext", "max-context", "uint64_t", "0", "positions the caches hold; 0: as many as the model was made for">,
    Option<"maxTokens", "max-tokens", "uint64_t", "8", "tokens fed per prefill step; 1: decode programs only">,
  ];
}

def VerifyQuantized : Pass<"llm-verify-quantized", "::mlir::ModuleOp"> {
  let summary = "Check that nothing the machine computes is left in float form";
  let description = [{
    Closes the llm phase: @forward exists with its signature, every linear, norm, rope, attention and silu_mul is
    quantized, the linears feeding rope and `up` carry the factor 1/scale of their consumer, embeddings are fp16,
    and at least one step is planned. Changes nothing.
  }];
}

#endif // LPU_COMPILER_DIALECT_LLM_PASSES_TD
