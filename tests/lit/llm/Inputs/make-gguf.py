#!/usr/bin/env python3
"""Writes a Llama so small that its scales can be worked out by hand.

make-gguf.py OUT.gguf [--nan TENSOR]

1 layer, width 4, 2 heads of 2, 1 KV head, FFN 2, 4 tokens, context 256. Every norm weight is 1,
every other tensor's row n is (n + 1) times the unit vector of column n modulo the width, so each
row's 2-norm is n + 1. --nan puts a NaN at the first value of a tensor.
"""
import struct
import sys

WIDTH, HEADS, KV, HEAD, FFN, VOCABULARY, CONTEXT = 4, 2, 1, 2, 2, 4, 256


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def u32(key, value):
    return text(key) + struct.pack("<II", 4, value)


def f32(key, value):
    return text(key) + struct.pack("<If", 6, value)


def string(key, value):
    return text(key) + struct.pack("<I", 8) + text(value)


def rows(count, width):
    return [float(n + 1) if k == n % width else 0.0 for n in range(count) for k in range(width)]


def main():
    keys = [
        string("general.architecture", "llama"), string("general.name", "unit"), u32("llama.block_count", 1),
        u32("llama.embedding_length", WIDTH), u32("llama.feed_forward_length", FFN), u32("llama.context_length", CONTEXT),
        u32("llama.attention.head_count", HEADS), u32("llama.attention.head_count_kv", KV),
        f32("llama.attention.layer_norm_rms_epsilon", 1e-5), f32("llama.rope.freq_base", 10000.0),
    ]
    tensors = [("token_embd", VOCABULARY, WIDTH), ("output_norm", 0, WIDTH), ("output", VOCABULARY, WIDTH)]
    for name, count, width in [("attn_norm", 0, WIDTH), ("attn_q", HEADS * HEAD, WIDTH), ("attn_k", KV * HEAD, WIDTH),
                               ("attn_v", KV * HEAD, WIDTH), ("attn_output", WIDTH, HEADS * HEAD), ("ffn_norm", 0, WIDTH),
                               ("ffn_gate", FFN, WIDTH), ("ffn_up", FFN, WIDTH), ("ffn_down", WIDTH, FFN)]:
        tensors.append(("blk.0." + name, count, width))
    table, data = b"", b""
    for name, count, width in tensors:
        values = rows(count, width) if count else [1.0] * width
        if "--nan" in sys.argv and sys.argv[sys.argv.index("--nan") + 1] == name:
            values[0] = float("nan")
        dims = [width, count] if count else [width]
        table += text(name + ".weight") + struct.pack("<I", len(dims)) + struct.pack("<%dQ" % len(dims), *dims)
        table += struct.pack("<IQ", 0, len(data))
        data += struct.pack("<%df" % len(values), *values)
        data += b"\0" * (-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys) + table
    with open(sys.argv[1], "wb") as out:
        out.write(head + b"\0" * (-len(head) % 32) + data)


main()
