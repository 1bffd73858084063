#!/usr/bin/python3
"""Write a checkpoint of train.py as a GGUF version 3 file: matrices Q8_0 or Q4_0, norms F32, vocabulary inside.

    export_gguf.py WORK/best.pt model.gguf
    export_gguf.py WORK/best.pt model-int4.gguf --type=q4_0
"""
import argparse
import pathlib
import struct

import numpy as np
import torch

from model import Config
from tokenizer import BOS, EOS, UNKNOWN, Tokenizer

ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9  # kinds of metadata values
TENSOR_F32, TENSOR_Q4_0, TENSOR_Q8_0 = 0, 2, 8
BLOCK = 32  # values that share a scale


def string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


SCALAR = {U32: struct.Struct("<I").pack, I32: struct.Struct("<i").pack, F32: struct.Struct("<f").pack,
          BOOL: struct.Struct("<?").pack, STRING: string}


def scalar(key, kind, value):
    return string(key) + struct.pack("<I", kind) + SCALAR[kind](value)


def array(key, kind, values):
    head = struct.pack("<IIQ", ARRAY, kind, len(values))
    return string(key) + head + b"".join(map(SCALAR[kind], values))


def metadata(config, tokenizer, matrices):
    return [
        scalar("general.architecture", STRING, "llama"),
        scalar("general.name", STRING, "tiny-stories-0.9M"),
        scalar("general.license", STRING, "Apache-2.0 WITH LLVM-exception"),
        scalar("general.alignment", U32, ALIGNMENT),
        scalar("general.quantization_version", U32, 2),
        scalar("general.file_type", U32, {"q8_0": 7, "q4_0": 2}[matrices]),  # what most tensors are
        scalar("llama.vocab_size", U32, config.vocabulary),
        scalar("llama.context_length", U32, config.context),
        scalar("llama.embedding_length", U32, config.width),
        scalar("llama.block_count", U32, config.layers),
        scalar("llama.feed_forward_length", U32, config.hidden),
        scalar("llama.attention.head_count", U32, config.heads),
        scalar("llama.attention.head_count_kv", U32, config.kv_heads),
        scalar("llama.attention.layer_norm_rms_epsilon", F32, config.epsilon),
        scalar("llama.rope.dimension_count", U32, config.head),
        scalar("llama.rope.freq_base", F32, config.rope_base),
        scalar("tokenizer.ggml.model", STRING, "llama"),
        array("tokenizer.ggml.tokens", STRING, tokenizer.tokens),
        array("tokenizer.ggml.scores", F32, tokenizer.scores),
        array("tokenizer.ggml.token_type", I32, tokenizer.types),
        scalar("tokenizer.ggml.bos_token_id", U32, BOS),
        scalar("tokenizer.ggml.eos_token_id", U32, EOS),
        scalar("tokenizer.ggml.unknown_token_id", U32, UNKNOWN),
        scalar("tokenizer.ggml.add_bos_token", BOOL, True),
        scalar("tokenizer.ggml.add_eos_token", BOOL, False),
        scalar("tokenizer.ggml.add_space_prefix", BOOL, True),
    ]


def quantize_q8_0(values):
    """Blocks of an f16 scale and 32 int8. The quotient is taken by the scale as stored, so f16 rounding costs nothing
    but its own half step."""
    blocks = values.reshape(-1, BLOCK)
    scale = (np.abs(blocks).max(1) / np.float32(127)).astype(np.float16)
    divisor = np.where(scale == 0, np.float32(1), scale.astype(np.float32))
    quants = np.clip(np.rint(blocks / divisor[:, None]), -127, 127).astype(np.int8)
    return np.concatenate([scale[:, None].view(np.uint8), quants.view(np.uint8)], axis=1).tobytes()


def quantize_q4_0(values):
    """Blocks of an f16 scale and 16 bytes of two values each. The value of largest magnitude becomes -8."""
    blocks = values.reshape(-1, BLOCK)
    peak = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(1)]
    scale = (peak / np.float32(-8)).astype(np.float16)
    divisor = np.where(scale == 0, np.float32(1), scale.astype(np.float32))
    quants = np.clip(np.floor(blocks / divisor[:, None] + np.float32(8.5)), 0, 15).astype(np.uint8)
    return np.concatenate([scale[:, None].view(np.uint8), quants[:, :16] | quants[:, 16:] << 4], axis=1).tobytes()


ENCODERS = {"q8_0": (TENSOR_Q8_0, quantize_q8_0), "q4_0": (TENSOR_Q4_0, quantize_q4_0)}


def encode_tensor(values, matrices):
    if values.ndim == 1:
        return TENSOR_F32, values.astype("<f4").tobytes()
    if values.shape[-1] % BLOCK:
        raise ValueError(f"row length {values.shape[-1]} is not a multiple of {BLOCK}")
    kind, quantize = ENCODERS[matrices]
    return kind, quantize(values)


def padded(raw):
    return raw + bytes(-len(raw) % ALIGNMENT)


def gguf(keys, tensors, matrices):
    """The whole file. GGUF lists a shape with its fastest-running dimension first."""
    table, body = b"", b""
    for name, values in tensors.items():
        kind, raw = encode_tensor(values, matrices)
        table += string(name) + struct.pack("<I", values.ndim)
        table += struct.pack(f"<{values.ndim}Q", *values.shape[::-1]) + struct.pack("<IQ", kind, len(body))
        body += padded(raw)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    return padded(head + b"".join(keys) + table) + body


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--type", choices=sorted(ENCODERS), default="q8_0", help="of the matrices")
    options = parser.parse_args()
    checkpoint = torch.load(options.checkpoint, map_location="cpu")
    tensors = {name: weight.numpy().astype(np.float32) for name, weight in checkpoint["weights"].items()}
    keys = metadata(Config(**checkpoint["config"]), Tokenizer(checkpoint["pieces"]), options.type)
    options.output.write_bytes(gguf(keys, tensors, options.type))
    print(f"{options.output}: {options.output.stat().st_size} bytes, from {checkpoint['facts']}")


if __name__ == "__main__":
    main()
