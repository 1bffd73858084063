//===- the llm dialect: operations of encoders ------------------------------===//
//
// A part of LLMOps.td, which says where the dialect stands. Encoders have no caches
// and any number of results.
//
//===-----------------------------------------------------------------------===//
#ifndef LPU_COMPILER_DIALECT_LLM_LLMENCODEROPS_TD
#define LPU_COMPILER_DIALECT_LLM_LLMENCODEROPS_TD

def LLM_EmbeddingSumOp : LLM_ComputeOp<"embedding_sum", [Pure]> {
  let summary = "word, type and position embeddings of every token";
  let description = [{
    (words[token] + types[type]) + positions[p], p the token's number in the sequence, fp32 sums of fp16 rows (N9);
    without `types` words[token] + positions[p].

    ```mlir
    %x = llm.embedding_sum %token, %type, @words, @positions types @types : (tensor<?xi32>, tensor<?xi32>) -> tensor<?x64xf32>
    ```

    Constraints:
    - C1: the symbols name `llm.weight`s of rank 2 with f32 or f16 elements, all equally wide.
    - C2: the result is f32 and as wide as the tables.
  }];
  let arguments = (ins LLM_Tokens:$token, LLM_Tokens:$type, FlatSymbolRefAttr:$words, FlatSymbolRefAttr:$positions,
                   OptionalAttr<FlatSymbolRefAttr>:$types);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$token `,` $type `,` $words `,` $positions (`types` $types^)? attr-dict `:` functional-type(operands, results)";
}

def LLM_LayerNormOp : LLM_ComputeOp<"layer_norm", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "(x − mean) / sqrt(variance + eps) ∘ weight + bias";
  let description = [{
    Layer norm over the width (N20).

    ```mlir
    %n = llm.layer_norm %x, @norm, @norm.bias {eps = 1.0e-12 : f32} : tensor<?x64xf32>
    ```

    Constraints:
    - C1: the symbols name `llm.weight`s of rank 1, f32, as wide as the input.
    - C2: `eps` is positive and finite.
    - C3: input and result are f32.
  }];
  let arguments = (ins LLM_Activation:$input, FlatSymbolRefAttr:$weight, FlatSymbolRefAttr:$bias, F32Attr:$eps);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input `,` $weight `,` $bias attr-dict `:` type($input)";
}

def LLM_QuantizeOp : LLM_Op<"quantize", [Pure]> {
  let summary = "to int16 of a static scale";
  let description = [{
    The nearest multiple of the result's scale, clipped to what int16 digits hold or to [`low`, `high`] (N21). Importers
    place it where a file has scales of its own, or where a linear takes a sum that no norm bounds, with an f32 result
    until `llm-quantize` gives it its scale; `llm-quantize` where a linear or attention needs it.

    ```mlir
    %q = llm.quantize %x {low = -128 : i32, high = 127 : i32} : tensor<?x64xf32> -> tensor<?x64x!quant.uniform<i16<-32639:32639>:f32, 5.0e-02>>
    ```

    Constraints:
    - C1: the input is f32 or int16, the result int16 (before `llm-quantize` f32) of the same shape.
    - C2: `low` and `high` come together, low ≤ 0 ≤ high, within ±32639.
  }];
  let arguments = (ins LLM_Activation:$input, OptionalAttr<I32Attr>:$low, OptionalAttr<I32Attr>:$high);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

def LLM_GeluOp : LLM_Op<"gelu", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "x·Φ(x)";
  let description = [{
    The Gaussian error linear unit (N22), with `approximate` what its tanh form is.

    ```mlir
    %h = llm.gelu %x : tensor<?x64xf32>
    ```

    Constraints:
    - C1: input and result are f32.
  }];
  let arguments = (ins LLM_Activation:$input, UnitAttr:$approximate);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def LLM_TanhOp : LLM_Op<"tanh", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "hyperbolic tangent";
  let description = [{
    ```mlir
    %h = llm.tanh %x : tensor<?x64xf32>
    ```

    Constraints:
    - C1: input and result are f32.
  }];
  let arguments = (ins LLM_Activation:$input);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def LLM_FirstOp : LLM_Op<"first", [Pure]> {
  let summary = "the first token alone";
  let description = [{
    What poolers look at.

    ```mlir
    %h = llm.first %x : tensor<?x64xf32> -> tensor<1x64xf32>
    ```

    Constraints:
    - C1: input and result have the same element type and width; the result has one row.
  }];
  let arguments = (ins LLM_Activation:$input);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

def LLM_ReluOp : LLM_Op<"relu", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "the larger of a value and 0";
  let description = [{
    N24.

    ```mlir
    %h = llm.relu %x : tensor<?x64xf32>
    ```

    Constraints:
    - C1: input and result are f32.
  }];
  let arguments = (ins LLM_Activation:$input);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def LLM_SigmoidOp : LLM_Op<"sigmoid", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "1 / (1 + e^-x)";
  let description = [{
    N24.

    ```mlir
    %h = llm.sigmoid %x : tensor<?x64xf32>
    ```

    Constraints:
    - C1: input and result are f32.
  }];
  let arguments = (ins LLM_Activation:$input);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def LLM_SiluOp : LLM_Op<"silu", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "x·σ(slope·x)";
  let description = [{
    N24. A slope of 1 is SiLU, one of 1.702 the quick form of GELU.

    ```mlir
    %h = llm.silu %x {slope = 1.702000e+00 : f64} : tensor<?x64xf32>
    ```

    Constraints:
    - C1: input and result are f32.
    - C2: `slope` is positive and finite.
  }];
  let arguments = (ins LLM_Activation:$input, F64Attr:$slope);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def LLM_NormalizeOp : LLM_Op<"normalize", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "a vector of length 1";
  let description = [{
    Each row over its length (N24); a row of zeros stays one.

    ```mlir
    %h = llm.normalize %x : tensor<?x64xf32>
    ```

    Constraints:
    - C1: input and result are f32.
  }];
  let arguments = (ins LLM_Activation:$input);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def LLM_MeanOp : LLM_Op<"mean", [Pure]> {
  let summary = "the mean over the tokens of the sequence";
  let description = [{
    What embeds a sentence (N24); padding counts for nothing.

    ```mlir
    %h = llm.mean %x : tensor<?x64xf32> -> tensor<1x64xf32>
    ```

    Constraints:
    - C1: input and result are f32 and equally wide; the result has one row.
  }];
  let arguments = (ins LLM_Activation:$input);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

def LLM_SelfAttentionOp : LLM_Op<"self_attention", [Pure]> {
  let summary = "attention of all tokens to all tokens";
  let description = [{
    softmax(scale · q·kᵀ)·v per head over the tokens of the sequence, which are those fed in this step; nothing is kept
    (N23). Quantized values and results have one scale.

    ```mlir
    %a = llm.self_attention %q, %k, %v {heads = 2 : i64, scale = 1.25e-01 : f64} : tensor<?x128xf32>, tensor<?x128xf32>, tensor<?x128xf32> -> tensor<?x128xf32>
    ```

    Constraints:
    - C1: queries, keys, values and result have one shape, whose width `heads` divides.
    - C2: they are all f32, or all int16, values and result of one scale.
    - C3: `scale` is positive and finite.
  }];
  let arguments = (ins LLM_Activation:$query, LLM_Activation:$key, LLM_Activation:$value, I64Attr:$heads, F64Attr:$scale);
  let results = (outs LLM_Activation:$result);
  let assemblyFormat = "$query `,` $key `,` $value attr-dict `:` type($query) `,` type($key) `,` type($value) `->` type($result)";
}

#endif // LPU_COMPILER_DIALECT_LLM_LLMENCODEROPS_TD
