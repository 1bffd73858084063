"""The model in PyTorch: a Llama with grouped-query attention, tied embeddings and interleaved rotary pairs.

Weights carry the names of GGUF tensors, so that the exporter has nothing to translate.
"""
import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass(frozen=True)
class Config:
    vocabulary: int = 1024
    context: int = 256
    width: int = 128
    layers: int = 4
    heads: int = 8
    kv_heads: int = 4
    hidden: int = 384
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head(self):
        return self.width // self.heads


class CausalAttention(torch.autograd.Function):
    """softmax(mask(q k^T)) v for q [N, G, T, D], already scaled, and k, v [N, T, D]: G query heads share a key head.

    One [G T, T] tile at a time: it stays in the second-level cache, and each product is a plain matrix product.
    Debian's PyTorch computes batched products without BLAS, about ten times slower.
    """

    @staticmethod
    def forward(ctx, q, k, v):
        n, g, t, d = q.shape
        mask = torch.full((t, t), -math.inf).triu_(1)
        rows, p, out = q.reshape(n, g * t, d), q.new_empty(n, g * t, t), q.new_empty(n, g * t, d)
        for i in range(n):
            scores = torch.mm(rows[i], k[i].t())
            scores.view(g, t, t).add_(mask)
            torch.softmax(scores, -1, out=p[i])
            torch.mm(p[i], v[i], out=out[i])
        ctx.save_for_backward(rows, k, v, p, out)
        return out.view(n, g, t, d)

    @staticmethod
    def backward(ctx, grad):
        q, k, v, p, out = ctx.saved_tensors
        n, g, t, d = grad.shape
        grad = grad.reshape(n, g * t, d)
        inner = (grad * out).sum(-1, keepdim=True)
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for i in range(n):
            torch.mm(p[i].t(), grad[i], out=dv[i])
            ds = torch.mm(grad[i], v[i].t()).sub_(inner[i]).mul_(p[i])
            torch.mm(ds, k[i], out=dq[i])
            torch.mm(ds.t(), q[i], out=dk[i])
        return dq.view(n, g, t, d), dk, dv


class Norm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.width))
        self.epsilon = config.epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotary_table(config):
    frequency = config.rope_base ** (-torch.arange(0, config.head, 2, dtype=torch.float64) / config.head)
    angle = torch.arange(config.context, dtype=torch.float64)[:, None] * frequency
    return angle.cos().float(), angle.sin().float()


def rotate(x, cos, sin):
    """x [B, T, heads, D]: turns the pairs (2i, 2i+1), which is how GGUF stores Llama's query and key rows."""
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = cos[:x.shape[1], None], sin[:x.shape[1], None]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Block(nn.Module):
    def __init__(self, config, dropout):
        super().__init__()
        self.config, self.dropout = config, dropout
        kv_width = config.kv_heads * config.head
        self.attn_norm, self.ffn_norm = Norm(config), Norm(config)
        self.attn_q = nn.Linear(config.width, config.width, bias=False)
        self.attn_k = nn.Linear(config.width, kv_width, bias=False)
        self.attn_v = nn.Linear(config.width, kv_width, bias=False)
        self.attn_output = nn.Linear(config.width, config.width, bias=False)
        self.ffn_gate = nn.Linear(config.width, config.hidden, bias=False)
        self.ffn_up = nn.Linear(config.width, config.hidden, bias=False)
        self.ffn_down = nn.Linear(config.hidden, config.width, bias=False)

    def attend(self, x, table):
        c, (b, t, _) = self.config, x.shape
        group = c.heads // c.kv_heads
        q = rotate(self.attn_q(x).view(b, t, c.heads, c.head), *table) / math.sqrt(c.head)
        k = rotate(self.attn_k(x).view(b, t, c.kv_heads, c.head), *table)
        v = self.attn_v(x).view(b, t, c.kv_heads, c.head)
        q = q.view(b, t, c.kv_heads, group, c.head).permute(0, 2, 3, 1, 4).reshape(-1, group, t, c.head)
        k, v = (y.transpose(1, 2).reshape(-1, t, c.head) for y in (k, v))
        out = CausalAttention.apply(q, k, v)
        out = out.view(b, c.kv_heads, group, t, c.head).permute(0, 3, 1, 2, 4).reshape(b, t, c.width)
        return self.attn_output(out)

    def feed_forward(self, x):
        return self.ffn_down(F.silu(self.ffn_gate(x)) * self.ffn_up(x))

    def forward(self, x, table):
        x = x + F.dropout(self.attend(self.attn_norm(x), table), self.dropout, self.training)
        return x + F.dropout(self.feed_forward(self.ffn_norm(x)), self.dropout, self.training)


class Model(nn.Module):
    def __init__(self, config, dropout=0.0):
        super().__init__()
        self.config, self.dropout = config, dropout
        self.token_embd = nn.Embedding(config.vocabulary, config.width)
        self.blk = nn.ModuleList(Block(config, dropout) for _ in range(config.layers))
        self.output_norm = Norm(config)
        self.table = rotary_table(config)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # What adds to the residual stream starts smaller, so that depth does not inflate it.
                adds = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=0.04 / math.sqrt(2 * config.layers) if adds else 0.04)

    def forward(self, tokens):
        """Logits [B, T, vocabulary]."""
        x = F.dropout(self.token_embd(tokens), self.dropout, self.training)
        for block in self.blk:
            x = block(x, self.table)
        return F.linear(self.output_norm(x), self.token_embd.weight)

    def loss(self, inputs, targets):
        return F.cross_entropy(self(inputs).flatten(0, 1), targets.flatten())
