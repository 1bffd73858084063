// Counts as the `counts` object of reports, and back.
#pragma once

#include "lpu/isa/Counts.h"
#include "lpu/isa/Result.h"

#include <nlohmann/json.hpp>

#include <string>

namespace lpu::isa {

/// Every kind of count, also those that are 0; opcodes and links only where there is something.
template <typename Json = nlohmann::ordered_json> Json countsJson(const Counts &counts) {
  Json json;
  Json &words = json["words"] = Json::object();
  for (const InstructionInfo &i : instructions())
    if (counts[i.opcode] > 0)
      words[std::string(i.mnemonic)] = counts[i.opcode];
  for (const CountInfo &kind : countKinds())
    json[std::string(kind.key)] = counts[kind.count];
  for (const auto &[key, vectors] : {std::pair("vectors_sent", &counts.sent), {"vectors_received", &counts.received}}) {
    Json &links = json[key] = Json::object();
    for (std::size_t link = 0; link < vectors->size(); ++link)
      if ((*vectors)[link] > 0)
        links["c2c." + std::to_string(link)] = (*vectors)[link];
  }
  return json;
}

/// Error: a key that is missing, unknown or no number. The error's place is empty.
template <typename Json> Result<Counts> countsFromJson(const Json &json) {
  Counts counts;
  std::string wrong;
  const auto number = [&](const Json &in, const std::string &key) -> std::uint64_t {
    if (in.is_object() && in.contains(key) && in[key].is_number_unsigned())
      return in[key].template get<std::uint64_t>();
    if (wrong.empty())
      wrong = key;
    return 0;
  };
  const auto object = [&](const char *key) {
    const bool there = json.is_object() && json.contains(key) && json[key].is_object();
    if (!there && wrong.empty())
      wrong = key;
    return there ? json[key] : Json::object();
  };
  const Json words = object("words");
  std::size_t known = 0;
  for (const InstructionInfo &i : instructions())
    if (words.contains(std::string(i.mnemonic)))
      counts[i.opcode] = number(words, std::string(i.mnemonic)), ++known;
  if (known != words.size() && wrong.empty())
    wrong = "words";
  for (const CountInfo &kind : countKinds())
    counts[kind.count] = number(json, std::string(kind.key));
  for (const auto &[key, sent] : {std::pair("vectors_sent", true), {"vectors_received", false}}) {
    const Json links = object(key);
    for (const auto &link : links.items()) {
      const Result<QueueId> queue = parseQueueName(link.key());
      if (!queue || queue->unit != UnitKind::C2c) {
        wrong = wrong.empty() ? key : wrong;
        continue;
      }
      sent ? counts.countSent(queue->index, number(links, link.key()))
           : counts.countReceived(queue->index, number(links, link.key()));
    }
  }
  if (!wrong.empty())
    return Error{"", "the counts have no usable '" + wrong + "'; write the report again with this version"};
  return counts;
}

} // namespace lpu::isa
