// A whole model of width 4, two heads of 2 on one key head, FFN 2 and 4 tokens, quantized and planned for a context of 8.
module attributes {llm.model = "unit", llm.source = "unit.gguf"} {
  llm.weight @token_embd "token_embd.weight" : tensor<4x4xf16>
  llm.weight @blk.0.attn_norm "blk.0.attn_norm.weight" : tensor<4xf32>
  llm.weight @blk.0.attn_q "blk.0.attn_q.weight" : tensor<4x4x!quant.any<i8<-127:127>:f32>>
  llm.weight @blk.0.attn_k "blk.0.attn_k.weight" : tensor<2x4x!quant.any<i8<-127:127>:f32>>
  llm.weight @blk.0.attn_v "blk.0.attn_v.weight" : tensor<2x4x!quant.any<i8<-127:127>:f32>>
  llm.weight @blk.0.attn_output "blk.0.attn_output.weight" : tensor<4x4x!quant.any<i8<-127:127>:f32>>
  llm.weight @blk.0.ffn_norm "blk.0.ffn_norm.weight" : tensor<4xf32>
  llm.weight @blk.0.ffn_gate "blk.0.ffn_gate.weight" : tensor<2x4x!quant.any<i8<-127:127>:f32>>
  llm.weight @blk.0.ffn_up "blk.0.ffn_up.weight" : tensor<2x4x!quant.any<i8<-127:127>:f32>>
  llm.weight @blk.0.ffn_down "blk.0.ffn_down.weight" : tensor<4x2x!quant.any<i8<-127:127>:f32>>
  llm.weight @output_norm "output_norm.weight" : tensor<4xf32>
  llm.weight @output "output.weight" : tensor<4x4x!quant.any<i8<-127:127>:f32>>
  llm.kv_cache @cache.0 {capacity = 8 : i64, head_dim = 2 : i64, heads = 2 : i64, kv_heads = 1 : i64, layer = 0 : i64}
  llm.step @decode_8 decode tokens 1 context 8
  llm.step @prefill_8x8 prefill tokens 8 context 8
  func.func @forward(%arg0: tensor<?xi32>, %arg1: tensor<?xi32>) -> tensor<?x4xf32> {
    %0 = llm.embedding %arg0, @token_embd : (tensor<?xi32>) -> tensor<?x4xf32>
    %1 = llm.rms_norm %0, @blk.0.attn_norm {eps = 9.99999974E-6 : f32} : (tensor<?x4xf32>) -> tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>
    %2 = llm.linear %1, @blk.0.attn_q {factor = 3231.5841704544309 : f64} : (tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>) -> tensor<?x4xf32>
    %3 = llm.rope %2, %arg1 {base = 1.000000e+04 : f64, head_dim = 2 : i64, heads = 2 : i64} : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 3.0944575392550529E-4>>
    %4 = llm.linear %1, @blk.0.attn_k {factor = 7226.0418801483738 : f64} : (tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>) -> tensor<?x2xf32>
    %5 = llm.rope %4, %arg1 {base = 1.000000e+04 : f64, head_dim = 2 : i64, heads = 1 : i64} : (tensor<?x2xf32>, tensor<?xi32>) -> tensor<?x2x!quant.uniform<i16<-32639:32639>:f32, 1.3838834822522047E-4>>
    %6 = llm.linear %1, @blk.0.attn_v : (tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>) -> tensor<?x2xf32>
    %7 = llm.attention %3, %5, %6, %arg1, @cache.0 : (tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 3.0944575392550529E-4>>, tensor<?x2x!quant.uniform<i16<-32639:32639>:f32, 1.3838834822522047E-4>>, tensor<?x2xf32>, tensor<?xi32>) -> tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 1.2377830157020214E-4>>
    %8 = llm.linear %7, @blk.0.attn_output : (tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 1.2377830157020214E-4>>) -> tensor<?x4xf32>
    %9 = llm.add %8, %0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %10 = llm.rms_norm %9, @blk.0.ffn_norm {eps = 9.99999974E-6 : f32} : (tensor<?x4xf32>) -> tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>
    %11 = llm.linear %10, @blk.0.ffn_gate : (tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>) -> tensor<?x2xf32>
    %12 = llm.linear %10, @blk.0.ffn_up {factor = 2019.7401140581371 : f64} : (tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>) -> tensor<?x2xf32>
    %13 = llm.silu_mul %11, %12 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2x!quant.uniform<i16<-32639:32639>:f32, 4.9511320443636816E-4>>
    %14 = llm.linear %13, @blk.0.ffn_down : (tensor<?x2x!quant.uniform<i16<-32639:32639>:f32, 4.9511320443636816E-4>>) -> tensor<?x4xf32>
    %15 = llm.add %14, %9 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %16 = llm.rms_norm %15, @output_norm {eps = 9.99999974E-6 : f32} : (tensor<?x4xf32>) -> tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>
    %17 = llm.linear %16, @output : (tensor<?x4x!quant.uniform<i16<-32639:32639>:f32, 6.133766353135818E-5>>) -> tensor<?x4xf32>
    return %17 : tensor<?x4xf32>
  }
}

