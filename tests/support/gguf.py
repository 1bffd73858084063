"""Writes GGUF files: whole random Llama models of any shape, or single pieces for files that are wrong on purpose.

Written from the format's description (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), independent of the
project's reader. `Model` describes a Llama, `build(model)` gives the keys and tensors, `encode` the bytes; every step
can be changed in between, which is how broken files are made.
"""
import dataclasses
import struct

import numpy as np

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
LAYOUT = {U8: "<B", I8: "<b", U16: "<H", I16: "<h", U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q", I64: "<q",
          F64: "<d"}
TYPE_F32, TYPE_F16, TYPE_Q4_0, TYPE_Q8_0 = 0, 1, 2, 8
TYPE_NAMES = {"f32": TYPE_F32, "f16": TYPE_F16, "q4_0": TYPE_Q4_0, "q8_0": TYPE_Q8_0}
BLOCK = 32


@dataclasses.dataclass
class Model:
    """A Llama's shape. `kind` is the type of the matrices; rows that are no multiple of 32 fall back to F16 or F32."""
    layers: int = 1
    hidden: int = 64
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 0  # 0: hidden / heads
    ffn: int = 96
    vocabulary: int = 128
    context: int = 64
    kind: str = "q8_0"
    tied: bool = False
    version: int = 3
    tokenizer: str = "none"  # none, llama, gpt2
    seed: int = 1
    rope_base: float = 10000.0
    eps: float = 1e-5
    # qwen2 adds biases to q, k, v, qwen3 norms of the heads of q and k; phi3 has q, k, v in one tensor, gate and up in
    # another; these pair the halves of a head in rope. granite multiplies. smollm3 has every fourth layer without rope.
    # olmo2 norms branches and all of q and k instead of what is fed; gemma2 and gemma3 norm both, and have tied embeddings.
    architecture: str = "llama"
    rotary: int = 0  # phi3: elements of a head that rope turns; 0: all
    short_factors: tuple = ()  # phi3: divisors of its frequencies up to position `original`
    original: int = 0
    multipliers: tuple = ()  # granite: of embeddings, residual branches, scores; divisor of logits
    window: int = 0  # gemma2: of every other layer, gemma3: of five in six; others: of all
    caps: tuple = ()  # gemma2: of scores and logits
    rope_scale: float = 1.0  # positions are divided by it; of gemma3 those of layers without window

    @property
    def head(self):
        return self.head_dim or self.hidden // self.heads

    @property
    def is_gemma(self):
        return self.architecture.startswith("gemma")

    @property
    def rope_magnitude(self):
        """Phi-3's factor of what rope turns, for contexts longer than the original one."""
        return float(np.float32(np.sqrt(1 + np.log(self.context / self.original) / np.log(self.original)))) if self.original else 1.0


@dataclasses.dataclass
class Tensor:
    """`shape` is in file order, fastest first."""
    name: str
    shape: tuple
    kind: int
    data: bytes


def quantize_q8_0(x):
    """Blocks of 32: a half-precision scale and 32 signed bytes."""
    blocks = x.reshape(-1, BLOCK)
    scale = (np.abs(blocks).max(1) / 127).astype("<f2")
    safe = np.where(scale == 0, 1, scale.astype(np.float32))
    out = np.empty(len(blocks), [("d", "<f2"), ("q", "i1", BLOCK)])
    out["d"], out["q"] = scale, np.clip(np.rint(blocks / safe[:, None]), -127, 127)
    return out.tobytes()


def quantize_q4_0(x):
    """Blocks of 32: a half-precision scale and 16 bytes; the low half holds values 0..15, the high half 16..31."""
    blocks = x.reshape(-1, BLOCK)
    peak = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(1)]
    scale = (peak / -8).astype("<f2")
    safe = np.where(scale == 0, 1, scale.astype(np.float32))
    q = np.clip(np.floor(blocks / safe[:, None] + 8.5), 0, 15).astype(np.uint8)
    out = np.empty(len(blocks), [("d", "<f2"), ("q", "u1", BLOCK // 2)])
    out["d"], out["q"] = scale, q[:, :16] | (q[:, 16:] << 4)
    return out.tobytes()


def tensor(name, values, kind):
    """`values` as numpy has them, slowest dimension first."""
    values = np.asarray(values, np.float32)
    if kind in (TYPE_Q8_0, TYPE_Q4_0) and (values.ndim < 2 or values.shape[-1] % BLOCK):
        kind = TYPE_F16 if values.ndim > 1 else TYPE_F32
    data = {TYPE_F32: lambda: values.astype("<f4").tobytes(), TYPE_F16: lambda: values.astype("<f2").tobytes(),
            TYPE_Q8_0: lambda: quantize_q8_0(values), TYPE_Q4_0: lambda: quantize_q4_0(values)}[kind]()
    return Tensor(name, values.shape[::-1], kind, data)


def tokenizer_keys(kind, vocabulary):
    """Key → (type, value) of a small but complete vocabulary."""
    if kind == "none":
        return {}
    if kind == "llama":
        letters = [" "] + list("etaoinshrdlucmfwypvbgkqjxzETAOINSHRDLU.,!?'\"0123456789")
        pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
        types = [2, 3, 3] + [6] * 256
        words = ["▁" if c == " " else c for c in letters] + ["▁t", "he", "▁the", "an", "▁a", "in", "re", "on", "▁on", "ce"]
        pieces += words
        filler = [f"▁w{i}" for i in range(vocabulary - len(pieces))]
        pieces = (pieces + filler)[:vocabulary]
        types = (types + [1] * vocabulary)[:vocabulary]
        scores = [0.0 if t != 1 else -float(i - 258) for i, t in enumerate(types)]
        return {"tokenizer.ggml.model": (STRING, "llama"), "tokenizer.ggml.tokens": (ARRAY, (STRING, pieces)),
                "tokenizer.ggml.scores": (ARRAY, (F32, scores)), "tokenizer.ggml.token_type": (ARRAY, (I32, types)),
                "tokenizer.ggml.bos_token_id": (U32, 1), "tokenizer.ggml.eos_token_id": (U32, 2),
                "tokenizer.ggml.unknown_token_id": (U32, 0)}
    table = byte_alphabet()
    merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("Ġ", "a"), ("Ġa", "n"), ("e", "r"), ("o", "n"),
              ("Ġ", "o"), ("O", "n"), ("c", "e"), ("On", "ce")]
    pieces = [table[b] for b in range(256)] + [a + b for a, b in merges]
    pieces += [f"Ġw{i}" for i in range(vocabulary - len(pieces) - 1)] + ["<|endoftext|>"]
    types = [1] * (len(pieces) - 1) + [3]
    return {"tokenizer.ggml.model": (STRING, "gpt2"), "tokenizer.ggml.tokens": (ARRAY, (STRING, pieces)),
            "tokenizer.ggml.merges": (ARRAY, (STRING, [f"{a} {b}" for a, b in merges])),
            "tokenizer.ggml.token_type": (ARRAY, (I32, types)),
            "tokenizer.ggml.bos_token_id": (U32, len(pieces) - 1), "tokenizer.ggml.eos_token_id": (U32, len(pieces) - 1)}


def byte_alphabet():
    """GPT-2's printable stand-in for every byte."""
    kept = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in kept]
    return {b: chr(b) for b in kept} | {b: chr(256 + i) for i, b in enumerate(others)}


def build(m):
    """(keys, tensors) of a random model. Values are drawn so that activations stay near 1 and logits differ."""
    rng = np.random.default_rng(m.seed)
    q, kv = m.heads * m.head, m.kv_heads * m.head
    keys = {"general.architecture": (STRING, m.architecture), "general.name": (STRING, f"random-{m.seed}"),
            "llama.block_count": (U32, m.layers), "llama.embedding_length": (U32, m.hidden),
            "llama.feed_forward_length": (U32, m.ffn), "llama.context_length": (U32, m.context),
            "llama.attention.head_count": (U32, m.heads), "llama.attention.head_count_kv": (U32, m.kv_heads),
            "llama.attention.layer_norm_rms_epsilon": (F32, m.eps), "llama.rope.freq_base": (F32, m.rope_base),
            "llama.rope.dimension_count": (U32, m.rotary or m.head)}
    if m.head_dim:
        keys["llama.attention.key_length"] = keys["llama.attention.value_length"] = (U32, m.head_dim)
    if m.original:
        keys |= {"llama.rope.scaling.original_context_length": (U32, m.original), "llama.rope.scaling.attn_factor": (F32, m.rope_magnitude)}
    if m.window:
        keys["llama.attention.sliding_window"] = (U32, m.window)
    if m.rope_scale != 1:
        keys |= {"llama.rope.scaling.type": (STRING, "linear"), "llama.rope.scaling.factor": (F32, m.rope_scale)}
    keys |= {f"llama.{name}_logit_softcapping": (F32, v) for name, v in zip(("attn", "final"), m.caps)}
    names = "embedding_scale", "residual_scale", "attention.scale", "logit_scale"
    keys |= {f"llama.{name}": (F32, v) for name, v in zip(names, m.multipliers)}
    keys = {name.replace("llama.", m.architecture + ".", 1): v for name, v in keys.items()}
    keys.update(tokenizer_keys(m.tokenizer, m.vocabulary))
    kind = TYPE_NAMES[m.kind]

    def matrix(name, rows, cols, gain=1.0):
        return tensor(name, rng.standard_normal((rows, cols), np.float32) * (gain / np.sqrt(cols)), kind)

    def norm(name, width=m.hidden):
        return tensor(name, 1 + 0.2 * rng.standard_normal(width, np.float32), TYPE_F32)

    gains = np.repeat([2, 1], [q + kv, kv])[:, None]  # those of queries, keys and values
    tensors = [matrix("token_embd.weight", m.vocabulary, m.hidden, 1 if m.is_gemma else np.sqrt(m.hidden))]
    for i in range(m.layers):
        b = f"blk.{i}."
        if m.architecture == "phi3":
            tensors += [norm(b + "attn_norm.weight"), matrix(b + "attn_qkv.weight", q + 2 * kv, m.hidden, gains),
                        matrix(b + "attn_output.weight", m.hidden, q), norm(b + "ffn_norm.weight"),
                        matrix(b + "ffn_up.weight", 2 * m.ffn, m.hidden), matrix(b + "ffn_down.weight", m.hidden, m.ffn)]
            continue
        before = m.architecture != "olmo2"
        tensors += [norm(b + "attn_norm.weight")] * before
        tensors += [matrix(b + "attn_q.weight", q, m.hidden, 2),
                    matrix(b + "attn_k.weight", kv, m.hidden, 2), matrix(b + "attn_v.weight", kv, m.hidden),
                    matrix(b + "attn_output.weight", m.hidden, q)]
        tensors += [norm(b + "ffn_norm.weight")] * before
        tensors += [matrix(b + "ffn_gate.weight", m.ffn, m.hidden), matrix(b + "ffn_up.weight", m.ffn, m.hidden),
                    matrix(b + "ffn_down.weight", m.hidden, m.ffn)]
        if m.architecture == "qwen2":
            tensors += [tensor(f"{b}attn_{which}.bias", rng.standard_normal(width, np.float32), TYPE_F32)
                        for which, width in (("q", q), ("k", kv), ("v", kv))]
        if m.is_gemma or not before:
            tensors += [norm(b + "post_attention_norm.weight"), norm(b + "post_ffw_norm.weight")]
        if not before:
            tensors += [norm(f"{b}attn_{which}_norm.weight", width) for which, width in (("q", q), ("k", kv))]
        if m.architecture in ("qwen3", "gemma3"):
            tensors += [norm(f"{b}attn_{which}_norm.weight", m.head) for which in "qk"]
    if m.short_factors:
        tensors += [tensor(f"rope_factors_{which}.weight", scale * np.float32(m.short_factors), TYPE_F32)
                    for which, scale in (("short", 1), ("long", 3))]
    tensors.append(norm("output_norm.weight"))
    if not m.tied:
        tensors.append(matrix("output.weight", m.vocabulary, m.hidden, 2))
    return keys, tensors


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(kind, v):
    if kind == STRING:
        return text(v)
    if kind == ARRAY:
        inner, items = v
        head = struct.pack("<IQ", inner, len(items))
        if inner in (F32, I32, U32):
            return head + np.asarray(items, {F32: "<f4", I32: "<i4", U32: "<u4"}[inner]).tobytes()
        return head + b"".join(value(inner, i) for i in items)
    return struct.pack(LAYOUT[kind], v)


def key_bytes(name, kind, v):
    return text(name) + struct.pack("<I", kind) + value(kind, v)


def tensor_entry(t, offset):
    return text(t.name) + struct.pack("<I", len(t.shape)) + struct.pack(f"<{len(t.shape)}Q", *t.shape) + \
        struct.pack("<IQ", t.kind, offset)


def encode(keys, tensors, version=3, alignment=32, magic=b"GGUF", tensor_count=None, key_count=None):
    """The file's bytes. The counts can be given wrong."""
    head = magic + struct.pack("<IQQ", version, len(tensors) if tensor_count is None else tensor_count,
                               len(keys) if key_count is None else key_count)
    head += b"".join(key_bytes(name, *v) for name, v in keys.items())
    data, table = bytearray(), b""
    for t in tensors:
        data += b"\0" * (-len(data) % alignment)
        table += tensor_entry(t, len(data))
        data += t.data
    head += table
    return head + b"\0" * (-len(head) % alignment) + bytes(data)


def write(path, model):
    keys, tensors = build(model)
    with open(path, "wb") as out:
        out.write(encode(keys, tensors, model.version))
