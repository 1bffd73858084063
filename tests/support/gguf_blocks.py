"""Random blocks of ggml's block encodings, packed from chosen scales, minima and integers.

`random_tensor(name, rows, cols, kind, spread, rng)` gives a `gguf.Tensor` and the float32 values that it holds: known
because they were chosen, not decoded. Values are about `spread` in size; nothing here quantizes given weights.
Layouts: the block structures in ggml's `ggml-common.h` (https://github.com/ggml-org/ggml), described in words below.
"""
import numpy as np

import gguf

KINDS = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "q2_k": 10, "q3_k": 11, "q4_k": 12, "q5_k": 13, "q6_k": 14,
         "iq4_nl": 20, "iq4_xs": 23, "bf16": 30}
UNEVEN = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113])  # of the IQ4 kinds


def halves(rng, count, size):
    """Positive half-precision factors near `size`, one column: (bytes, float64)."""
    x = (size * rng.uniform(0.7, 1.3, (count, 1))).astype("<f2")
    return x.view("u1"), x.astype(np.float64)


def nibbles(q):
    """[n, 2k] integers: byte i has the low four bits of value i and, above them, those of value i + k."""
    low, high = np.split(q & 15, 2, axis=1)
    return (low | high << 4).astype("u1")


def fifth_bits(q):
    """[n, 32] integers: bit i of four little-endian bytes is the fifth bit of value i."""
    return np.packbits((q >> 4 & 1).astype("u1"), axis=1, bitorder="little")


def small(kind, count, spread, rng):
    """Q4_0, Q4_1, Q5_0, Q5_1: factor, minimum (the _1 kinds), fifth bits (Q5), nibbles; 32 values."""
    bits, has_min = int(kind[1]), kind.endswith("_1")
    q = rng.integers(0, 1 << bits, (count, 32))
    middle = 1 << (bits - 1)
    raw, scale = halves(rng, count, 2 * spread / middle)
    parts = [raw]
    offset = -scale * middle
    if has_min:
        minimum = (-scale * middle * rng.uniform(0.9, 1.1, (count, 1))).astype("<f2")
        parts.append(minimum.view("u1"))
        offset = minimum.astype(np.float64)
    if bits == 5:
        parts.append(fifth_bits(q))
    return np.concatenate([*parts, nibbles(q)], 1), scale * q + offset


def q8_0(count, spread, rng):
    raw, scale = halves(rng, count, 2 * spread / 128)
    q = rng.integers(-128, 128, (count, 32), np.int8)
    return np.concatenate([raw, q.view("u1")], 1), scale * q


def groups(bits, count, spread, rng):
    """Q4_K, Q5_K: factors of scales and minima, eight 6-bit scales and minima in 12 bytes, [fifth bits: bit g of byte i
    is of value i in group g,] nibbles: groups 2k and 2k + 1 share 32 bytes; 8 groups of 32 values."""
    middle = 1 << (bits - 1)
    raw, factor = halves(rng, count, 2 * spread / middle / 48)
    raw_min, factor_min = halves(rng, count, 2 * spread / 48)
    s = rng.integers(32, 64, (count, 8))
    s[rng.random(s.shape) < 0.1] = 3
    m = np.clip(s + rng.integers(-2, 3, s.shape), 0, 63)
    q = rng.integers(0, 1 << bits, (count, 8, 32))
    packed = np.concatenate([s[:, :4] | s[:, 4:] >> 4 << 6, m[:, :4] | m[:, 4:] >> 4 << 6,
                             s[:, 4:] & 15 | (m[:, 4:] & 15) << 4], 1).astype("u1")
    parts = [raw, raw_min, packed]
    if bits == 5:
        parts.append(np.packbits((q >> 4).astype("u1"), axis=1, bitorder="little").reshape(count, 32))
    parts += [nibbles(q[:, g:g + 2].reshape(count, 64)) for g in range(0, 8, 2)]
    return np.concatenate(parts, 1), (factor * s)[:, :, None] * q - (factor_min * m)[:, :, None]


def q6_k(count, spread, rng):
    """Low nibbles, high pairs, 16 int8 scales, factor. Of each half, values i, 32 + i, 64 + i, 96 + i share the pairs of
    byte i; i and 64 + i share a nibble byte, as do 32 + i and 96 + i."""
    raw, factor = halves(rng, count, 2 * spread / 32 / 96)
    scale = rng.integers(64, 128, (count, 16)) * rng.choice([-1, 1], (count, 16))
    q = rng.integers(0, 64, (count, 256))
    halved = q.reshape(count * 2, 128)
    low = nibbles(halved).reshape(count, 128)
    runs = halved.reshape(-1, 4, 32) >> 4
    high = (runs[:, 0] | runs[:, 1] << 2 | runs[:, 2] << 4 | runs[:, 3] << 6).astype("u1").reshape(count, 64)
    values = (factor * scale)[:, :, None] * (q.reshape(count, 16, 16) - 32)
    return np.concatenate([low, high, scale.astype(np.int8).view("u1"), raw], 1), values


def pairs(q):
    """[n, 256] integers: the low two bits of values i, 32 + i, 64 + i and 96 + i of a half share byte i, lowest first."""
    runs = (q & 3).reshape(-1, 4, 32)
    return (runs[:, 0] | runs[:, 1] << 2 | runs[:, 2] << 4 | runs[:, 3] << 6).astype("u1").reshape(len(q), 64)


def q2_k(count, spread, rng):
    """16 bytes of scale and, above it, minimum of 16 values, pairs, factors of scales and minima."""
    raw, factor = halves(rng, count, 2 * spread / 2 / 12)
    raw_min, factor_min = halves(rng, count, 2 * spread / 12)
    s, m = rng.integers(0, 16, (2, count, 16))
    q = rng.integers(0, 4, (count, 256))
    values = (factor * s)[:, :, None] * q.reshape(count, 16, 16) - (factor_min * m)[:, :, None]
    return np.concatenate([(s | m << 4).astype("u1"), pairs(q), raw, raw_min], 1), values


def q3_k(count, spread, rng):
    """32 bytes of third bits (bit 4h + r of byte i: value i of run r of half h), pairs, sixteen 6-bit scales, factor."""
    raw, factor = halves(rng, count, 2 * spread / 4 / 24)
    s = rng.integers(0, 64, (count, 16))
    q = rng.integers(0, 8, (count, 256))
    third = np.packbits((q >> 2).reshape(count, 8, 32).swapaxes(1, 2).astype("u1"), axis=2, bitorder="little")
    high = s >> 4
    packed = np.concatenate([s[:, :8] & 15 | (s[:, 8:] & 15) << 4,
                             high[:, :4] | high[:, 4:8] << 2 | high[:, 8:12] << 4 | high[:, 12:] << 6], 1).astype("u1")
    values = (factor * (s - 32))[:, :, None] * (q.reshape(count, 16, 16) - 4)
    return np.concatenate([third.reshape(count, 32), pairs(q), packed, raw], 1), values


def iq4_nl(count, spread, rng):
    raw, scale = halves(rng, count, 2 * spread / 127)
    q = rng.integers(0, 16, (count, 32))
    return np.concatenate([raw, nibbles(q)], 1), scale * UNEVEN[q]


def iq4_xs(count, spread, rng):
    """Factor, high pairs of eight 6-bit scales, their low nibbles, 8 times 16 bytes of nibbles."""
    raw, factor = halves(rng, count, 2 * spread / 127 / 16)
    s = rng.integers(0, 64, (count, 8))
    q = rng.integers(0, 16, (count, 256))
    high = sum((s[:, g] >> 4) << 2 * g for g in range(8)).astype("<u2").reshape(count, 1).view("u1")
    low = (s[:, 0::2] & 15 | (s[:, 1::2] & 15) << 4).astype("u1")
    values = (factor * (s - 32))[:, :, None] * UNEVEN[q].reshape(count, 8, 32)
    return np.concatenate([raw, high, low, nibbles(q.reshape(-1, 32)).reshape(count, 128)], 1), values


def plain(kind, count, spread, rng):
    x = (spread * rng.standard_normal(count)).astype("<f4")
    if kind == "f16":
        x = x.astype("<f2")
    if kind == "bf16":
        x = x.view("<u4") >> 16
        return x.astype("<u2"), (x << 16).view("<f4")
    return x, x


def random_tensor(name, rows, cols, kind, spread, rng):
    """(gguf.Tensor, float32 [rows, cols]). `cols` must be whole blocks."""
    values = rows * cols
    if kind in ("f32", "f16", "bf16"):
        data, values = plain(kind, values, spread, rng)
    elif kind == "q8_0":
        data, values = q8_0(values // 32, spread, rng)
    elif kind in ("q4_k", "q5_k"):
        data, values = groups(int(kind[1]), values // 256, spread, rng)
    elif kind in ("q2_k", "q3_k", "q6_k", "iq4_xs"):
        data, values = {"q2_k": q2_k, "q3_k": q3_k, "q6_k": q6_k, "iq4_xs": iq4_xs}[kind](values // 256, spread, rng)
    elif kind == "iq4_nl":
        data, values = iq4_nl(values // 32, spread, rng)
    else:
        data, values = small(kind, values // 32, spread, rng)
    return gguf.Tensor(name, (cols, rows), KINDS[kind], data.tobytes()), \
        np.asarray(values).astype(np.float32).reshape(rows, cols)


def mixed_model(model, kinds, seed=3):
    """Keys, tensors and the same tensors in F32, of a model whose matrices take the `kinds` in turn."""
    rng = np.random.default_rng(seed)
    keys, tensors = gguf.build(model)
    mixed, floats, matrices = [], [], 0
    for t in tensors:
        if len(t.shape) == 1:
            mixed.append(t)
            floats.append(t)
            continue
        spread = 0.5 if t.name == "token_embd.weight" else 1 / np.sqrt(t.shape[0])
        packed, values = random_tensor(t.name, t.shape[1], t.shape[0], kinds[matrices % len(kinds)], spread, rng)
        matrices += 1
        mixed.append(packed)
        floats.append(gguf.tensor(t.name, values, gguf.TYPE_F32))
    return keys, mixed, floats
