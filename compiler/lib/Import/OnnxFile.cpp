// Opens ONNX files. Protobuf copies what it parses, so tensors in the file are held
// once; those in external files stay mapped. Before protobuf sees the bytes, their
// structure is walked and counted: many small messages or numbers in short form would
// take a multiple of the file's size in memory, and no exporter writes such files.

#include "OnnxFile.h"

#include "OnnxExpand.h"
#include "lpu/compiler/Import/GgufFile.h"
#include "lpu/isa/Numerics.h"

#include <google/protobuf/io/coded_stream.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>

namespace lpu::compiler {
namespace {

using Type = onnx::TensorProto;

std::size_t bytesOf(std::int32_t type) {
  switch (type) {
  case Type::DOUBLE:
  case Type::INT64:
    return 8;
  case Type::FLOAT:
  case Type::INT32:
    return 4;
  case Type::FLOAT16:
  case Type::BFLOAT16:
    return 2;
  case Type::INT8:
  case Type::UINT8:
  case Type::BOOL:
    return 1;
  default:
    return 0;
  }
}

/// Memory that parsing would take beyond the bytes themselves, as far as it can be told from the wire format: messages
/// and texts of the schema, and numbers in variable length. Nothing when the bytes are no protobuf.
class WireCount {
public:
  static std::optional<std::uint64_t> of(std::span<const std::uint8_t> bytes) {
    WireCount count;
    return count.walk(bytes, Message::Model, 0) ? std::optional(count.overhead) : std::nullopt;
  }

private:
  enum class Message { Model, Graph, Node, Attribute, Tensor, Other, Leaf };
  static constexpr std::uint64_t kMessageBytes = 256, kFieldBytes = 64;
  static constexpr int kDeepest = 64;

  static Message inside(Message message, std::uint32_t field) {
    switch (message) {
    case Message::Model:
      return field == 7                                                ? Message::Graph
             : field == 8 || field == 14 || field == 20 || field == 25 ? Message::Other
                                                                       : Message::Leaf;
    case Message::Graph:
      return field == 1                  ? Message::Node
             : field == 5                ? Message::Tensor
             : field == 2 || field == 10 ? Message::Leaf
                                         : Message::Other;
    case Message::Node:
      return field == 5 ? Message::Attribute : Message::Leaf;
    case Message::Attribute:
      return field == 5 || field == 10    ? Message::Tensor
             : field == 6 || field == 11  ? Message::Graph
             : field >= 14 || field == 22 ? Message::Other
                                          : Message::Leaf;
    case Message::Tensor:
      return field == 13 ? Message::Other : Message::Leaf;
    default:
      return Message::Leaf;
    }
  }
  /// Numbers that take at least a byte in the file and up to eight in memory.
  static bool isPacked(Message message, std::uint32_t field) {
    return (message == Message::Tensor && (field == 1 || field == 5 || field == 7 || field == 11)) ||
           (message == Message::Attribute && field == 8);
  }

  bool walk(std::span<const std::uint8_t> bytes, Message message, int depth) {
    overhead += kMessageBytes;
    google::protobuf::io::CodedInputStream in(bytes.data(), static_cast<int>(bytes.size()));
    while (std::uint32_t tag = in.ReadTag()) {
      overhead += kFieldBytes;
      std::uint32_t length = 0, field = tag >> 3;
      std::uint64_t number = 0;
      switch (tag & 7) {
      case 0:
        if (!in.ReadVarint64(&number))
          return false;
        break;
      case 1:
        if (!in.Skip(8))
          return false;
        break;
      case 5:
        if (!in.Skip(4))
          return false;
        break;
      case 2: {
        if (!in.ReadVarint32(&length) || length > bytes.size() - static_cast<std::size_t>(in.CurrentPosition()))
          return false;
        auto part = bytes.subspan(static_cast<std::size_t>(in.CurrentPosition()), length);
        Message next = inside(message, field);
        if (isPacked(message, field))
          overhead += std::uint64_t{length} * 8;
        else if (next == Message::Other)
          overhead += std::uint64_t{length} * 64; // small in every model: types, properties, opsets
        else if (next != Message::Leaf && (depth > kDeepest || !walk(part, next, depth + 1)))
          return false;
        if (!in.Skip(static_cast<int>(length)))
          return false;
        break;
      }
      default:
        return false;
      }
    }
    return in.ConsumedEntireMessage();
  }

  std::uint64_t overhead = 0;
};

} // namespace

bool OnnxTensor::isFloat() const {
  return type == Type::FLOAT || type == Type::FLOAT16 || type == Type::BFLOAT16 || type == Type::DOUBLE;
}

std::unique_ptr<OnnxTensor> OnnxTensor::computed(std::string name, std::vector<std::int64_t> dims,
                                                 std::vector<float> values) {
  auto tensor = std::make_unique<OnnxTensor>();
  tensor->name = std::move(name), tensor->type = Type::FLOAT, tensor->dims = std::move(dims);
  tensor->count = values.size(), tensor->own = std::move(values);
  return tensor;
}

double OnnxTensor::at(std::size_t index) const {
  if (!own.empty())
    return static_cast<double>(own[index]);
  auto i = static_cast<int>(index);
  if (raw.empty())
    switch (type) {
    case Type::FLOAT:
      return proto->float_data(i);
    case Type::DOUBLE:
      return proto->double_data(i);
    case Type::INT64:
      return static_cast<double>(proto->int64_data(i));
    case Type::FLOAT16:
      return isa::halfToFloat(static_cast<std::uint16_t>(proto->int32_data(i)));
    case Type::BFLOAT16:
      return std::bit_cast<float>(static_cast<std::uint32_t>(proto->int32_data(i)) << 16);
    default:
      return proto->int32_data(i);
    }
  auto read = [&]<typename T>(T value) {
    std::memcpy(&value, raw.data() + index * sizeof(T), sizeof(T));
    return value;
  };
  switch (type) {
  case Type::FLOAT:
    return read(float{});
  case Type::DOUBLE:
    return read(double{});
  case Type::INT64:
    return static_cast<double>(read(std::int64_t{}));
  case Type::INT32:
    return read(std::int32_t{});
  case Type::FLOAT16:
    return isa::halfToFloat(read(std::uint16_t{}));
  case Type::BFLOAT16:
    return std::bit_cast<float>(std::uint32_t{read(std::uint16_t{})} << 16);
  case Type::INT8:
    return read(std::int8_t{});
  default:
    return read(std::uint8_t{});
  }
}

Result<std::shared_ptr<const OnnxFile>> OnnxFile::open(const std::string &path) {
  auto mapped = MappedFile::open(path);
  if (!mapped)
    return mapped.error();
  std::shared_ptr<OnnxFile> file(new OnnxFile());
  file->filePath = path;
  if (Status parsed = file->parse((*mapped)->bytes()); !parsed)
    return parsed.error();
  return std::shared_ptr<const OnnxFile>(std::move(file));
}

Status OnnxFile::parse(std::span<const std::uint8_t> bytes) {
  constexpr std::uint64_t kAllowed = std::uint64_t{48} << 20, kLargest = std::uint64_t{1} << 31;
  if (bytes.size() >= kLargest)
    return fail("has " + std::to_string(bytes.size()) +
                " bytes, a protobuf holds less than 2 GiB; export the model with external data");
  auto overhead = WireCount::of(bytes);
  if (!overhead)
    return fail("is no ONNX model: its protobuf structure is damaged; export or fetch it again");
  if (*overhead > bytes.size() + kAllowed)
    return fail("would take " + std::to_string((*overhead + bytes.size()) >> 20) + " MiB to parse " +
                std::to_string(bytes.size()) + " bytes; tensors are expected as raw data, export it again");
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail("is no ONNX model: protobuf cannot parse it; export or fetch it again");
  if (!model.has_graph() || model.graph().node_size() == 0)
    return fail("is no ONNX model: it has no graph; export or fetch it again");
  for (const auto &set : model.opset_import())
    if (set.domain().empty() || set.domain() == "ai.onnx")
      version = set.version();
  if (std::string problem = expandOnnx(*model.mutable_graph()); !problem.empty())
    return fail(problem);
  return addConstants(graph(), 0);
}

Status OnnxFile::addConstants(const onnx::GraphProto &graph, int depth) {
  for (const onnx::TensorProto &tensor : graph.initializer())
    if (Status added = add(tensor.name(), tensor); !added)
      return added;
  for (const onnx::NodeProto &node : graph.node())
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      bool isConstant = node.op_type() == "Constant" && node.output_size() == 1 && attribute.name() == "value";
      if (isConstant && attribute.has_t())
        if (Status added = add(node.output(0), attribute.t()); !added)
          return added;
      if (attribute.has_g() && depth < 8)
        if (Status added = addConstants(attribute.g(), depth + 1); !added)
          return added;
    }
  return Ok{};
}

std::optional<OnnxTensor> OnnxFile::read(const onnx::TensorProto &proto) {
  OnnxTensor tensor;
  if (proto.data_location() == Type::EXTERNAL || !decode("", proto, tensor) || tensor.count == 0)
    return std::nullopt;
  return tensor;
}

Status OnnxFile::add(const std::string &name, const onnx::TensorProto &proto) {
  OnnxTensor tensor;
  std::string what = "tensor " + quote(name);
  tensor.name = name;
  if (proto.data_location() == Type::EXTERNAL) {
    if (Status sized = measure(what, proto, tensor); !sized)
      return fail(sized.error().message);
    auto data = external(name, proto, tensor);
    if (!data)
      return data.error();
    tensor.raw = *data;
  } else if (Status decoded = decode(what, proto, tensor); !decoded) {
    return fail(decoded.error().message);
  }
  values += tensor.count;
  if (!tensors.try_emplace(name, std::move(tensor)).second)
    return fail(what + " appears twice; export the model again");
  return Ok{};
}

/// Type and dimensions.
Status OnnxFile::measure(const std::string &what, const onnx::TensorProto &proto, OnnxTensor &tensor) {
  tensor.type = proto.data_type(), tensor.proto = &proto;
  tensor.valueBytes = bytesOf(proto.data_type());
  if (tensor.valueBytes == 0)
    return Error{"", what + " has element type " + std::to_string(proto.data_type()) +
                         ", which is not read; export the model in float32 or int8"};
  if (proto.dims_size() > 8)
    return Error{"", what + " has " + std::to_string(proto.dims_size()) +
                         " dimensions, more than any weight; export the model again"};
  tensor.count = 1;
  for (std::int64_t dim : proto.dims()) {
    if (dim < 0 || (dim > 0 && tensor.count > (std::size_t{1} << 40) / static_cast<std::size_t>(dim)))
      return Error{"", what + " has a dimension of " + std::to_string(dim) +
                           ", which is impossible; export the model again"};
    tensor.count *= static_cast<std::size_t>(dim);
    tensor.dims.push_back(dim);
  }
  return Ok{};
}

/// A tensor with its data in the message itself.
Status OnnxFile::decode(const std::string &what, const onnx::TensorProto &proto, OnnxTensor &tensor) {
  if (Status sized = measure(what, proto, tensor); !sized)
    return sized;
  std::size_t held = 0;
  if (proto.has_raw_data()) {
    tensor.raw = {reinterpret_cast<const std::uint8_t *>(proto.raw_data().data()), proto.raw_data().size()};
  } else {
    held = static_cast<std::size_t>(tensor.type == Type::FLOAT    ? proto.float_data_size()
                                    : tensor.type == Type::DOUBLE ? proto.double_data_size()
                                    : tensor.type == Type::INT64  ? proto.int64_data_size()
                                                                  : proto.int32_data_size());
  }
  if (!tensor.raw.empty())
    held = tensor.raw.size() % tensor.valueBytes ? 0 : tensor.raw.size() / tensor.valueBytes;
  if (held != tensor.count)
    return Error{"", what + " holds " + std::to_string(held) + " values, its dimensions ask for " +
                         std::to_string(tensor.count) + "; export or fetch the file again"};
  return Ok{};
}

Result<std::span<const std::uint8_t>> OnnxFile::external(const std::string &name, const onnx::TensorProto &proto,
                                                         OnnxTensor &tensor) {
  std::string location, what = "tensor " + quote(name);
  std::uint64_t offset = 0, length = tensor.count * tensor.valueBytes;
  for (const auto &entry : proto.external_data()) {
    const std::string &text = entry.value();
    auto number = [&](std::uint64_t &to) {
      auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), to);
      return failed == std::errc() && end == text.data() + text.size();
    };
    if (entry.key() == "location")
      location = text;
    else if ((entry.key() == "offset" && !number(offset)) || (entry.key() == "length" && !number(length)))
      return fail(what + " has external data with " + entry.key() + " " + quote(text) +
                  ", a number is needed; export the model again");
  }
  std::filesystem::path relative(location);
  bool leaves = location.empty() || relative.is_absolute();
  for (const auto &part : relative)
    leaves |= part == "..";
  if (leaves)
    return fail(what + " has its data in " + quote(location) +
                ", outside of the model's folder; export the model again");
  std::string path = (std::filesystem::path(filePath).parent_path() / relative).string();
  auto &file = externals[path];
  if (!file) {
    auto opened = MappedFile::open(path);
    if (!opened)
      return Error{filePath, what + " has its data in " + quote(location) +
                                 ", which cannot be read; put the file beside the model"};
    file = *opened;
  }
  std::size_t size = file->bytes().size();
  if (offset > size || length > size - offset)
    return fail(what + " has bytes " + std::to_string(offset) + " to " + std::to_string(offset + length) + " of " +
                quote(location) + ", which has " + std::to_string(size) + "; fetch or export the files again");
  tensor.offset = offset;
  return file->bytes().subspan(offset, length);
}

std::vector<std::string> OnnxFile::files() const {
  std::vector<std::string> paths = {filePath};
  for (const auto &[path, file] : externals)
    paths.push_back(path);
  return paths;
}

const OnnxTensor *OnnxFile::find(const std::string &name) const {
  auto it = tensors.find(name);
  return it == tensors.end() ? nullptr : &it->second;
}

} // namespace lpu::compiler
