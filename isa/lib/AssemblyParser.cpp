// Assembly files: directives and one instruction a line. Each directive takes
// key=value pairs through Keys, which knows what was asked for and so can name
// what is missing, doubled or unknown. The first error ends the parse.
#include "AssemblyLine.h"
#include "lpu/isa/Assembler.h"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace lpu::isa {
namespace {

using text::Keys;
using text::LineScanner;

class FileParser {
public:
  FileParser(std::string_view t, const std::string &name, const Machine &m) : rest(t), fileName(name), machine(m) {}

  Result<AssemblyFile> run() {
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      ++lineNumber;
      const Status status = line(rest.substr(0, end));
      if (!status)
        return Error{fileName + ":" + std::to_string(lineNumber), status.error().message};
      rest = rest.substr(std::min(end + 1, rest.size()));
    }
    finishStep();
    return std::move(file);
  }

private:
  std::string_view rest;
  std::string fileName;
  const Machine &machine;
  AssemblyFile file;
  int lineNumber = 0;
  StepProgram *step = nullptr;
  QueueCode *queue = nullptr;
  std::uint16_t label = 0;
  std::unordered_map<std::string, std::uint16_t> labelNumbers;
  std::set<QueueId> queues;
  std::size_t regionRow = 0;   ///< rows of the last Constant region already given
  std::set<std::size_t> given; ///< steps the class above has a program for

  std::string stepName() { return file.steps[static_cast<std::size_t>(step - chipClass().programs.data())].name; }
  ChipClass &chipClass() { return file.classes.back(); }

  static Error fail(std::string message) { return Error{"", std::move(message)}; }

  /// A step without any label still needs its table's entry 0.
  void finishStep() {
    if (step && step->labels.empty())
      for (const QueueCode &code : step->queues)
        if (!code.words.empty())
          return step->labels.push_back("control");
  }

  Status line(std::string_view text) {
    LineScanner scan(text);
    if (scan.atEnd())
      return Ok{};
    if (!scan.startsDirective())
      return instruction(scan.remainder());
    const std::string_view name = scan.word();
    if (name == ".step")
      return beginStep(scan);
    if (name == ".class")
      return beginClass(scan);
    if (name == ".program")
      return beginProgram(scan);
    if (name == ".chip")
      return chip(scan);
    if (name == ".wire")
      return wire(scan);
    if (name == ".region")
      return region(scan);
    if (name == ".row")
      return row(scan);
    if (name == ".map")
      return map(scan);
    if (name == ".loopback")
      return loopback(scan);
    if (name == ".fetchedcode")
      return fetchedCode(scan);
    static const std::set<std::string_view> inStep{".bounds", ".utilization", ".input", ".output",
                                                   ".name",   ".queue",       ".label", ".word"};
    if (!inStep.contains(name))
      return fail("unknown directive '" + std::string(name) + "'; `lpu-as --help` lists them");
    if (!step)
      return fail(std::string(name) + " stands before the first " +
                  (file.hasClasses ? ".program of its class; open one first" : ".step; open a step first"));
    if (name == ".bounds")
      return bounds(scan);
    if (name == ".utilization")
      return utilization(scan);
    if (name == ".input")
      return binding(scan, step->inputs);
    if (name == ".output")
      return binding(scan, step->outputs);
    if (name == ".name")
      return labelName(scan);
    if (name == ".queue")
      return beginQueue(scan);
    if (name == ".label")
      return setLabel(scan);
    return rawWord(scan);
  }

  Status instruction(std::string_view text) {
    if (!queue)
      return fail("an instruction stands before the first .queue of its step; name its queue, e.g. `.queue mem.e0`");
    const Result<Instruction> decoded = assembleInstruction(text);
    if (!decoded)
      return decoded.error();
    const Result<Word> word = encode(*decoded);
    if (!word)
      return word.error();
    return append(*word);
  }

  Status append(const Word &word) {
    if (!queue)
      return fail("a word stands before the first .queue of its step");
    queue->words.push_back(word);
    queue->labels.push_back(label);
    return Ok{};
  }

  Status rawWord(LineScanner &scan) {
    Result<std::vector<std::uint8_t>> bytes = scan.hexBytes();
    if (!bytes)
      return bytes.error();
    Word word{};
    if (bytes->size() != word.size())
      return fail(".word needs 32 hexadecimal digits (16 bytes), not " + std::to_string(bytes->size() * 2));
    std::copy(bytes->begin(), bytes->end(), word.begin());
    return append(word);
  }

  Status beginStep(LineScanner &scan) {
    if (file.hasClasses)
      return fail(".step stands after a .class; declare all steps before the first class");
    finishStep();
    SystemStep next;
    next.predictedCycles = -1;
    if (!scan.quoted(next.name))
      return fail(".step needs a quoted name, e.g. .step \"decode\" kind=decode");
    std::string kind = "decode";
    Keys keys(scan);
    keys.take("kind", kind);
    keys.take("tokens", next.tokens);
    keys.take("context", next.context);
    keys.take("users", next.users);
    keys.take("predicted", next.predictedCycles);
    if (const Status s = keys.finish(".step"); !s)
      return s;
    if (kind != "decode" && kind != "prefill" && kind != "encode")
      return fail("kind '" + kind + "' of .step is none of prefill, decode and encode");
    next.kind = kind == "prefill" ? StepKind::Prefill : kind == "encode" ? StepKind::Encode : StepKind::Decode;
    StepProgram &program = chipClass().programs.emplace_back();
    program.predictedCycles = next.predictedCycles;
    file.steps.push_back(std::move(next));
    open(program);
    return Ok{};
  }

  /// What follows belongs to this program.
  void open(StepProgram &program) {
    step = &program;
    queue = nullptr;
    labelNumbers.clear();
    queues.clear();
  }

  Status beginClass(LineScanner &scan) {
    finishStep();
    ChipClass next;
    if (!scan.quoted(next.name))
      return fail(".class needs a quoted name, e.g. .class \"layers\"");
    Keys keys(scan);
    keys.take("layers", next.layerCount);
    if (const Status s = keys.finish(".class"); !s)
      return s;
    if (!file.hasClasses) {
      const auto written = [](const StepProgram &p) {
        return !p.queues.empty() || !p.inputs.empty() || !p.outputs.empty();
      };
      if (!chipClass().regions.empty() || !chipClass().sxmMaps.empty() ||
          std::ranges::any_of(chipClass().programs, written))
        return fail(".class stands after memory, maps or queues; put these below a .class");
      file.classes.clear(), file.images.clear();
      file.hasClasses = true;
    }
    for (const ChipClass &other : file.classes)
      if (other.name == next.name)
        return fail("class " + quote(next.name) + " appears twice");
    next.programs.resize(file.steps.size());
    file.classes.push_back(std::move(next));
    file.images.emplace_back();
    given.clear();
    step = nullptr, queue = nullptr;
    return Ok{};
  }

  Status beginProgram(LineScanner &scan) {
    finishStep();
    std::string name;
    if (!scan.quoted(name))
      return fail(".program needs the quoted name of a step, e.g. .program \"decode\"");
    if (!file.hasClasses)
      return fail(".program belongs below a .class; a file for one chip has .step alone");
    Cycle predicted = -1;
    Keys keys(scan);
    keys.take("predicted", predicted);
    if (const Status s = keys.finish(".program"); !s)
      return s;
    for (std::size_t i = 0; i < file.steps.size(); ++i)
      if (file.steps[i].name == name && given.insert(i).second) { // of equal names the next
        open(chipClass().programs[i]);
        step->predictedCycles = predicted;
        return Ok{};
      }
    return fail("no .step " + quote(name) + " is left for class " + quote(chipClass().name));
  }

  Status chip(LineScanner &scan) {
    std::string name, starts;
    if (!scan.quoted(name))
      return fail(".chip needs the quoted name of its class, e.g. .chip \"layers\" start=0,40");
    Chip next;
    Keys keys(scan);
    keys.take("start", starts);
    keys.take("stage", next.stage);
    keys.take("shard", next.shard);
    keys.take("firstlayer", next.firstLayer);
    if (const Status s = keys.finish(".chip"); !s)
      return s;
    const auto found = std::ranges::find(file.classes, name, &ChipClass::name);
    if (!file.hasClasses || found == file.classes.end())
      return fail("no .class " + quote(name) + " stands above");
    next.chipClass = static_cast<std::uint16_t>(found - file.classes.begin());
    next.start.assign(file.steps.size(), 0);
    if (!starts.empty() && !startCycles(starts, next.start))
      return fail("start needs one cycle from 0 on for each of the " + std::to_string(file.steps.size()) +
                  " steps, separated by commas");
    if (file.chips.size() > 0xffff)
      return fail("a system has at most 65536 chips");
    file.chips.push_back(std::move(next));
    return Ok{};
  }

  static bool startCycles(std::string_view text, std::vector<Cycle> &out) {
    for (Cycle &cycle : out) {
      const std::size_t comma = std::min(text.find(','), text.size());
      if (!LineScanner::integer(text.substr(0, comma), cycle) || cycle < 0)
        return false;
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return text.empty();
  }

  Status wire(LineScanner &scan) {
    Wire w;
    if (!scan.number(w.chipA) || !scan.number(w.linkA) || !scan.number(w.chipB) || !scan.number(w.linkB) ||
        !scan.atEnd())
      return fail(".wire needs a chip and its link, twice, e.g. .wire 0 1 1 6");
    if (w.chipA >= file.chips.size() || w.chipB >= file.chips.size())
      return fail("the .chips above are numbered 0 to " + std::to_string(static_cast<int>(file.chips.size()) - 1));
    return addWire(w);
  }

  Status addWire(const Wire &w) {
    if (w.linkA >= machine.c2cLinks || w.linkB >= machine.c2cLinks)
      return fail("machine " + machine.name + " has links 0 to " + std::to_string(machine.c2cLinks - 1));
    file.wires.push_back(w);
    return Ok{};
  }

  Status bounds(LineScanner &scan) {
    Keys keys(scan);
    keys.take("weightstream", step->weightStreamBoundCycles);
    keys.take("resource", step->resourceBoundCycles);
    keys.take("criticalpath", step->criticalPathCycles);
    keys.take("lower", step->lowerBoundCycles);
    return keys.finish(".bounds");
  }

  Status utilization(LineScanner &scan) {
    Keys keys(scan);
    Utilization &u = step->utilization;
    keys.take("mxm", u.mxm);
    keys.take("vxm", u.vxm);
    keys.take("sxm", u.sxm);
    keys.take("mem", u.mem);
    keys.take("streams", u.streams);
    return keys.finish(".utilization");
  }

  Status binding(LineScanner &scan, std::vector<Binding> &list) {
    Binding b;
    if (!scan.quoted(b.name))
      return fail("a binding needs a quoted name, e.g. .input \"token\" width=4");
    Keys keys(scan);
    keys.take("width", b.width);
    keys.take("items", b.items);
    keys.take("vectors", b.vectors);
    keys.take("lanesused", b.lanesUsed);
    keys.take("elements", b.elements);
    keys.take("side", b.side);
    keys.take("slice0", b.slice0);
    keys.take("bank", b.bank);
    keys.take("row0", b.row0);
    list.push_back(b);
    return keys.finish("a binding");
  }

  Status labelName(LineScanner &scan) {
    std::string name;
    if (!scan.quoted(name) || !scan.atEnd())
      return fail(".name needs one quoted label");
    return addLabel(name, nullptr);
  }

  Status addLabel(const std::string &name, std::uint16_t *number) {
    if (step->labels.size() > 0xffff)
      return fail("a step holds at most 65536 labels; merge some");
    const auto index = static_cast<std::uint16_t>(step->labels.size());
    step->labels.push_back(name);
    labelNumbers.emplace(name, index); // the first of equal names keeps it
    if (number)
      *number = index;
    return Ok{};
  }

  Status setLabel(LineScanner &scan) {
    std::string name;
    if (scan.quoted(name)) {
      if (const auto found = labelNumbers.find(name); found != labelNumbers.end()) {
        label = found->second;
      } else {
        if (step->labels.empty() && name != "control")
          (void)addLabel("control", nullptr); // entry 0 by convention
        if (const Status s = addLabel(name, &label); !s)
          return s;
      }
    } else if (!scan.number(label)) {
      return fail(".label needs a quoted name or the number of a .name");
    }
    if (label >= step->labels.size() && label != 0)
      return fail("label " + std::to_string(label) + " is not in the step's table of " +
                  std::to_string(step->labels.size()) + "; add it with .name");
    return scan.atEnd() ? Status(Ok{}) : Status(fail(".label takes one name"));
  }

  Status beginQueue(LineScanner &scan) {
    const std::string name(scan.word());
    const Result<QueueId> id = parseQueueName(name);
    if (!id)
      return fail(id.error().message);
    const int number = queueNumber(machine, *id);
    if (number < 0 || number >= queueCount(machine) || queueAt(machine, number) != *id)
      return fail("machine " + machine.name + " has no queue " + name);
    if (!scan.atEnd())
      return fail(".queue takes one name");
    if (!queues.insert(*id).second)
      return fail("queue " + name + " appears twice in step " + quote(stepName()) + "; join its parts");
    step->queues.push_back(QueueCode{*id, {}, {}});
    queue = &step->queues.back();
    label = 0;
    return Ok{};
  }

  void declare() {
    if (file.firstDeclaration == 0)
      file.firstDeclaration = lineNumber;
  }

  Status region(LineScanner &scan) {
    declare();
    Region r;
    std::string kind = "scratch";
    if (!scan.quoted(r.name))
      return fail(".region needs a quoted name, e.g. .region \"x\" kind=zero slice0=3 rows=8");
    Keys keys(scan);
    keys.take("kind", kind);
    keys.take("side", r.side);
    keys.take("slice0", r.slice0);
    keys.take("slices", r.slices);
    keys.take("bank", r.bank);
    keys.take("row0", r.row0);
    keys.take("rows", r.rows);
    if (const Status s = keys.finish(".region"); !s)
      return s;
    using Kind = Region::Kind;
    static const std::unordered_map<std::string, Kind> kinds{
        {"constant", Kind::Constant}, {"zero", Kind::Zero}, {"scratch", Kind::Scratch}, {"code", Kind::Code}};
    if (!kinds.contains(kind))
      return fail("kind '" + kind + "' of .region is none of constant, zero, scratch, code");
    r.kind = kinds.at(kind);
    if (int{r.slice0} + r.slices > machine.memSlicesPerSide || r.bank >= machine.memBanks ||
        int{r.row0} + r.rows > machine.memRowsPerBank)
      return fail("region " + quote(r.name) + " lies outside of machine " + machine.name + " (" +
                  std::to_string(machine.memSlicesPerSide) + " slices, " + std::to_string(machine.memRowsPerBank) +
                  " rows per bank)");
    if (r.kind == Kind::Constant) {
      r.imageOffset = file.images.back().size();
      file.images.back().resize(file.images.back().size() + std::size_t{r.rows} * r.slices * machine.rowBytes());
    }
    regionRow = 0;
    chipClass().regions.push_back(std::move(r));
    return Ok{};
  }

  /// The next row of the constant region above; a short row repeats its bytes.
  Status row(LineScanner &scan) {
    if (chipClass().regions.empty() || chipClass().regions.back().kind != Region::Kind::Constant)
      return fail(".row belongs below a .region of kind=constant");
    const Region &r = chipClass().regions.back();
    Result<std::vector<std::uint8_t>> bytes = scan.hexBytes();
    if (!bytes)
      return bytes.error();
    const auto rowBytes = static_cast<std::size_t>(machine.rowBytes());
    if (bytes->empty() || bytes->size() > rowBytes)
      return fail(".row needs 1 to " + std::to_string(rowBytes) + " bytes, not " + std::to_string(bytes->size()));
    if (regionRow >= std::size_t{r.rows} * r.slices)
      return fail("region " + quote(r.name) + " has only " + std::to_string(std::size_t{r.rows} * r.slices) + " rows");
    for (std::size_t i = 0; i < rowBytes; ++i)
      file.images.back()[r.imageOffset + regionRow * rowBytes + i] = (*bytes)[i % bytes->size()];
    ++regionRow;
    return Ok{};
  }

  /// Lanes of a map: numbers, `a..b` (either way) and `v*count`.
  Status map(LineScanner &scan) {
    declare();
    Result<std::vector<std::int16_t>> lanes = scan.laneList();
    if (!lanes)
      return lanes.error();
    if (static_cast<int>(lanes->size()) != machine.lanes())
      return fail(".map names " + std::to_string(lanes->size()) + " lanes; machine " + machine.name + " has " +
                  std::to_string(machine.lanes()));
    for (const int lane : *lanes)
      if (lane < -1 || lane >= machine.lanes())
        return fail(".map lane " + std::to_string(lane) + " is outside of -1 to " +
                    std::to_string(machine.lanes() - 1));
    chipClass().sxmMaps.push_back(std::move(*lanes));
    return Ok{};
  }

  Status loopback(LineScanner &scan) {
    declare();
    std::uint8_t a = 0, b = 0;
    if (!scan.number(a) || !scan.number(b) || !scan.atEnd())
      return fail(".loopback needs two link numbers, e.g. .loopback 0 1");
    return addWire({0, a, 0, b});
  }

  Status fetchedCode(LineScanner &scan) {
    declare();
    file.residentCode = false;
    return scan.atEnd() ? Status(Ok{}) : Status(fail(".fetchedcode takes nothing"));
  }
};

} // namespace

Result<AssemblyFile> parseAssembly(std::string_view text, const std::string &fileName, const Machine &machine) {
  return FileParser(text, fileName, machine).run();
}

} // namespace lpu::isa
