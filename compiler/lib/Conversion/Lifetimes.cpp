// Lifetimes: liveness of rows over the phases of a program, backwards, as for the registers of a straight piece of
// code.

#include "Lifetimes.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace lpu::compiler {

Lifetimes::Lifetimes(ModuleOp module) {
  unsigned phases = 0;
  module.walk([&](stream::PhaseOp) { ++phases; });
  for (auto object : module.getOps<stream::ObjectOp>())
    if (object.getRole() == "scratch")
      rows[object.getSymNameAttr()] = static_cast<std::int64_t>(object.getRows()),
      live[object.getSymNameAttr()].resize(phases);
  unsigned first = 0;
  for (auto program : module.getOps<stream::ProgramOp>()) {
    SmallVector<PhaseUses> uses;
    for (auto phase : program.getBody().getOps<stream::PhaseOp>())
      uses.push_back(usesOf(phase));
    for (auto &[name, liveIn] : live) {
      llvm::BitVector after(rows[name]); // rows whose contents a later phase reads
      for (unsigned p = uses.size(); p-- > 0;) {
        auto use = uses[p].find(name);
        bool isLive = after.any() || use != uses[p].end();
        if (use != uses[p].end())
          after.reset(use->second.written), after |= use->second.exposed;
        if (isLive)
          liveIn.set(first + p);
      }
    }
    first += uses.size();
  }
}

bool Lifetimes::overlap(stream::ObjectOp a, stream::ObjectOp b) const {
  return live.lookup(a.getSymNameAttr()).anyCommon(live.lookup(b.getSymNameAttr()));
}

Lifetimes::PhaseUses Lifetimes::usesOf(stream::PhaseOp phase) {
  PhaseUses uses;
  auto useOf = [&](FlatSymbolRefAttr object) -> Use * {
    auto known = rows.find(object.getAttr());
    if (known == rows.end())
      return nullptr;
    auto [entry, isNew] = uses.try_emplace(object.getAttr());
    if (isNew)
      entry->second.exposed.resize(known->second), entry->second.written.resize(known->second);
    return &entry->second;
  };
  auto read = [&](FlatSymbolRefAttr object, std::int64_t row, std::int64_t step, std::int64_t count) {
    if (Use *use = useOf(object))
      for (std::int64_t i = 0; i < count; ++i)
        if (!use->written.test(row + i * step))
          use->exposed.set(row + i * step);
  };
  auto write = [&](FlatSymbolRefAttr object, std::int64_t row, std::int64_t step, std::int64_t count) {
    if (Use *use = useOf(object))
      for (std::int64_t i = 0; i < count; ++i)
        use->written.set(row + i * step);
  };
  phase.walk([&](Operation *op) {
    auto flow = dyn_cast_or_null<stream::FlowOp>(op->getParentOp());
    std::int64_t repeat = flow ? static_cast<std::int64_t>(flow.getRepeat()) : 1;
    llvm::TypeSwitch<Operation *>(op)
        .Case<stream::ReadOp>(
            [&](auto o) { read(o.getObjectAttr(), o.getRow(), o.getStep(), o.getOnce() || !o.getStep() ? 1 : repeat); })
        .Case<stream::FetchOp>([&](auto o) { read(o.getObjectAttr(), o.getRow(), 1, repeat); })
        .Case<stream::SendOp>([&](auto o) { read(o.getObjectAttr(), o.getRow(), 0, 1); })
        .Case<stream::WriteOp>(
            [&](auto o) { write(o.getObjectAttr(), o.getRow(), o.getStep(), o.getStep() ? repeat : 1); })
        .Case<stream::ReceiveOp>([&](auto o) {
          for (auto object : o.getObjects().template getAsRange<FlatSymbolRefAttr>())
            write(object, o.getRow(), 0, 1);
        })
        // Rows chosen by data: all may be read, none is sure to be written.
        .Case<stream::GatherOp>([&](auto o) {
          if (auto known = rows.find(o.getObjectAttr().getAttr()); known != rows.end())
            read(o.getObjectAttr(), 0, 1, known->second);
        })
        .Case<stream::ScatterOp, stream::ScatterTileOp>([&](auto o) { useOf(o.getObjectAttr()); })
        .Case<stream::LoadTileOp>([&](auto o) {
          if (auto known = rows.find(o.getObjectAttr().getAttr()); known != rows.end())
            read(o.getObjectAttr(), o.getRow(), 1,
                 o.getRows() ? static_cast<std::int64_t>(*o.getRows()) : known->second - o.getRow());
        });
  });
  return uses;
}

} // namespace lpu::compiler
