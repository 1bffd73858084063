"""Byte-pair vocabulary in the SentencePiece style: training, encoding, decoding.

Encoding is the rule GGUF readers use for `tokenizer.ggml.model = "llama"`: start from single characters (or
byte tokens, where a character is no piece) and keep merging the adjacent pair whose joined piece scores best.
Training keeps every word segmented by that very rule, so what the trainer counted is what an encoder later sees.
"""
import re
from collections import Counter, defaultdict

SPACE = "\u2581"
UNKNOWN, BOS, EOS, FIRST_BYTE = 0, 1, 2, 3
FIRST_PIECE = FIRST_BYTE + 256
NORMAL_TYPE, UNKNOWN_TYPE, CONTROL_TYPE, BYTE_TYPE = 1, 2, 3, 6

# No learned piece crosses one of these words: an interior space, or letters next to punctuation, never occur
# inside a piece. A reader that merges over the whole text therefore finds the same pieces as we do per word.
WORD = re.compile(f"{SPACE}?[A-Za-z']+|{SPACE}?[^{SPACE}A-Za-z'0-9\n]+|{SPACE}?[0-9]|\n|{SPACE}")

# Left out of the alphabet on purpose: real Llama vocabularies also spell the newline as byte token <0x0A>.
NEVER_A_PIECE = {"\n"}


def split_words(text):
    return WORD.findall(text.replace(" ", SPACE))


def merge_best_first(symbols, rank):
    """Merge adjacent symbols, the best-ranked (lowest) joined piece first, leftmost on a tie."""
    symbols = list(symbols)
    while True:
        ranked = [(rank[joined], at) for at, joined in enumerate(map("".join, zip(symbols, symbols[1:])))
                  if joined in rank]
        if not ranked:
            return symbols
        at = min(ranked)[1]
        symbols[at:at + 2] = [symbols[at] + symbols[at + 1]]


def learn_merges(words, alphabet, count):
    """`words` maps a word to how often it occurs. Returns `count` pieces, the most valuable first."""
    # A character outside of the alphabet ends a run: nothing is ever merged with it.
    runs = Counter()
    for word, times in words.items():
        for run in "".join(c if c in alphabet else "\0" for c in word).split("\0"):
            if len(run) > 1:
                runs[run] += times
    runs = list(runs.items())
    segmented = [list(run) for run, _ in runs]
    value, holders = Counter(), defaultdict(set)

    def account(index, sign):
        symbols = segmented[index]
        for joined in map("".join, zip(symbols, symbols[1:])):
            value[joined] += sign * runs[index][1]
            if sign > 0:
                holders[joined].add(index)

    for index in range(len(runs)):
        account(index, +1)
    rank = {}
    while len(rank) < count:
        best = min(value.items(), key=lambda item: (-item[1], item[0]))[0]
        rank[best] = len(rank)
        for index in sorted(holders.pop(best)):
            account(index, -1)
            segmented[index] = merge_best_first(segmented[index], rank)
            account(index, +1)
        del value[best]
    return list(rank)


class Tokenizer:
    def __init__(self, pieces):
        """`pieces`: those after the special and byte tokens, in the order of their ids."""
        self.pieces = list(pieces)
        self.tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + self.pieces
        self.scores = [0.0] * FIRST_PIECE + [-float(rank) for rank in range(len(self.pieces))]
        self.types = ([UNKNOWN_TYPE, CONTROL_TYPE, CONTROL_TYPE] + [BYTE_TYPE] * 256
                      + [NORMAL_TYPE] * len(self.pieces))
        self.rank = {piece: rank for rank, piece in enumerate(self.pieces)}
        self.known = {}

    @classmethod
    def train(cls, text, size, rarest_character=50):
        words = Counter(split_words(text))
        letters = Counter()
        for word, times in words.items():
            for c in word:
                letters[c] += times
        alphabet = [c for c, times in sorted(letters.items(), key=lambda item: (-item[1], item[0]))
                    if times >= rarest_character and c not in NEVER_A_PIECE]
        merges = learn_merges(words, set(alphabet), size - FIRST_PIECE - len(alphabet))
        return cls(merges + alphabet)

    def encode_word(self, word):
        ids = self.known.get(word)
        if ids is None:
            ids = []
            for symbol in merge_best_first(word, self.rank):
                if symbol in self.rank:
                    ids.append(FIRST_PIECE + self.rank[symbol])
                else:
                    ids += [FIRST_BYTE + b for b in symbol.encode()]
            self.known[word] = ids
        return ids

    def encode(self, text):
        """Ids of `text` with the customary space put before it; no BOS."""
        return [i for word in split_words(" " + text) for i in self.encode_word(word)]

    def decode(self, ids):
        out = b""
        for i in ids:
            if FIRST_BYTE <= i < FIRST_PIECE:
                out += bytes([i - FIRST_BYTE])
            elif i >= FIRST_PIECE:
                out += self.tokens[i].replace(SPACE, " ").encode()
        return out.decode(errors="replace")
