"""Writes Hugging Face folders of random models, and the values that a reader must find in them.

A folder is written from a `gguf.Model`; `Folder.write` returns the values its tensors stand for, by GGUF's names and in
GGUF's order of rows, so that `twin` can write the GGUF file of the same model.
"""
import base64
import dataclasses
import json
import struct

import numpy as np

import gguf

NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head", "attn_norm": "input_layernorm",
         "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "attn_qkv": "self_attn.qkv_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
         "post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
         "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
SPLIT_QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]  # which of eight outputs stands in the i-th four bits of a word


def name_of(name, architecture="llama"):
    head, _, kind = name.rpartition(".")
    if head.startswith("blk."):
        _, layer, part = head.split(".")
        known = {("phi3", "ffn_up"): "mlp.gate_up_proj", ("gemma2", "ffn_norm"): "pre_feedforward_layernorm",
                 ("gemma3", "ffn_norm"): "pre_feedforward_layernorm"}.get((architecture, part), NAMES[part])
        return f"model.layers.{layer}.{known}.{kind}"
    return f"{NAMES[head]}.{kind}"


def halves(values, head):
    """Rows as Hugging Face has them: pair i of a head is rows i and i + head/2."""
    paired = values.reshape(-1, head // 2, 2, *values.shape[1:])
    return paired.swapaxes(1, 2).reshape(values.shape)


def random_values(model):
    """Name → fp32 values, as a GGUF file of the model has them."""
    _, tensors = gguf.build(dataclasses.replace(model, kind="f32"))
    return {t.name: np.frombuffer(t.data, "<f4").reshape(t.shape[::-1]) for t in tensors}


def encode(values, kind):
    """(bytes, type name, the values that these bytes are)"""
    if kind == "BF16":
        bits = (values.astype("<f4").view("<u4") >> 16).astype("<u2")
        return bits.tobytes(), kind, (bits.astype("<u4") << 16).view("<f4")
    stored = values.astype({"F32": "<f4", "F16": "<f2", "I32": "<i4"}[kind])
    return stored.tobytes(), kind, stored.astype(np.float32)


def pack(nibbles, order=range(8)):
    """Eight columns of four bits to a word of the last dimension."""
    parts = nibbles.reshape(*nibbles.shape[:-1], -1, 8).astype(np.uint32)
    return sum(parts[..., column] << np.uint32(4 * i) for i, column in enumerate(order)).astype(np.uint32).view(np.int32)


def group_quantize(weight, form, size, rng):
    """(suffix → integer or half tensors, effective values) of a matrix [outputs, inputs]. With `act` columns are dealt to groups at random."""
    outputs, inputs = weight.shape
    size = inputs if size == -1 else size
    groups = np.arange(inputs) // size
    if form.endswith("+act"):
        groups = rng.permutation(groups)
    count = (inputs + size - 1) // size
    zeros = rng.integers(1, 16, (count, outputs))
    scales = np.abs(weight).max(1)[None] / rng.uniform(6, 9, (count, outputs))
    scales = scales.astype(np.float16)
    q = np.clip(np.rint(weight.T / scales.astype(np.float32)[groups]) + zeros[groups], 0, 15).astype(np.int64)  # [inputs, outputs]
    parts = {"scales": scales}
    if form == "awq":
        parts |= {"qweight": pack(q, AWQ_ORDER), "qzeros": pack(zeros, AWQ_ORDER)}
    else:
        stored = zeros if form.startswith("gptq_v2") else zeros - 1
        parts |= {"qweight": np.ascontiguousarray(pack(q.T).T), "qzeros": pack(stored)}
        parts["g_idx"] = groups.astype(np.int32)
    values = ((q - zeros[groups]).astype(np.float32) * scales.astype(np.float32)[groups]).T
    return parts, np.ascontiguousarray(values)


def safetensors(tensors):
    """The file's bytes; `tensors`: name → (bytes, type name, shape)."""
    table, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (raw, kind, shape) in tensors.items():
        table[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return with_table(json.dumps(table).encode(), data)


def with_table(table, data=b"", length=None):
    return struct.pack("<Q", len(table) if length is None else length) + table + data


@dataclasses.dataclass
class Folder:
    model: gguf.Model
    kind: str = "F32"
    files: int = 1
    form: str = ""  # gptq, gptq_v2, awq; +act: columns in any order
    group_size: int = 32
    config: dict = dataclasses.field(default_factory=dict)  # keys to add
    model_type: str = ""

    def configuration(self):
        m = self.model
        out = {"model_type": self.model_type or m.architecture, "hidden_size": m.hidden, "num_hidden_layers": m.layers,
               "num_attention_heads": m.heads, "num_key_value_heads": m.kv_heads, "head_dim": m.head, "intermediate_size": m.ffn,
               "vocab_size": m.vocabulary, "max_position_embeddings": m.context, "rms_norm_eps": m.eps, "rope_theta": m.rope_base,
               "tie_word_embeddings": m.tied, "hidden_act": "silu", "torch_dtype": "float16"}
        if m.rotary:
            out["partial_rotary_factor"] = m.rotary / m.head
        if m.original:
            out["original_max_position_embeddings"] = m.original
            out["rope_scaling"] = {"type": "longrope", "short_factor": m.short_factors, "long_factor": [3 * f for f in m.short_factors]}
        names = "embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling"
        out |= dict(zip(names, m.multipliers))
        if m.window:
            out["sliding_window"] = m.window
        if m.rope_scale != 1:
            out["rope_scaling"] = {"rope_type": "linear", "factor": m.rope_scale}
        out |= dict(zip(("attn_logit_softcapping", "final_logit_softcapping"), m.caps))
        if m.is_gemma:  # whose files say less of what is usual
            del out["hidden_act"], out["tie_word_embeddings"]
            out |= {"hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": m.head}
        if m.architecture == "gemma3":
            out |= {"model_type": "gemma3_text", "rope_local_base_freq": 10000.0, "sliding_window_pattern": 6}
        if m.architecture == "smollm3":
            out["no_rope_layers"] = [int((i + 1) % 4 > 0) for i in range(m.layers)]
        if self.form:
            method, _, _ = self.form.partition("+")
            out["quantization_config"] = {"quant_method": "awq" if method == "awq" else "gptq", "bits": 4, "group_size": self.group_size,
                                          "checkpoint_format": method, "version": "gemm", "desc_act": "+act" in self.form}
        return out | self.config

    def tensors(self):
        """(name → (bytes, type, shape), effective values by GGUF's names)"""
        out, effective, rng = {}, {}, np.random.default_rng(self.model.seed)
        for name, values in random_values(self.model).items():
            if name.startswith("rope_factors"):  # which config.json has
                effective[name] = values
                continue
            permuted = self.model.architecture in ("llama", "granite", "smollm3") and (".attn_q." in name or ".attn_k." in name)
            stored = halves(values, self.model.head) if permuted else values
            full = name_of(name, self.model.architecture)
            lifted = self.model.is_gemma and "norm" in name
            stored = stored - 1 if lifted else stored
            if self.form and name.startswith("blk.") and values.ndim == 2:
                parts, found = group_quantize(stored, self.form, self.group_size, rng)
                for suffix, part in parts.items():
                    raw, kind, _ = encode(part, "F16" if suffix == "scales" else "I32")
                    out[full.removesuffix("weight") + suffix] = raw, kind, part.shape
            else:
                raw, kind, found = encode(stored, self.kind)
                out[full] = raw, kind, stored.shape
                found = found + np.float32(1) if lifted else found
            effective[name] = self.paired(found) if permuted else found
        return out, effective

    def paired(self, values):
        """The inverse of `halves`."""
        split = values.reshape(-1, 2, self.model.head // 2, *values.shape[1:])
        return split.swapaxes(1, 2).reshape(values.shape)

    def write(self, path):
        path.mkdir(exist_ok=True)
        tensors, effective = self.tensors()
        (path / "config.json").write_text(json.dumps(self.configuration()))
        if self.files == 1:
            (path / "model.safetensors").write_bytes(safetensors(tensors))
            return effective
        index = {}
        for i in range(self.files):
            name = f"model-{i + 1:05}-of-{self.files:05}.safetensors"
            part = dict(list(tensors.items())[i::self.files])
            (path / name).write_bytes(safetensors(part))
            index |= dict.fromkeys(part, name)
        (path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
        return effective


def twin(path, model, effective, keys=None, tensors=()):
    """The GGUF file of the same model in F32."""
    own, _ = gguf.build(model)
    weights = [gguf.tensor(name, values, gguf.TYPE_F32) for name, values in effective.items()]
    path.write_bytes(gguf.encode(own | (keys or {}), [*weights, *tensors]))


def byte_level_tokenizer(vocabulary):
    """tokenizer.json of the vocabulary that gguf.tokenizer_keys("gpt2") makes, with Qwen2's pattern."""
    keys = gguf.tokenizer_keys("gpt2", vocabulary)
    pieces = keys["tokenizer.ggml.tokens"][1][1]
    return {"added_tokens": [{"id": len(pieces) - 1, "content": pieces[-1], "special": True}],
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": SPLIT_QWEN2}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]},
            "post_processor": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": {p: i for i, p in enumerate(pieces[:-1])},
                      "merges": [m.split(" ") for m in keys["tokenizer.ggml.merges"][1][1]]}}


def sentencepiece_tokenizer(vocabulary):
    """tokenizer.json of the vocabulary that gguf.tokenizer_keys("llama") makes, as converters of SentencePiece write it."""
    keys = gguf.tokenizer_keys("llama", vocabulary)
    pieces, scores = keys["tokenizer.ggml.tokens"][1][1], keys["tokenizer.ggml.scores"][1][1]
    types = keys["tokenizer.ggml.token_type"][1][1]
    known = {p for p, t in zip(pieces, types) if t == 1}
    merges = [f"{p[:i]} {p[i:]}" for p in sorted(known, key=lambda p: -scores[pieces.index(p)])
              for i in range(1, len(p)) if p[:i] in known and p[i:] in known]
    return {"added_tokens": [{"id": i, "content": pieces[i], "special": True} for i in range(3)],
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                                              {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "pre_tokenizer": None,
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}]},
            "model": {"type": "BPE", "byte_fallback": True, "unk_token": "<unk>", "vocab": {p: i for i, p in enumerate(pieces)}, "merges": merges}}


def charsmap(pairs):
    """A map of single ASCII characters as SentencePiece precompiles it (a double array of Darts-clone, then texts), in base64."""
    units, texts = [0] * 1024, b"\0"
    units[0] = 1 << 10
    for i, (character, text) in enumerate(pairs.items()):
        node, leaf = 1 ^ ord(character), 512 + i
        units[node] = (node ^ leaf) << 10 | 1 << 8 | ord(character)
        units[leaf] = 1 << 31 | len(texts)
        texts += text.encode() + b"\0"
    return base64.b64encode(struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + texts).decode()


def sentencepiece_model(vocabulary, kind=2, prefix=True, extra=b""):
    """tokenizer.model of the vocabulary that gguf.tokenizer_keys("llama") makes; `kind`: 1 unigram, 2 byte pairs."""
    def varint(value):
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    def whole(field, value):
        return varint(field << 3) + varint(value)

    def part(field, content):
        return varint(field << 3 | 2) + varint(len(content)) + content
    keys = gguf.tokenizer_keys("llama", vocabulary)
    columns = (keys[f"tokenizer.ggml.{name}"][1][1] for name in ("tokens", "scores", "token_type"))
    out = b""
    for piece, score, kind_of_piece in zip(*columns):
        out += part(1, part(1, piece.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + whole(3, kind_of_piece))
    trainer = whole(3, kind) + whole(35, 1) + whole(40, 0) + whole(41, 1) + whole(42, 2)
    rules = part(1, b"identity") + whole(3, int(prefix)) + whole(4, 0) + whole(5, 1)
    return out + part(2, trainer) + part(3, rules) + extra
