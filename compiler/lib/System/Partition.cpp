// The choice of a partition: all shapes a request allows whose estimate fits,
// fewest chips or lowest latency first.

#include "lpu/compiler/System/Partition.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::compiler {

namespace {

/// Every two chips of a group are joined; a node joins eight.
constexpr std::int64_t kNodeChips = 8;

class Choice {
public:
  Choice(const ModelSize &model, const isa::Machine &machine, std::int64_t usable)
      : model(model), machine(machine), usable(usable) {}

  /// With the fewest own chips for embedding and head that this shape can do with; nothing when it cannot.
  std::optional<Partition> fitted(std::int64_t tp, std::int64_t pp) const {
    std::optional<Partition> best;
    for (std::int64_t embedding = 0; embedding <= machine.c2cLinks; ++embedding)
      for (std::int64_t head = 0; head <= machine.c2cLinks; ++head) {
        Partition partition{tp, pp, embedding, head, {}};
        if ((best && partition.chips() >= best->chips()) || mostLinks(partition) > machine.c2cLinks)
          continue;
        if (auto layers = dealLayers(model, partition, machine, usable)) {
          partition.layers = std::move(*layers);
          best = std::move(partition);
        }
      }
    return best;
  }

  std::vector<Partition> all(const PartitionRequest &request) const {
    std::vector<Partition> found;
    std::int64_t mostShards = std::min({kNodeChips, std::int64_t{machine.c2cLinks} + 1, model.heads});
    for (std::int64_t tp = request.tp ? request.tp : 1; tp <= (request.tp ? request.tp : mostShards); ++tp)
      for (std::int64_t pp = request.pp ? request.pp : 1; pp <= (request.pp ? request.pp : model.layers); ++pp)
        if (std::optional<Partition> partition = fitted(tp, pp);
            partition && (!request.chips || partition->chips() <= request.chips))
          found.push_back(*partition);
    return found;
  }

  void sort(std::vector<Partition> &partitions, const PartitionRequest &request) const {
    auto key = [&](const Partition &partition) {
      auto chips = static_cast<double>(partition.chips()), cycles = estimateTokenCycles(model, partition, machine);
      return request.fastest ? std::pair(cycles, chips) : std::pair(request.usesAll() ? -chips : chips, cycles);
    };
    std::stable_sort(partitions.begin(), partitions.end(),
                     [&](const Partition &a, const Partition &b) { return key(a) < key(b); });
  }

private:
  /// Links of the chip that needs most: to its group, and one to its shard in each group before and behind.
  static std::int64_t mostLinks(const Partition &p) {
    if (p.pp == 1)
      return p.tp - 1 + p.embeddingGroups + p.headGroups;
    return p.tp - 1 + std::max({p.embeddingGroups + 1, 1 + p.headGroups, p.pp > 2 ? std::int64_t{2} : 1});
  }

  const ModelSize &model;
  const isa::Machine &machine;
  std::int64_t usable;
};

std::string tooFew(const PartitionRequest &request, const std::optional<Partition> &enough,
                   const isa::Machine &machine) {
  std::string shape;
  if (request.tp)
    shape += fmt::format(" --tp={}", request.tp);
  if (request.pp)
    shape += fmt::format(" --pp={}", request.pp);
  std::string what = fmt::format(
      "the model does not fit on {} of '{}'",
      request.chips ? fmt::format("{} chip{}", request.chips, request.chips == 1 ? "" : "s") : "chips", machine.name);
  what += shape.empty() ? "" : " with" + shape;
  if (!enough)
    return what +
           "; a shard of one layer is larger than a chip's memory, take a smaller --max-context or a larger --target";
  return what + fmt::format("; {} chips would do (--tp={} --pp={})", enough->chips(), enough->tp, enough->pp);
}

} // namespace

std::optional<Partition> smallestPartition(const ModelSize &model, const isa::Machine &machine, std::int64_t usable) {
  Choice choice(model, machine, usable);
  std::vector<Partition> all = choice.all({});
  choice.sort(all, {});
  return all.empty() ? std::nullopt : std::optional(all.front());
}

Result<std::vector<Partition>> partitionsToTry(const ModelSize &model, const PartitionRequest &request,
                                               const isa::Machine &machine, std::int64_t usable) {
  if (request.tp > model.heads)
    return Error{"", fmt::format("--tp={} is more than the model's {} query heads; take --tp={} or less", request.tp,
                                 model.heads, model.heads)};
  if (request.pp > model.layers)
    return Error{"", fmt::format("--pp={} is more than the model's {} layers; take --pp={} or less", request.pp,
                                 model.layers, model.layers)};
  if (std::int64_t shape = std::max<std::int64_t>(1, request.tp) * std::max<std::int64_t>(1, request.pp);
      request.chips && request.chips < shape)
    return Error{"",
                 fmt::format("--chips={} are fewer than the {} of --tp={} --pp={}; take --chips={} or smaller groups",
                             request.chips, shape, std::max<std::int64_t>(1, request.tp),
                             std::max<std::int64_t>(1, request.pp), shape)};
  Choice choice(model, machine, usable);
  std::vector<Partition> found = choice.all(request);
  choice.sort(found, request);
  if (found.empty())
    return Error{"", tooFew(request, smallestPartition(model, machine, usable), machine)};
  return found;
}

} // namespace lpu::compiler
