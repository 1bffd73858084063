#!/usr/bin/python3
"""Good files for the fuzzers to start from: seeds.py FOLDER BIN."""
import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import encoder
import gguf
import huggingface
from gguf import Model
from huggingface import Folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = dict(hidden=32, heads=2, kv_heads=1, ffn=32, context=32)

DESCRIPTIONS = [
    {"model": {"type": "Unigram", "byte_fallback": True}, "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Strip"}]},
     "pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "first"}, "decoder": {"type": "Metaspace"}},
    {"model": {"type": "SentencePiece"}, "normalizer": {"type": "SentencePiece", "precompiled_charsmap": huggingface.charsmap({"a": "b", "b": ""})},
     "added_tokens": [{"id": 9, "normalized": True, "verbatim": True}]},
    {"model": {"type": "WordLevel"}, "normalizer": {"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "Precompiled", "precompiled_charsmap": huggingface.charsmap({"a": "b"})}]},
     "pre_tokenizer": {"type": "UnicodeScripts"}},
    {"model": {"type": "WordPiece"}, "normalizer": {"type": "BertNormalizer"}, "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece"},
     "post_processor": {"type": "BertProcessing", "sep": ["<s>", 1], "cls": ["<s>", 1]}},
    {"model": {"type": "BPE", "continuing_subword_prefix": "##"}, "added_tokens": [{"id": 9, "lstrip": True, "rstrip": True, "single_word": True, "normalized": True}],
     "normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}, "pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Contiguous"}}]
MESSAGES = [{"role": "user", "content": "a"}]
# The first byte of each input, which chooses the reader, and a body.
DIALECTS = {
    "ollama": [(0, {"model": "m:latest", "messages": MESSAGES, "stream": False, "keep_alive": "5m", "options": {
                   "num_predict": 3, "temperature": 0.5, "top_k": 4, "top_p": 0.9, "min_p": 0.1, "seed": 1, "stop": ["a"],
                   "repeat_penalty": 1.1, "repeat_last_n": -1, "num_ctx": 64}}),
               (1, {"prompt": "a", "system": "b", "raw": True, "format": "", "images": []}),
               (2, {"input": ["a", "b"], "truncate": False}), (3, {"prompt": "a"})],
    "anthropic": [(0, {"model": "m", "max_tokens": 3, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
                       "system": "s", "temperature": 0.5, "top_p": 0.9, "top_k": 4, "stop_sequences": ["a"], "stream": True,
                       "thinking": {"type": "disabled"}}), (1, {"messages": MESSAGES, "tools": []})],
    "gemini": [(0, {"contents": [{"role": "model", "parts": [{"text": "a"}]}], "systemInstruction": {"parts": [{"text": "s"}]},
                    "generationConfig": {"temperature": 1, "topP": 0.9, "topK": 4.0, "maxOutputTokens": 3, "candidateCount": 2,
                                         "stopSequences": ["a"], "seed": 1, "responseMimeType": "text/plain"}}),
               (1, {"generateContentRequest": {"contents": {"parts": [{"text": "a"}]}}}),
               (2, {"contents": {"parts": []}, "system_instruction": "s", "generation_config": {}})],
    "bedrock": [(0, {"messages": [{"role": "user", "content": [{"text": "a"}]}], "system": [{"text": "s"}],
                     "inferenceConfig": {"maxTokens": 3, "temperature": 0.5, "topP": 0.9, "stopSequences": ["a"]},
                     "additionalModelRequestFields": {"top_k": 4, "seed": 1}}),
                (1, {"prompt": "a", "max_gen_len": 3, "temperature": 0.5, "top_p": 0.9}),
                (1, {"anthropic_version": "v", "max_tokens": 3, "messages": MESSAGES}),
                (2, {"input": {"invokeModel": {"body": "eyJwcm9tcHQiOiJIaSJ9"}}}),
                (2, {"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "a"}]}]}}})],
}


def main():
    out, tools = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    for name in ("gguf", "onnx", "safetensors", "huggingface", "sentencepiece", "tokenizer", "arch", "quant-config", "lpx", "assembly", "machine", "http", "openai",
                 "ollama", "anthropic", "gemini", "bedrock"):
        (out / name).mkdir(parents=True, exist_ok=True)
    for i, model in enumerate([Model(vocabulary=32, kind="q8_0", **SMALL), Model(vocabulary=32, kind="q4_0", version=2, **SMALL),
                               Model(vocabulary=32, kind="f16", tied=True, **SMALL),
                               Model(vocabulary=280, tokenizer="llama", **SMALL), Model(vocabulary=280, tokenizer="gpt2", **SMALL)]):
        gguf.write(out / "gguf" / f"{i}.gguf", model)
    small = dict(hidden=16, heads=1, layers=1, ffn=16, vocabulary=8, positions=8)
    for i, (form, options) in enumerate([("float", {}), ("float", dict(fused_norm=True, gelu="tanh")), ("dynamic", {}), ("qdq", {}), ("qat", {}),
                                        ("float", dict(head="sentence", gelu="quick", key="dynamo", guard=True)), ("float", dict(head="answers", ids_positions=True)),
                                        ("float", dict(fused=True, fused_norm=True))]):
        encoder.save(encoder.build(encoder.Encoder(**small, **options), form), out / "onnx" / f"{i}.onnx")
    for i, folder in enumerate([Folder(Model(vocabulary=32, **SMALL), kind="F16"), Folder(Model(vocabulary=32, **SMALL), kind="BF16", form="gptq")]):
        (out / "safetensors" / f"{i}").write_bytes(huggingface.safetensors(folder.tensors()[0]))
        for tokenizer in (huggingface.byte_level_tokenizer(300), huggingface.sentencepiece_tokenizer(300)):
            text = json.dumps(folder.configuration()) + "\0" + json.dumps(tokenizer)
            (out / "huggingface" / f"{i}-{tokenizer['post_processor']['type']}").write_text(text)
            stages = {k: v for k, v in tokenizer.items() if k != "model"} | {"model": {"type": "BPE"}}
            (out / "tokenizer" / f"{i}-{tokenizer['post_processor']['type']}").write_text(json.dumps(stages | {"added_tokens": []}) + "\0ab 1")
    for i, description in enumerate(DESCRIPTIONS):
        (out / "tokenizer" / str(i)).write_text(json.dumps(description) + "\0ab <think>é 12")
    for i, kind in enumerate((1, 2)):
        settings = {"add_eos_token": True, "added_tokens_decoder": {"9": {"content": "<x>", "special": False}}} if i else {}
        (out / "sentencepiece" / str(i)).write_bytes(json.dumps(settings).encode() + b"\0" + huggingface.sentencepiece_model(262, kind=kind))
    for yaml in (ROOT / "models" / "arch").glob("*.yaml"):
        shutil.copy(yaml, out / "arch")
    (out / "quant-config" / "0").write_text("weights: keep\nactivations: a8\nkv: int16\nrules:\n- {tensors: 'blk.*.ffn_*', weights: int4-group}\n"
                                            "- layers: 0-7\n  activations: a16\n")
    start = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    for i, rest in enumerate(("Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                              "Expect: 100-continue\r\nA: b\r\n\r\n")):
        (out / "http" / str(i)).write_text(start + rest, newline="")
    for i, body in enumerate((
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "max_tokens": 3, "n": 2,
             "stop": ["a"], "stream": True, "stream_options": {"include_usage": True}, "logprobs": True, "top_logprobs": 3, "tools": None},
            {"prompt": [[1, 2], [3]], "logprobs": 2, "echo": False, "suffix": ""}, {"input": ["a"], "encoding_format": "base64"})):
        (out / "openai" / str(i)).write_text(chr(i) + json.dumps(body))
    for dialect, bodies in DIALECTS.items():
        for i, (which, body) in enumerate(bodies):
            (out / dialect / str(i)).write_text(chr(which) + json.dumps(body))
    for source in (ROOT / "tests" / "lit" / "isa" / "Inputs").glob("*.s"):
        shutil.copy(source, out / "assembly")
    for yaml in (ROOT / "isa" / "arch").glob("*.yaml"):
        shutil.copy(yaml, out / "machine")
    if not (tools / "lpu-as").exists():
        print(f"no lpu-as in {tools}: the container fuzzer starts without a seed", file=sys.stderr)
        return
    for source in (out / "assembly").glob("*.s"):
        for machine in ("small", "tsp1"):
            subprocess.run([tools / "lpu-as", source, f"--machine={machine}", "-o", out / "lpx" / f"{source.stem}-{machine}.lpx"])


main()
