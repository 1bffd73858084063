#!/usr/bin/python3
"""Prompts of models as people have them: ids by their files' own rules, and what is not known refused before compiling.

Expected ids follow from the rules that llama.cpp and Hugging Face's library publish; the vocabularies are small.
"""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, run, succeed

import gguf
import huggingface
from gguf import ARRAY, BOOL, I32, STRING, U32, Model
from huggingface import Folder

VOCABULARY = 300
BEGIN, END, THINK = VOCABULARY - 3, VOCABULARY - 2, VOCABULARY - 1


class Tokenizers(Case):
    def ids(self, source, prompt, *options):
        """Of a prompt, by way of a compiled program."""
        program = self.dir / "m.lpx"
        succeed("lpucc", source, "-o", program)
        report, _ = self.lpu_run(program, "--prompt", prompt, "-n", 1, *options)
        return report["prompt_tokens"]

    def generated(self, source, *options):
        program = self.dir / "m.lpx"
        succeed("lpucc", source, "-o", program)
        report, _ = self.lpu_run(program, "--tokens=3,7", "-n", 8, *options)
        return report["tokens"]

    def ending(self, source):
        """(what a model generates by itself up to its third token, that token)"""
        tokens = self.generated(source, "--ignore-eos")
        self.assertNotIn(tokens[2], tokens[:2])
        return tokens[:3], tokens[2]


class Gguf(Tokenizers):
    def write(self, kind="gpt2", without=(), **changes):
        """A model whose last three tokens are <s> and </s> (control), and <think> (user-defined)."""
        path, model = self.dir / "m.gguf", Model(layers=1, tokenizer=kind, vocabulary=VOCABULARY)
        keys, tensors = gguf.build(model)
        for name, changed in (("tokens", ["<s>", "</s>", "<think>"]), ("token_type", [3, 3, 4])):
            of, values = keys[f"tokenizer.ggml.{name}"][1]
            keys[f"tokenizer.ggml.{name}"] = (ARRAY, (of, values[:-3] + changed))
        keys |= {"tokenizer.ggml.bos_token_id": (U32, BEGIN), "tokenizer.ggml.eos_token_id": (U32, END)}
        keys |= {f"tokenizer.ggml.{name}": value for name, value in changes.items()}
        path.write_bytes(gguf.encode({k: v for k, v in keys.items() if k not in without}, tensors))
        return path

    @staticmethod
    def spelled(text):
        """Ids of single characters, which come first in the vocabulary, by their bytes."""
        return list(text.encode())

    def test_bos_where_no_key_says(self):
        for name, begins in (("llama-bpe", True), ("falcon3", True), ("tekken", True), ("qwen2", False), ("smaug-bpe", False)):
            with self.subTest(name):
                ids = self.ids(self.write(pre=(STRING, name)), "q")
                self.assertEqual(ids, [BEGIN] * begins + self.spelled("q"))

    def test_bos_where_a_key_says(self):
        for name in ("llama-bpe", "qwen2"):
            for begins in (True, False):
                with self.subTest(name, begins=begins):
                    path = self.write(pre=(STRING, name), add_bos_token=(BOOL, begins))
                    self.assertEqual(self.ids(path, "q"), [BEGIN] * begins + self.spelled("q"))

    def test_digits_by_pre_tokenizer(self):
        merges = (ARRAY, (STRING, ["1 2", "12 3", "3 4"]))
        tokens, types = gguf.tokenizer_keys("gpt2", VOCABULARY)["tokenizer.ggml.tokens"][1][1], [1] * (VOCABULARY - 3) + [3, 3, 4]
        tokens = tokens[:256] + ["12", "123", "34"] + tokens[259:-3] + ["<s>", "</s>", "<think>"]
        keys = {"merges": merges, "tokens": (ARRAY, (STRING, tokens)), "token_type": (ARRAY, (I32, types))}
        for name, expected in (("gpt-2", [257, ord("4")]), ("default", [257, ord("4")]), ("deepseek-v3", [257, ord("4")]), ("smaug-bpe", [257, ord("4")]),
                               ("smollm", self.spelled("1234")), ("deepseek-r1-qwen", self.spelled("1234")), ("megrez", self.spelled("1234"))):
            with self.subTest(name):
                self.assertEqual(self.ids(self.write(pre=(STRING, name), **keys), "1234"), expected)

    def test_user_defined_tokens_are_one_id(self):
        ids = self.ids(self.write(pre=(STRING, "qwen2")), "q<think>z</s>")
        self.assertEqual(ids, self.spelled("q") + [THINK] + self.spelled("z</s>"))

    def test_special_tokens_where_asked_for(self):
        ids = self.ids(self.write(pre=(STRING, "qwen2")), "<s>q<think></s>z", "--special")
        self.assertEqual(ids, [BEGIN, *b"q", THINK, END, *b"z"])

    def test_a_pre_tokenizer_that_is_not_known(self):
        path, out = self.write(pre=(STRING, "morse")), self.dir / "out.lpx"
        for tool, options in (("lpucc", ["-o", out]), ("lpu-interpret", ["--tokens=1", f"--logits={out}"])):
            done = run(tool, path, *options)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
            for words in (str(path), "tokenizer.ggml.pre", '"morse"', "llama-bpe", "gguf-new-metadata"):
                self.assertIn(words, done.stderr)
            self.assertFalse(out.exists())

    def test_empty_prompt_of_sentencepiece(self):
        path = self.dir / "m.gguf"
        gguf.write(path, Model(layers=1, tokenizer="llama", vocabulary=400))
        self.assertEqual(self.ids(path, ""), [1])

    def test_end_tokens_by_key(self):
        expected, end = self.ending(self.write())
        for name in ("eos", "eot", "eom"):
            with self.subTest(name):
                self.assertEqual(self.generated(self.write(**{f"{name}_token_id": (U32, end)})), expected)

    def test_end_tokens_by_their_text(self):
        expected, end = self.ending(self.write())
        tokens = gguf.tokenizer_keys("gpt2", VOCABULARY)["tokenizer.ggml.tokens"][1][1][:-3] + ["<s>", "</s>", "<think>"]
        for text in ("<|eot_id|>", "<|im_end|>", "<end_of_turn>"):
            with self.subTest(text):
                tokens[end] = text
                self.assertEqual(self.generated(self.write(tokens=(ARRAY, (STRING, tokens)))), expected)

    def test_end_tokens_outside_of_the_vocabulary(self):
        for name in ("eot", "eom"):
            done = run("lpucc", self.write(**{f"{name}_token_id": (U32, VOCABULARY)}), "-o", self.dir / "out.lpx")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"tokenizer.ggml.{name}_token_id", done.stderr)


class HuggingFaceFolders(Tokenizers):
    def write(self, document, **files):
        """A folder with a tokenizer.json, and other JSON files by their names."""
        path = self.dir / "hf"
        Folder(Model(layers=1, vocabulary=VOCABULARY)).write(path)
        for name, content in {"tokenizer": document, **files}.items():
            (path / f"{name}.json").write_text(json.dumps(content))
        return path

    @staticmethod
    def bytes_with(**changes):
        """A vocabulary of bytes and some words, split as GPT-2 splits, with one special token."""
        document = huggingface.byte_level_tokenizer(VOCABULARY)
        document["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
        return document | changes

    def piece(self, text):
        return self.bytes_with()["model"]["vocab"][text]

    def test_nfc(self):
        path = self.write(self.bytes_with(normalizer={"type": "NFC"}))
        self.assertEqual(self.ids(path, "e\u0301"), [0xC3, 0xA9])
        path = self.write(self.bytes_with())
        self.assertEqual(self.ids(path, "e\u0301"), [ord("e"), 0xCC, 0x81])

    def test_prefix_space(self):
        path = self.write(self.bytes_with(pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True}))
        self.assertEqual(self.ids(path, "the"), [self.piece("Ġthe")])

    def test_digits(self):
        steps = [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False}]
        path = self.write(self.bytes_with(pre_tokenizer={"type": "Sequence", "pretokenizers": steps}))
        self.assertEqual(self.ids(path, "on 12"), [self.piece("on"), ord(" "), ord("1"), ord("2")])

    def test_added_tokens(self):
        added = lambda id, content, **flags: {"id": id, "content": content, "special": False, "normalized": False, **flags}
        tokens = [added(290, "<think>"), added(291, "fox", single_word=True), added(292, "<L>", lstrip=True), added(293, "<R>", rstrip=True),
                  added(294, "<|end|>", special=True)]
        path = self.write(self.bytes_with(added_tokens=tokens))
        self.assertEqual(self.ids(path, "q<think>"), [ord("q"), 290])
        self.assertEqual(self.ids(path, "fox foxy"), [291, ord(" "), *b"foxy"])
        self.assertEqual(self.ids(path, "q <L> z"), [ord("q"), 292, ord(" "), ord("z")])
        self.assertEqual(self.ids(path, "q<R> z"), [ord("q"), 293, ord("z")])
        self.assertEqual(self.ids(path, "<|end|>"), list(b"<|end|>"))

    def test_added_tokens_beyond_the_embedding(self):
        tokens = [{"id": VOCABULARY + 5, "content": "<pad>", "special": False}]
        path = self.write(self.bytes_with(added_tokens=tokens))
        self.assertEqual(self.ids(path, "q"), [ord("q")])
        done = run("lpu-run", self.dir / "m.lpx", "--prompt", "q<pad>", "-n", 1)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
        self.assertIn(f"token {VOCABULARY + 5}", done.stderr)

    def test_end_tokens_of_every_file(self):
        path = self.write(self.bytes_with())
        expected, end = self.ending(path)
        config = json.loads((path / "config.json").read_text())
        for name, content in (("config", config | {"eos_token_id": [1, end]}), ("generation_config", {"eos_token_id": [1, end]}),
                              ("generation_config", {"eos_token_id": end})):
            for has_tokenizer in (True, False):
                with self.subTest(name, has_tokenizer=has_tokenizer):
                    path = self.write(self.bytes_with(), **{name: content})
                    if not has_tokenizer:
                        (path / "tokenizer.json").unlink()
                    self.assertEqual(self.generated(path), expected)
                    (path / f"{name}.json").unlink()
        piece = next(text for text, id in self.bytes_with()["model"]["vocab"].items() if id == end)
        self.assertEqual(self.generated(self.write(self.bytes_with(), tokenizer_config={"eos_token": {"content": piece}})), expected)

    def test_the_other_models(self):
        spaces = {"type": "Metaspace", "prepend_scheme": "always"}
        pieces = [["<unk>", 0], ["▁", -3], ["a", -2], ["b", -2], ["ab", -2.5], ["▁ab", -3]]
        path = self.write({"model": {"type": "Unigram", "unk_id": 0, "vocab": pieces}, "pre_tokenizer": spaces, "decoder": spaces})
        self.assertEqual(self.ids(path, "abb qb"), [5, 3, 1, 0, 3])
        vocabulary = {piece: i for i, piece in enumerate(["[UNK]", "[CLS]", "un", "##able", "##a", "."])}
        path = self.write({"model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": vocabulary}, "normalizer": {"type": "BertNormalizer"},
                           "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": {"type": "TemplateProcessing", "single": [
                               {"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"[CLS]": {"ids": [1]}}}})
        self.assertEqual(self.ids(path, "UNABLE. unq"), [1, 2, 3, 5, 0])

    def test_words(self):
        vocabulary = {word: i for i, word in enumerate(["[UNK]", "red", "fox", ","])}
        path = self.write({"model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": vocabulary}, "pre_tokenizer": {"type": "Whitespace"}})
        self.assertEqual(self.ids(path, "red fox, foxes"), [1, 2, 3, 0])

    def test_scripts(self):
        steps = [{"type": "UnicodeScripts"}, {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]
        document = self.bytes_with(pre_tokenizer={"type": "Sequence", "pretokenizers": steps})
        document["model"]["vocab"]["дhe"] = 280  # across scripts, so text never becomes it
        self.assertEqual(self.ids(self.write(document), "дhe"), [0xD0, 0xB4, self.piece("he")])

    def test_maps_of_characters(self):
        charsmap = huggingface.charsmap({"a": "he", "q": ""})
        path = self.write(self.bytes_with(normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap}))
        self.assertEqual(self.ids(path, "aqz"), [self.piece("he"), ord("z")])
        for broken, text in (("%", "no base64"), ("AAAA", "shorter than four bytes")):
            path = self.write(self.bytes_with(normalizer={"type": "Precompiled", "precompiled_charsmap": broken}))
            done = run("lpucc", path, "-o", self.dir / "out.lpx")
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
            self.assertIn(text, done.stderr)

    def model_file(self, **settings):
        """A folder whose vocabulary is a tokenizer.model, the one that gguf.tokenizer_keys("llama") makes."""
        path = self.dir / "spm"
        Folder(Model(layers=1, vocabulary=340)).write(path)
        (path / "tokenizer.model").write_bytes(huggingface.sentencepiece_model(340, **settings))
        return path

    def test_vocabularies_of_sentencepiece_alone(self):
        path = self.dir / "twin.gguf"
        gguf.write(path, Model(layers=1, tokenizer="llama", vocabulary=340))
        for text in ("the on", " the  é", ""):
            self.assertEqual(self.ids(self.model_file(), text), self.ids(path, text), text)

    def test_settings_of_sentencepiece(self):
        path = self.model_file()
        added = {"290": {"content": "<|im_end|>", "special": True}, "340": {"content": "<x>", "special": False}}
        (path / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": False, "add_eos_token": True, "added_tokens_decoder": added}))
        plain = self.ids(path, "the<|im_end|>")
        self.assertEqual(plain[-1], 2)
        self.assertNotIn(290, plain)
        self.assertEqual(self.ids(path, "the<|im_end|>", "--special"), [plain[0], 290, 2])
        path = self.model_file(prefix=False)
        self.assertEqual(len(self.ids(path, "the")), 1 + 2)  # BOS, "t", "he" instead of "▁the"

    def test_vocabularies_of_sentencepiece_that_cannot_be_read(self):
        path = self.model_file()
        whole = (path / "tokenizer.model").read_bytes()
        for content, text in ((b"", "is empty"), (b"{}", "no vocabulary"), (whole[:-3], "damaged"), (b"IQ== 0\nIg== 1\n", "tiktoken"),
                              (huggingface.sentencepiece_model(340, kind=4), "words or characters"),
                              (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "LFS")):
            (path / "tokenizer.model").write_bytes(content)
            done = run("lpucc", path, "-o", self.dir / "out.lpx")
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
            self.assertIn(text, done.stderr)
            self.assertIn("tokenizer.model", done.stderr)

    def test_broken_files_beside_it(self):
        for name in ("generation_config", "tokenizer_config"):
            path = self.write(self.bytes_with())
            (path / f"{name}.json").write_text("{]")
            done = run("lpucc", path, "-o", self.dir / "out.lpx")
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
            self.assertIn(f"{name}.json", done.stderr)
            (path / f"{name}.json").unlink()


if __name__ == "__main__":
    tools.main()
