// llm-choose-mapping: a form for every group of linears. Cost decides: a group that streams for long is dealt, since a
// plane that waits for another costs more than the additions of partial sums; a short one keeps to planes.

#include "lpu/compiler/Conversion/Mapping.h"

#include "ProgramLowering.h"
#include "TargetMachine.h"
#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"

#include "llvm/ADT/MapVector.h"

#include <algorithm>

using namespace mlir;

namespace lpu::compiler {
#define GEN_PASS_DEF_CHOOSEMAPPING
#include "lpu/compiler/Conversion/Passes.h.inc"

namespace {

/// The tiles of a group of linears that streams at least this long are dealt one by one over the planes. The sums of
/// an output are then in parts, which VXM adds.
constexpr std::int64_t kDealtCycles = 64;

/// Linears that share an input, of which tiles are dealt together.
struct Group {
  SmallVector<llm::LinearOp> linears;
  LinearRole role = LinearRole::Other;
  LinearForm form = LinearForm::Pinned;
  bool byFile = false;
  std::int64_t weights = 0; ///< as they are counted: one a byte, unpadded
};

Operation *onlyUser(Value value) { return value.use_empty() ? nullptr : *value.getUsers().begin(); }

/// What takes a value, past the norms and ropes of heads and past gathers.
Operation *takerOf(Value value) {
  Operation *user = onlyUser(value);
  while (mlir::isa_and_nonnull<llm::RopeOp, llm::HeadNormOp, llm::AllGatherOp>(user))
    user = onlyUser(user->getResult(0));
  return user;
}

class Chooser {
public:
  Chooser(ModuleOp module, const isa::Machine &machine, const MappingFile &file)
      : module(module), machine(machine), file(file) {}

  LogicalResult run(func::FuncOp forward) {
    collect(forward);
    for (auto &[key, group] : groups) {
      group.form = leastCost(group);
      if (failed(follow(group)))
        return failure();
      for (llm::LinearOp linear : group.linears)
        linear->setAttr(kFormAttr, name(nameOf(group.form)));
    }
    for (const auto &[role, choice] : file.linears)
      if (!llvm::is_contained(roles, role) && !isPartOfModel())
        return fail(choice.line, "the model has no linears '" + std::string(nameOf(role)) + "'; leave the key out");
    note(forward);
    return success();
  }

private:
  StringAttr name(std::string_view text) {
    return StringAttr::get(module.getContext(), llvm::StringRef(text.data(), text.size()));
  }
  LogicalResult fail(int line, const std::string &message) {
    Error error = file.error(line, message);
    return emitError(FileLineColLoc::get(module.getContext(), error.place, 0, 0)) << error.message;
  }
  /// A class of a partitioned model has some of its linears.
  bool isPartOfModel() const { return module->getParentOp() != nullptr; }

  void collect(func::FuncOp forward) {
    forward.walk([&](llm::LinearOp linear) {
      // Precisions are lowered apart, so linears of one input may be several groups.
      int kind = isHalf(linear) ? 2 : isGrouped(linear);
      Group &group = groups[{linear.getInput(), kind}];
      group.linears.push_back(linear);
      group.role = group.linears.size() == 1 ? roleOf(linear) : group.role;
      group.weights += llm::width(linear.getInput()) * llm::width(linear.getResult());
    });
  }

  LinearForm leastCost(const Group &group) const {
    llm::LinearOp first = group.linears.front();
    if (isHalf(first))
      return LinearForm::Half;
    if (isGrouped(first))
      return LinearForm::Grouped;
    auto silu = dyn_cast_or_null<llm::SiluMulOp>(group.role == LinearRole::Down ? producerOf(first.getInput())
                                                                                : takerOf(first.getResult()));
    if (silu && isSwept(machine, silu))
      return LinearForm::Swept;
    return streamCycles(group) >= kDealtCycles ? LinearForm::Dealt : LinearForm::Pinned;
  }

  /// How long all planes load at full width.
  std::int64_t streamCycles(const Group &group) const {
    return group.weights / (std::int64_t{2} * machine.streamsPerDirection * machine.rowBytes());
  }

  /// Takes over what the file says of a group.
  LogicalResult follow(Group &group) {
    roles.push_back(group.role);
    auto choice = file.linears.find(group.role);
    if (choice == file.linears.end())
      return success();
    if (group.form != LinearForm::Pinned && group.form != LinearForm::Dealt)
      return fail(choice->second.line, "the linears '" + std::string(nameOf(group.role)) + "' of this model are " +
                                           std::string(nameOf(group.form)) +
                                           ", which cannot be chosen otherwise; leave the key out");
    group.form = choice->second.form, group.byFile = true;
    return success();
  }

  /// What was chosen, for dumps and the report: groups that came out alike as one, with their number.
  void note(func::FuncOp forward) {
    Builder builder(module.getContext());
    struct Entry {
      const Group *group;
      std::int64_t count;
    };
    SmallVector<Entry> entries;
    for (auto &[key, group] : groups) {
      auto same = llvm::find_if(entries, [&](const Entry &e) {
        return e.group->role == group.role && e.group->form == group.form && e.group->weights == group.weights;
      });
      same == entries.end() ? entries.push_back({&group, 1}) : void(++same->count);
    }
    SmallVector<Attribute> list;
    for (const auto &[group, count] : entries)
      list.push_back(builder.getDictionaryAttr(
          {builder.getNamedAttr("group", name(nameOf(group->role))),
           builder.getNamedAttr("form", name(nameOf(group->form))),
           builder.getNamedAttr("by_file", builder.getBoolAttr(group->byFile)),
           builder.getNamedAttr("count", builder.getI64IntegerAttr(count)),
           builder.getNamedAttr("stream_cycles", builder.getI64IntegerAttr(streamCycles(*group)))}));
    module->setAttr(kMappingAttr, builder.getArrayAttr(list));
  }

  ModuleOp module;
  const isa::Machine &machine;
  const MappingFile &file;
  llvm::MapVector<std::pair<Value, int>, Group> groups;
  SmallVector<LinearRole> roles; ///< that the model has
};

struct ChooseMappingPass : impl::ChooseMappingBase<ChooseMappingPass> {
  using ChooseMappingBase::ChooseMappingBase;

  void runOnOperation() override {
    FailureOr<isa::Machine> machine = targetMachine(getOperation(), target);
    if (failed(machine))
      return signalPassFailure();
    auto file = MappingFile::read(mapping);
    if (!file) {
      emitError(FileLineColLoc::get(&getContext(), file.error().place, 0, 0)) << file.error().message;
      return signalPassFailure();
    }
    if (failed(chooseMapping(getOperation(), *machine, *file)))
      signalPassFailure();
  }
};

} // namespace

LinearRole roleOf(llm::LinearOp op) {
  if (mlir::isa_and_nonnull<llm::AttentionOp>(producerOf(op.getInput())))
    return LinearRole::AttentionOutput;
  if (mlir::isa_and_nonnull<llm::SiluMulOp>(producerOf(op.getInput())))
    return LinearRole::Down;
  Operation *taker = takerOf(op.getResult());
  return mlir::isa_and_nonnull<llm::AttentionOp>(taker) ? LinearRole::Projections
         : mlir::isa_and_nonnull<llm::SiluMulOp>(taker) ? LinearRole::GateUp
         : mlir::isa_and_nonnull<func::ReturnOp>(taker) ? LinearRole::Head
                                                        : LinearRole::Other;
}

LogicalResult chooseMapping(ModuleOp module, const isa::Machine &machine, const MappingFile &file) {
  func::FuncOp forward = llm::forwardFunction(module);
  bool encodes = llvm::any_of(module.getOps<llm::StepOp>(),
                              [](llm::StepOp step) { return step.getKind() == llm::StepKind::Encode; });
  if (!forward || encodes || module->hasAttr(kMappingAttr)) // encoders have a lowering without these choices
    return success();
  return Chooser(module, machine, file).run(forward);
}

LinearForm formOf(llm::LinearOp op) {
  auto chosen = op->getAttrOfType<StringAttr>(kFormAttr);
  return chosen ? formNamed(std::string_view(chosen.getValue())).value_or(LinearForm::Pinned) : LinearForm::Pinned;
}

} // namespace lpu::compiler
