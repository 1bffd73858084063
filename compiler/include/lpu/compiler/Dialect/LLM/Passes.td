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
    `up` of a silu_mul take the factor 1/scale of their consumer (N6, N8). Attention gets `tiles` when head_dim is a
    multiple of 32 and context · heads · head_dim at least 2^17; its values' linear then takes the factor too (N11). Every weight value is read once, so
    damaged weights (NaN, infinite, too large) are found here.
  }];
  let options = [
    Option<"weightType", "weight-type", "std::string", "\"int8\"", "precision of the weights of linears">,
    Option<"activationType", "activation-type", "std::string", "\"a16\"", "precision of what linears are fed">,
    Option<"kvType", "kv-type", "std::string", "\"int16\"", "precision of cached keys and values">,
    Option<"quantConfig", "quant-config", "std::string", "\"\"", "YAML file with precisions of single layers">,
  ];
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

def PlanSteps : Pass<"llm-plan-steps", "::mlir::ModuleOp"> {
  let summary = "List the step programs to build";
  let description = [{
    Creates one decode and one prefill `llm.step` per context bucket. Buckets are the powers of two from 64 (512 for attention in tiles) up to
    the maximum context, the last one clipped to it; prefill steps of more than 8 tokens have buckets of their own, each about a quarter of
    the next, in multiples of 320. Sets the capacity of every KV cache to the maximum context.
    For a batch there are decode steps alone: a prompt is fed as its user's turn in them.
    An encoder gets one encode step per bucket, powers of two from 32 up to its longest sequence or 256, whichever is less.
  }];
  let options = [
    Option<"maxContext", "max-context", "uint64_t", "0", "positions the caches hold; 0: as many as the model was made for">,
    Option<"maxTokens", "max-tokens", "uint64_t", "8", "tokens fed per prefill step; 1: decode programs only">,
    Option<"batch", "batch", "uint64_t", "1", "users whose tokens a decode step feeds together">,
    Option<"largestOnly", "largest-only", "bool", "false", "prefill steps of more than 8 tokens for the largest context only">,
  ];
}

def VerifyQuantized : Pass<"llm-verify-quantized", "::mlir::ModuleOp"> {
  let summary = "Check that nothing the machine computes is left in float form";
  let description = [{
    Closes the llm phase: @forward exists with its signature, every linear, norm, rope, attention and silu_mul is
    quantized, the linears feeding rope, `up` and attention in tiles carry the factor 1/scale of their consumer, embeddings are fp16,
    and at least one step is planned. Changes nothing.
  }];
}

def Partition : Pass<"llm-partition", "::mlir::ModuleOp"> {
  let summary = "Deal a quantized model over several chips";
  let description = [{
    Stages hold consecutive layers; each is a group of `tp` chips that share every layer: query heads with their KV
    heads, rows of the linears (elements of the residual, columns of the FFN, words of the vocabulary) are cut into
    pieces, inputs of linears are gathered whole. So no sum is ever split and the logits are those of one chip, bit for
    bit. Embedding and lm_head stand in the first and last stage, or on chips of their own, several groups of which deal
    the vocabulary among them.

    The module then holds one module per *class*: chips whose stages do the same with other weights. In a class, layers
    are counted from the chip's first one, and shards from the own one. The module lists the chips (`llm.chips`: class,
    stage, shard, first layer), the wires between their links (`llm.wires`: chip, link, chip, link) and the static
    scales by name (`llm.scales`), from which constants of the classes with several stages are made at emission.
    Nothing changes when one chip is asked for.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"tsp1\"", "machine: a preset or a YAML file">,
    Option<"tensor", "tp", "int64_t", "1", "chips that share each layer">,
    Option<"pipeline", "pp", "int64_t", "1", "stages of consecutive layers">,
    ListOption<"layers", "layers", "int64_t", "layers of each stage; as even as possible unless given">,
    Option<"embeddingChips", "embedding-chips", "int64_t", "0", "chips for the embedding alone, a multiple of tp; 0: it stands in the first stage">,
    Option<"headChips", "head-chips", "int64_t", "0", "chips for lm_head alone, a multiple of tp; 0: it stands in the last stage">,
  ];
}

#endif // LPU_COMPILER_DIALECT_LLM_PASSES_TD
