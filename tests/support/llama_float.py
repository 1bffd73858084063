"""A Llama, or a model of one of the families like it, in plain float32 numpy, read straight from a GGUF file: what the quantized chip is judged against.

Shares no code with the project's importer or interpreter. `Llama(path).logits(tokens)` feeds a whole sequence at once.
"""
import math
import mmap
import os
import struct

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
KINDS = {0: ("<f4", 1), 1: ("<f2", 1), 2: ([("d", "<f2"), ("q", "u1", 16)], 32), 8: ([("d", "<f2"), ("q", "i1", 32)], 32)}


class Reader:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.raw = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        assert self.raw[:4] == b"GGUF", path
        self.at = 4
        self.number("I")
        tensors, keys = self.number("Q"), self.number("Q")
        self.keys = {}
        for _ in range(keys):
            name = self.text()
            self.keys[name] = self.value(self.number("I"))
        table = []
        for _ in range(tensors):
            name = self.text()
            shape = [self.number("Q") for _ in range(self.number("I"))]
            table.append((name, shape[::-1], self.number("I"), self.number("Q")))
        align = self.keys.get("general.alignment", 32)
        start = (self.at + align - 1) // align * align
        self.tensors = {name: self.dequantize(shape, kind, start + at) for name, shape, kind, at in table}

    def number(self, code):
        size = struct.calcsize("<" + code)
        self.at += size
        return struct.unpack("<" + code, self.raw[self.at - size:self.at])[0]

    def text(self):
        size = self.number("Q")
        self.at += size
        return self.raw[self.at - size:self.at].decode(errors="replace")

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            inner, count = self.number("I"), self.number("Q")
            return [self.value(inner) for _ in range(count)]
        return self.number(SCALARS[kind])

    def dequantize(self, shape, kind, at):
        layout, block = KINDS[kind]
        items = np.frombuffer(self.raw, layout, math.prod(shape) // block, at)
        if block == 1:
            return items.astype(np.float32).reshape(shape)
        q = items["q"]
        if kind == 2:
            q = np.concatenate([q & 15, q >> 4], 1).astype(np.int8) - 8
        return (items["d"].astype(np.float32)[:, None] * q.astype(np.float32)).reshape(shape)


class Llama:
    def __init__(self, path, context=0):
        """`context`: positions that the program under test has, unless all of the model's."""
        file = Reader(path)
        self.architecture = file.keys["general.architecture"]
        key = lambda name, other=None: file.keys.get(f"{self.architecture}.{name}", other)
        self.w, self.keys = file.tensors, file.keys
        self.layers, self.context = key("block_count"), key("context_length")
        self.heads = key("attention.head_count")
        self.kv_heads = key("attention.head_count_kv", self.heads)
        self.head = key("attention.key_length", key("embedding_length") // self.heads)
        self.eps = key("attention.layer_norm_rms_epsilon")
        self.base = key("rope.freq_base", 10000.0)
        self.turned = key("rope.dimension_count", self.head)
        original = key("rope.scaling.original_context_length", 0)
        self.divisors = "long" if original and (context or self.context) > original else "short"
        self.magnitude = np.float32(key("rope.scaling.attn_factor", 1.0))
        self.embedding_scale, self.residual_scale = key("embedding_scale", 1.0), key("residual_scale", 1.0)
        self.is_gemma = self.architecture.startswith("gemma")
        self.window = key("attention.sliding_window", 0)
        self.cap, self.logit_cap = key("attn_logit_softcapping"), key("final_logit_softcapping")
        self.rope_scale = key("rope.scaling.factor", 1.0)
        if self.is_gemma:
            self.embedding_scale = np.sqrt(np.float32(key("embedding_length")))
        self.score_scale, self.logit_scale = key("attention.scale", self.head ** -0.5), key("logit_scale", 1.0)

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.eps)) * self.w[name + ".weight"]

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w.get(name + ".bias", np.float32(0))

    def windowed(self, layer):
        """Whether a layer looks back on the last positions alone."""
        every = {"gemma2": 2, "gemma3": 6}.get(self.architecture)
        return bool(self.window) and (every is None or (layer + 1) % every > 0)

    def rope(self, x, layer):
        own = self.architecture == "gemma3" and self.windowed(layer)
        base, scale = (10000.0, 1.0) if own else (self.base, self.rope_scale)
        x, rest = np.split(x, [self.turned], -1)
        frequencies = base ** (-np.arange(0, self.turned, 2) / self.turned) / scale / self.w.get(f"rope_factors_{self.divisors}.weight", 1)
        angle = np.arange(len(x))[:, None] * frequencies
        cos, sin = (f(angle).astype(np.float32)[:, None] * self.magnitude for f in (np.cos, np.sin))
        return np.concatenate([self.turn(x, cos, sin), rest], -1)

    def turn(self, x, cos, sin):
        if self.architecture not in ("llama", "granite", "smollm3"):  # pairs are (i, i + half)
            a, b = np.split(x, 2, -1)
            return np.concatenate([a * cos - b * sin, a * sin + b * cos], -1)
        even, odd = x[..., ::2], x[..., 1::2]
        return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)

    def attention(self, x, layer):
        n, b = len(x), f"blk.{layer}."
        widths = [self.heads * self.head, self.kv_heads * self.head]
        if self.architecture == "phi3":
            parts = np.split(self.linear(x, b + "attn_qkv"), np.cumsum(widths), -1)
        else:
            parts = [self.linear(x, b + name) for name in ("attn_q", "attn_k", "attn_v")]
        if self.architecture == "olmo2":
            parts[:2] = (self.norm(part, b + f"attn_{which}_norm") for part, which in zip(parts, "qk"))
        q, k, v = (part.reshape(n, -1, self.head) for part in parts)
        if self.architecture in ("qwen3", "gemma3"):
            q, k = self.norm(q, b + "attn_q_norm"), self.norm(k, b + "attn_k_norm")
        if not (self.architecture == "smollm3" and layer % 4 == 3):
            q, k = self.rope(q, layer), self.rope(k, layer)
        group = self.heads // self.kv_heads
        k, v = k.repeat(group, 1), v.repeat(group, 1)
        scores = np.einsum("ihd,jhd->hij", q, k) * np.float32(self.score_scale)
        if self.cap:
            scores = np.tanh(scores / np.float32(self.cap)) * np.float32(self.cap)
        seen = np.tri(n, dtype=bool)
        if self.windowed(layer):
            seen &= ~np.tri(n, k=-self.window, dtype=bool)
        scores = np.where(seen, scores, -np.inf)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        return self.linear(np.einsum("hij,jhd->ihd", p, v).reshape(n, -1), b + "attn_output")

    def logits(self, tokens):
        x = self.w["token_embd.weight"][np.asarray(tokens)] * np.float32(self.embedding_scale)
        for i in range(self.layers):
            b = f"blk.{i}."
            a = self.attention(self.normed(x, b + "attn_norm"), i)
            x = x + self.normed(a, b + "post_attention_norm") * np.float32(self.residual_scale)
            h = self.ffn(self.normed(x, b + "ffn_norm"), b)
            x = x + self.normed(h, b + "post_ffw_norm") * np.float32(self.residual_scale)
        logits = self.linear(self.norm(x, "output_norm"), "output" if "output.weight" in self.w else "token_embd")
        logits = logits / np.float32(self.logit_scale)
        return np.tanh(logits / np.float32(self.logit_cap)) * np.float32(self.logit_cap) if self.logit_cap else logits

    def normed(self, x, name):
        """x itself where a model has no such norm."""
        return self.norm(x, name) if name + ".weight" in self.w else x

    def ffn(self, n, b):
        if self.architecture == "phi3":
            gate, up = np.split(self.linear(n, b + "ffn_up"), 2, -1)
        else:
            gate, up = self.linear(n, b + "ffn_gate"), self.linear(n, b + "ffn_up")
        opened = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate ** 3))) if self.is_gemma \
            else gate / (1 + np.exp(-gate))
        return self.linear(opened.astype(np.float32) * up, b + "ffn_down")


def log_softmax(z):
    z = z.astype(np.float64)
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def divergence(reference, other):
    """Mean KL(reference || other) of next-token distributions, in nats."""
    p, q = log_softmax(reference), log_softmax(other)
    return float((np.exp(p) * (p - q)).sum(-1).mean())


def disagreements(reference, other, margin=0.02):
    """(positions where the best token differs though the reference is sure, positions where it is sure): sure means
    its two best logits lie further apart than `margin` of the row's range."""
    top = np.sort(reference, -1)
    sure = top[:, -1] - top[:, -2] > margin * (top[:, -1] - top[:, 0])
    return int((sure & (reference.argmax(-1) != other.argmax(-1))).sum()), int(sure.sum())
