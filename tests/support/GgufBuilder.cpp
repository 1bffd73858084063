// GGUF files for tests. Shares no code with the reader under test.

#include "GgufBuilder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace lpu::test {
namespace {

using Bytes = GgufBuilder::Bytes;

void append(Bytes &to, const Bytes &more) { to.insert(to.end(), more.begin(), more.end()); }
template <typename T> void put(Bytes &to, T value) { append(to, GgufBuilder::raw(value)); }

Bytes arrayHeader(std::uint32_t kind, std::uint64_t count) {
  Bytes out;
  put(out, kind);
  put(out, count);
  return out;
}

} // namespace

Bytes GgufBuilder::text(const std::string &value) {
  Bytes out = raw(static_cast<std::uint64_t>(value.size()));
  out.insert(out.end(), value.begin(), value.end());
  return out;
}

GgufBuilder &GgufBuilder::set(const std::string &key, std::uint32_t kind, Bytes value) {
  auto it = std::find_if(entries.begin(), entries.end(), [&](const Entry &e) { return e.key == key; });
  if (it == entries.end())
    it = entries.insert(entries.end(), Entry{key, 0, {}});
  it->kind = kind;
  it->value = std::move(value);
  return *this;
}

GgufBuilder &GgufBuilder::strings(const std::string &key, const std::vector<std::string> &values) {
  Bytes out = arrayHeader(8, values.size());
  for (const std::string &value : values)
    append(out, text(value));
  return set(key, 9, out);
}

GgufBuilder &GgufBuilder::floats(const std::string &key, const std::vector<float> &values) {
  Bytes out = arrayHeader(6, values.size());
  for (float value : values)
    put(out, value);
  return set(key, 9, out);
}

GgufBuilder &GgufBuilder::ints(const std::string &key, const std::vector<std::int32_t> &values) {
  Bytes out = arrayHeader(5, values.size());
  for (std::int32_t value : values)
    put(out, value);
  return set(key, 9, out);
}

GgufBuilder &GgufBuilder::erase(const std::string &key) {
  std::erase_if(entries, [&](const Entry &e) { return e.key == key; });
  return *this;
}

GgufBuilder &GgufBuilder::tensor(const std::string &name, std::vector<std::uint64_t> dims, std::uint32_t type,
                                 Bytes data) {
  auto it = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor &t) { return t.name == name; });
  if (it == tensors.end())
    it = tensors.insert(tensors.end(), Tensor{});
  *it = {name, std::move(dims), type, std::move(data), -1};
  return *this;
}

GgufBuilder &GgufBuilder::tensorF32(const std::string &name, std::vector<std::uint64_t> dims,
                                    const std::vector<float> &values) {
  Bytes data(values.size() * sizeof(float));
  std::memcpy(data.data(), values.data(), data.size());
  return tensor(name, std::move(dims), 0, std::move(data));
}

GgufBuilder &GgufBuilder::eraseTensor(const std::string &name) {
  std::erase_if(tensors, [&](const Tensor &t) { return t.name == name; });
  return *this;
}

GgufBuilder::Tensor &GgufBuilder::at(const std::string &name) {
  return *std::find_if(tensors.begin(), tensors.end(), [&](const Tensor &t) { return t.name == name; });
}

Bytes GgufBuilder::header() const {
  Bytes out(magic.begin(), magic.end());
  put(out, version);
  put(out, static_cast<std::uint64_t>(tensorCount < 0 ? static_cast<std::int64_t>(tensors.size()) : tensorCount));
  put(out, static_cast<std::uint64_t>(keyCount < 0 ? static_cast<std::int64_t>(entries.size()) : keyCount));
  for (const Entry &entry : entries) {
    append(out, text(entry.key));
    put(out, entry.kind);
    append(out, entry.value);
  }
  std::uint64_t next = 0;
  for (const Tensor &t : tensors) {
    append(out, text(t.name));
    put(out, static_cast<std::uint32_t>(t.dims.size()));
    for (std::uint64_t dim : t.dims)
      put(out, dim);
    put(out, t.type);
    put(out, t.offset < 0 ? next : static_cast<std::uint64_t>(t.offset));
    next = (next + t.data.size() + alignment - 1) / alignment * alignment;
  }
  return out;
}

std::size_t GgufBuilder::headerSize() const { return header().size(); }

Bytes GgufBuilder::bytes() const {
  Bytes out = header();
  for (const Tensor &t : tensors) {
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    append(out, t.data);
  }
  return out;
}

GgufBuilder TinyLlama::build() const {
  GgufBuilder file;
  auto key = [&](const std::string &name) { return architecture + "." + name; };
  file.string("general.architecture", architecture).string("general.name", "tiny").u32(key("context_length"), context);
  file.u32(key("embedding_length"), hidden).u32(key("block_count"), layers).u32(key("feed_forward_length"), ffn);
  file.u32(key("attention.head_count"), heads)
      .u32(key("attention.head_count_kv"), kvHeads)
      .u32(key("attention.key_length"), headDim);
  file.f32(key("attention.layer_norm_rms_epsilon"), 1e-5f)
      .f32(key("rope.freq_base"), 10000.0f)
      .u32(key("rope.dimension_count"), headDim);
  if (tokenizer) {
    std::vector<std::string> tokens;
    for (std::uint32_t i = 0; i < vocabulary; ++i)
      tokens.push_back("t" + std::to_string(i));
    file.string("tokenizer.ggml.model", "llama").strings("tokenizer.ggml.tokens", tokens);
    file.floats("tokenizer.ggml.scores", std::vector<float>(vocabulary, -1.0f))
        .ints("tokenizer.ggml.token_type", std::vector<std::int32_t>(vocabulary, 1));
    file.u32("tokenizer.ggml.bos_token_id", 1).u32("tokenizer.ggml.eos_token_id", 2);
  }
  std::uint32_t state = seed;
  auto random = [&](std::uint64_t count, float center, float spread) {
    std::vector<float> values(count);
    for (float &v : values) {
      state = state * 1664525u + 1013904223u;
      v = center + spread * (static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
    }
    return values;
  };
  auto matrix = [&](const std::string &name, std::uint64_t rows, std::uint64_t cols) {
    file.tensorF32(name, {cols, rows}, random(rows * cols, 0.0f, 0.4f));
  };
  auto vector = [&](const std::string &name, std::uint64_t size) {
    file.tensorF32(name, {size}, random(size, 1.0f, 0.3f));
  };
  matrix("token_embd.weight", vocabulary, hidden);
  if (ropeFreqs)
    vector("rope_freqs.weight", headDim / 2);
  for (std::uint32_t i = 0; i < layers; ++i) {
    std::string block = "blk." + std::to_string(i) + ".";
    vector(block + "attn_norm.weight", hidden);
    matrix(block + "attn_q.weight", heads * headDim, hidden);
    matrix(block + "attn_k.weight", kvHeads * headDim, hidden);
    matrix(block + "attn_v.weight", kvHeads * headDim, hidden);
    matrix(block + "attn_output.weight", hidden, heads * headDim);
    if (architecture == "qwen2")
      for (auto [which, heads] : {std::pair{"q", heads}, {"k", kvHeads}, {"v", kvHeads}})
        vector(block + "attn_" + which + ".bias", heads * headDim);
    vector(block + "ffn_norm.weight", hidden);
    matrix(block + "ffn_gate.weight", ffn, hidden);
    matrix(block + "ffn_up.weight", ffn, hidden);
    matrix(block + "ffn_down.weight", hidden, ffn);
  }
  vector("output_norm.weight", hidden);
  if (!tied)
    matrix("output.weight", vocabulary, hidden);
  return file;
}

void writeFile(const std::string &path, const Bytes &bytes) {
  std::filesystem::remove(path); // rewriting in place would wait for the disk
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

std::string temporaryPath(const std::string &name) {
  struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("lpu-" + std::to_string(::getpid()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() {
      std::error_code error;
      std::filesystem::remove_all(path, error);
    }
  };
  static const Folder folder;
  return (folder.path / name).string();
}

} // namespace lpu::test
