#!/usr/bin/python3
"""Hugging Face folders against GGUF files of the same weights: the same logits and the same tokens, bit for bit.

Folders come from tests/support/huggingface.py: F32, F16 and BF16, in one file and in several, and 4-bit groups as GPTQ
and AWQ tools write them.
"""
import json
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import tools
from tools import Case, ids, np, run, succeed

import gguf
import huggingface
from gguf import Model
from huggingface import Folder

PROMPT = [3, 99, 17, 64, 127, 0, 5]
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}


class HuggingFace(Case):
    def check(self, folder, **twin):
        """Logits of a folder and of its twin; returns the folder's."""
        path, file = self.dir / "model", self.dir / "twin.gguf"
        effective = folder.write(path)
        huggingface.twin(file, folder.model, effective, **twin)
        logits = self.interpret(path, PROMPT)
        self.assertGreater(float(logits.std()), 0.1)
        self.assert_same_bits(logits, self.interpret(file, PROMPT))
        return logits

    def test_float_types(self):
        for kind in ("F32", "F16", "BF16"):
            with self.subTest(kind):
                self.check(Folder(Model(layers=2), kind=kind))

    def test_mistral_heads_wider_than_hidden(self):
        self.check(Folder(Model(head_dim=32), model_type="mistral"))

    def test_qwen2_tied_in_three_files(self):
        self.check(Folder(Model(architecture="qwen2", tied=True, layers=2), kind="BF16", files=3))

    def test_groups_of_four_bits(self):
        for form in ("gptq", "gptq_v2", "gptq+act", "awq"):
            for size in (32, -1):
                with self.subTest(f"{form}, {size}"):
                    self.check(Folder(Model(seed=3), kind="F16", form=form, group_size=size))

    def test_groups_with_biases(self):
        for form in ("gptq", "gptq_v2", "gptq+act", "awq"):
            with self.subTest(form):
                self.check(Folder(Model(architecture="qwen2", layers=2), kind="F16", form=form))

    def test_linear_rope_scaling(self):
        scaling = {"llama.rope.scaling.type": (gguf.STRING, "linear"), "llama.rope.scaling.factor": (gguf.F32, 4.0)}
        self.check(Folder(Model(), config={"rope_scaling": {"type": "linear", "factor": 4.0}}), keys=scaling)

    def test_llama3_rope_scaling(self):
        divisors = []
        for i in range(8):
            turns = 64 * 10000.0 ** (-i / 8) / (2 * math.pi)
            smooth = min(max((turns - 1) / 3, 0), 1)
            divisors.append(1 / ((1 - smooth) / 8 + smooth))
        self.assertEqual((divisors[0], divisors[-1]), (1, 8))
        self.assertTrue(any(1 < d < 8 for d in divisors))
        scaled = self.check(Folder(Model(), config={"rope_scaling": LLAMA3}), tensors=[gguf.tensor("rope_freqs.weight", divisors, gguf.TYPE_F32)])
        self.assertTrue((scaled[1:] != self.check(Folder(Model()))[1:]).any())

    def test_window_of_the_whole_context_is_none(self):
        model = Model()
        self.check(Folder(model, model_type="mistral", config={"sliding_window": model.context}))

    def prompts_agree(self, model, document, texts, keys=None):
        path, file = self.dir / "model", self.dir / "twin.gguf"
        effective = Folder(model).write(path)
        (path / "tokenizer.json").write_text(json.dumps(document))
        config = json.loads((path / "config.json").read_text())
        end = gguf.tokenizer_keys(model.tokenizer, model.vocabulary)["tokenizer.ggml.eos_token_id"][1]
        (path / "config.json").write_text(json.dumps(config | {"eos_token_id": [end]}))
        huggingface.twin(file, model, effective, keys=keys)
        programs = [self.dir / "a.lpx", self.dir / "b.lpx"]
        for source, program in zip((path, file), programs):
            succeed("lpucc", source, "-o", program, "--max-context=32")
        for text in texts:
            ours, logits = self.lpu_run(programs[0], "--prompt", text, "-n", 3)
            theirs, others = self.lpu_run(programs[1], "--prompt", text, "-n", 3)
            self.assertEqual((ours["prompt_tokens"], ours["tokens"], ours["text"]), (theirs["prompt_tokens"], theirs["tokens"], theirs["text"]))
            self.assert_same_bits(logits, others)
            self.assert_steps_as_predicted(ours)

    def test_byte_level_tokenizer(self):
        model = Model(tokenizer="gpt2", vocabulary=300, context=32)
        pre = {"tokenizer.ggml.pre": (gguf.STRING, "qwen2"), "tokenizer.ggml.add_bos_token": (gguf.BOOL, False)}
        self.prompts_agree(model, huggingface.byte_level_tokenizer(300), ["Once in the 7é 12\n", "the on"], pre)

    def test_sentencepiece_tokenizer(self):
        model = Model(tokenizer="llama", vocabulary=400, context=32)
        self.prompts_agree(model, huggingface.sentencepiece_tokenizer(400), ["the on\n", "in re hé there", "once  an"])

    def test_vocabulary_smaller_than_the_embedding(self):
        model = Model(tokenizer="gpt2", vocabulary=300, context=32)
        document = huggingface.byte_level_tokenizer(280)
        Folder(model).write(self.dir / "m")
        (self.dir / "m" / "tokenizer.json").write_text(json.dumps(document))
        succeed("lpucc", self.dir / "m", "-o", self.dir / "m.lpx")
        report, _ = self.lpu_run(self.dir / "m.lpx", "--prompt", "the", "-n", 1, "--ignore-eos")
        self.assertTrue(all(t < 280 for t in report["prompt_tokens"]))


class Refused(Case):
    """Every fault of a folder is one line that names the file and what is wrong."""

    def setUp(self):
        super().setUp()
        self.path = self.dir / "model"

    def refuse(self, *words):
        done = run("lpucc", self.path, "-o", self.dir / "o.lpx")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
        for word in ("error: ", *words):
            self.assertIn(word, done.stderr)
        self.assertFalse((self.dir / "o.lpx").exists())

    def test_configurations(self):
        Folder(Model()).write(self.path)
        good = json.loads((self.path / "config.json").read_text())
        for change, words in [
                ({"model_type": "gemma"}, ["model_type \"gemma\" is not supported"]), ({"model_type": None}, ["model_type \"\""]),
                ({"hidden_act": "gelu"}, ["hidden_act \"gelu\""]), ({"attention_bias": True}, ["\"attention_bias\" is true"]),
                ({"num_hidden_layers": "2"}, ["\"num_hidden_layers\" must be a whole number"]), ({"hidden_size": -64}, ["\"hidden_size\""]),
                ({"num_key_value_heads": 3}, ["3 KV heads do not divide 4 heads"]), ({"head_dim": 15}, ["heads are 15 wide"]),
                ({"rms_norm_eps": 0}, ["\"rms_norm_eps\" must be a positive number"]), ({"vocab_size": 10**12}, ["\"vocab_size\""]),
                ({"rope_scaling": {"type": "yarn", "factor": 2}}, ["rope_scaling of type \"yarn\""]), ({"rope_scaling": 7}, ["\"rope_scaling\""]),
                ({"rope_scaling": {"rope_type": "llama3", "factor": 8}}, ["needs low_freq_factor"]), ({"bos_token_id": 4096}, ["\"bos_token_id\""]),
                ({"quantization_config": {"quant_method": "bitsandbytes"}}, ["method \"bitsandbytes\" is not supported"]),
                ({"quantization_config": {"quant_method": "gptq", "bits": 8, "group_size": 32}}, ["8 bits, only 4"]),
                ({"intermediate_size": 97}, ["model.safetensors", "mlp.gate_proj.weight", "[97, 64]"]),
                ({"num_hidden_layers": 2}, ["\"model.layers.1.input_layernorm.weight\" is missing"]),
                ({"tie_word_embeddings": True, "vocab_size": 127}, ["model.embed_tokens.weight", "[127, 64]"])]:
            with self.subTest(str(change)):
                (self.path / "config.json").write_text(json.dumps(good | change))
                self.refuse(*words)
        for text in ("{", "[]", "", '{"model_type": "llama"'):
            with self.subTest(text):
                (self.path / "config.json").write_text(text)
                self.refuse("config.json")

    def test_long_rope(self):
        model = Model(architecture="phi3", rotary=8, short_factors=(1.0, 1.5, 2.0, 3.0), original=32)
        Folder(model).write(self.path)
        good = json.loads((self.path / "config.json").read_text())
        scaling = good["rope_scaling"]
        for change, words in [
                ({"rope_scaling": scaling | {"short_factor": [1.0]}}, ["\"short_factor\" must be a list of a number for each pair"]),
                ({"rope_scaling": scaling | {"short_factor": [1, 2, 3, -1]}}, ["\"short_factor\" must be a list of positive numbers"]),
                ({"rope_scaling": scaling | {"type": "yarn", "factor": 2.0}}, ["rope_scaling of type \"yarn\" is not supported"]),
                ({"original_max_position_embeddings": None}, ["\"original_max_position_embeddings\" must be"]),
                ({"partial_rotary_factor": 0.45}, ["\"partial_rotary_factor\": rope over 7"]),
                ({"partial_rotary_factor": 2}, ["\"partial_rotary_factor\": rope over 32"])]:
            with self.subTest(str(change)):
                (self.path / "config.json").write_text(json.dumps(good | change))
                self.refuse("config.json", *words)

    def test_layers_without_rope(self):
        Folder(Model(architecture="smollm3", layers=4)).write(self.path)
        good = json.loads((self.path / "config.json").read_text())
        for layers in ([1, 1, 1], [1, 1, 1, 2], 4):
            with self.subTest(layers):
                (self.path / "config.json").write_text(json.dumps(good | {"no_rope_layers": layers}))
                self.refuse("config.json", "\"no_rope_layers\" must be a list of 0 or 1")

    def test_files(self):
        folder = Folder(Model(), files=2)
        folder.write(self.path)
        first = next(self.path.glob("*00001-of-00002*"))
        index = self.path / "model.safetensors.index.json"
        listed, data = json.loads(index.read_text()), first.read_bytes()
        first.write_bytes(data[:-1])
        self.refuse(first.name, "of data")
        first.write_bytes(b"\xff" * 8 + data[8:])
        self.refuse(first.name, "the table's length")
        first.unlink()
        self.refuse(first.name, "cannot be opened")
        first.write_bytes(data)
        index.write_text(json.dumps({"weight_map": listed["weight_map"] | {"lm_head.weight": "../x.safetensors"}}))
        self.refuse("index.json", "\"lm_head.weight\" must be in a file of the folder")
        index.write_text(json.dumps({"weight_map": listed["weight_map"] | {"more": first.name}}))
        self.refuse(first.name, "\"more\" is missing")
        index.write_text("{}")
        self.refuse("index.json", "weight_map")
        index.unlink()
        (self.path / "copy.safetensors").write_bytes(data)
        self.refuse("in another file of the folder as well")
        (self.path / "config.json").unlink()
        self.refuse("config.json", "holds *.safetensors files and no config.json")

    def test_tensors(self):
        folder = Folder(Model())
        folder.write(self.path)
        tensors, _ = folder.tensors()
        gate = "model.layers.0.mlp.gate_proj.weight"
        raw, kind, shape = tensors[gate]
        nan = np.frombuffer(raw, "<f4").copy()
        nan[70] = math.nan
        for change, words in [
                ({gate: (nan.tobytes(), kind, shape)}, [gate, "value [1, 6] NaN"]), ({gate: (raw, "I32", shape)}, [gate, "type I32"]),
                ({gate: (raw, kind, shape[::-1])}, [gate, "must have the shape [96, 64]"]),
                ({"model.layers.0.mlp.experts": (raw, kind, shape)}, ["experts", "not part of the supported llama architecture"]),
                ({"model.layers.0.mlp.up_proj.bias": (raw, kind, shape)}, ["up_proj.bias", "not part of"])]:
            with self.subTest(str(words)):
                (self.path / "model.safetensors").write_bytes(huggingface.safetensors(tensors | change))
                self.refuse("model.safetensors", *words)
        # Biases of zeros, as some tools write them, and frequencies that rope implies change nothing.
        harmless = {"model.layers.0.mlp.up_proj.bias": (bytes(96 * 4), "F32", [96]), "model.layers.0.self_attn.rotary_emb.inv_freq": (bytes(32), "F32", [8])}
        (self.path / "model.safetensors").write_bytes(huggingface.safetensors(tensors | harmless))
        succeed("lpucc", self.path, "-o", self.dir / "o.lpx")

    def test_groups(self):
        folder = Folder(Model(), form="gptq")
        folder.write(self.path)
        tensors, _ = folder.tensors()
        stem = "model.layers.0.mlp.gate_proj."
        for part, words in [("qzeros", ["qzeros", "missing"]), ("scales", ["scales", "missing"])]:
            broken = {k: v for k, v in tensors.items() if k != stem + part}
            (self.path / "model.safetensors").write_bytes(huggingface.safetensors(broken))
            self.refuse(stem, *words)
        for part, value, words in [("g_idx", (b"\x05" * 256, "I32", [64]), ["g_idx", "names group"]), ("qweight", (bytes(96 * 32), "I32", [96, 8]), ["qweight", "[8, 96]"]),
                                   ("scales", (bytes(96 * 8), "I32", [2, 96]), ["scales", "must be F32, F16 or BF16"])]:
            (self.path / "model.safetensors").write_bytes(huggingface.safetensors(tensors | {stem + part: value}))
            self.refuse(stem, *words)

    def test_tokenizers(self):
        Folder(Model(vocabulary=300)).write(self.path)
        good = huggingface.byte_level_tokenizer(300)
        model = good["model"]
        step = lambda kind, **fields: {"type": kind, **fields}
        for change, words in [
                ({"model": model | {"type": "Morse"}}, ["tokenizer model \"Morse\""]), ({"model": model | {"vocab": []}}, ["model.vocab"]),
                ({"model": model | {"vocab": {"x": 2 ** 20}}}, ["token \"x\" must have an id below"]),
                ({"model": model | {"merges": [["a"]]}}, ["merge 0 must be two tokens"]),
                ({"model": model | {"merges": ["z q"]}}, ["merge 0 needs \"zq\", which is not in the vocabulary"]),
                ({"model": 3}, ["tokenizer model \"\""]), ({"added_tokens": [7]}, ["must have an id"]),
                ({"model": step("Unigram", vocab=[["a"]])}, ["token 0 of model.vocab"]),
                ({"normalizer": step("Sequence", normalizers=[step("NFC"), step("Rot13")])}, ["normalizer's step \"Rot13\"", "NFKC"]),
                ({"pre_tokenizer": step("Morse")}, ["pre-tokenizer's step \"Morse\"", "WhitespaceSplit"]),
                ({"pre_tokenizer": step("Split", pattern={"Regex": "(x"}, behavior="Isolated")}, ["step \"Split\"", "'(x'"]),
                ({"post_processor": step("Morse")}, ["post-processor's step \"Morse\""]), ({"decoder": step("CTC")}, ["decoder's step \"CTC\""])]:
            with self.subTest(str(words)):
                (self.path / "tokenizer.json").write_text(json.dumps(good | change))
                self.refuse("tokenizer.json", *words)
        (self.path / "tokenizer.json").write_text("{]")
        self.refuse("tokenizer.json", "JSON at byte 2")


if __name__ == "__main__":
    tools.main()
