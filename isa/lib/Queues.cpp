// Instruction queues: their names, their dense numbering on a machine, and
// where on the chip their units stand.
#include "lpu/isa/Instruction.h"

#include "lpu/isa/Machine.h"

#include <charconv>

namespace lpu::isa {
namespace {

char sideLetter(Side side) { return side == Side::East ? 'e' : 'w'; }

/// First number of each block, in the order of the numbering.
struct Blocks {
  int memWest, vxm, mxm, sxmEast, sxmWest, c2c, end;
  explicit Blocks(const Machine &m) {
    memWest = m.memSlicesPerSide;
    vxm = memWest + m.memSlicesPerSide;
    mxm = vxm + m.vxmAlus;
    sxmEast = mxm + 2 * 3 * m.mxmPlanesPerSide;
    sxmWest = sxmEast + m.sxmQueues();
    c2c = sxmWest + m.sxmQueues();
    end = c2c + m.c2cLinks;
  }
};

QueueId queue(UnitKind unit, Side side, int index) { return {unit, side, static_cast<std::uint16_t>(index)}; }

/// Cursor over a queue name; every take… either advances or leaves `ok` false.
struct NameParser {
  std::string_view rest;
  bool ok = true;

  void take(std::string_view text) {
    if (ok && rest.starts_with(text))
      rest.remove_prefix(text.size());
    else
      ok = false;
  }
  Side takeSide() {
    const Side side = rest.starts_with('w') ? Side::West : Side::East;
    take(side == Side::West ? "w" : "e");
    return side;
  }
  int takeNumber() {
    std::uint16_t value = 0;
    const char *end = rest.data() + rest.size();
    auto [next, error] = std::from_chars(rest.data(), end, value);
    // One spelling per queue: no leading zeros.
    if (error != std::errc() || (rest[0] == '0' && next != rest.data() + 1))
      ok = false;
    else
      rest.remove_prefix(static_cast<std::size_t>(next - rest.data()));
    return value;
  }
};

QueueId parseMxm(NameParser &p) {
  const Side side = p.takeSide();
  const int plane = p.takeNumber();
  p.take(".");
  UnitKind unit = UnitKind::MxmW;
  if (p.rest == "a")
    unit = UnitKind::MxmA;
  else if (p.rest == "r")
    unit = UnitKind::MxmR;
  else if (p.rest != "w")
    p.ok = false;
  if (p.ok)
    p.rest.remove_prefix(1);
  return queue(unit, side, plane);
}

QueueId parseSided(NameParser &p, UnitKind unit) {
  const Side side = p.takeSide();
  return queue(unit, side, p.takeNumber());
}

} // namespace

std::string queueName(QueueId q) {
  const std::string number = std::to_string(q.index);
  const std::string sided = sideLetter(q.side) + number;
  switch (q.unit) {
  case UnitKind::Mem:
    return "mem." + sided;
  case UnitKind::Vxm:
    return "vxm." + number;
  case UnitKind::MxmW:
    return "mxm." + sided + ".w";
  case UnitKind::MxmA:
    return "mxm." + sided + ".a";
  case UnitKind::MxmR:
    return "mxm." + sided + ".r";
  case UnitKind::Sxm:
    return "sxm." + sided;
  case UnitKind::C2c:
    return "c2c." + number;
  }
  return "?";
}

Result<QueueId> parseQueueName(std::string_view text) {
  NameParser p{text.size() >= 4 ? text.substr(4) : std::string_view()};
  QueueId q;
  if (text.starts_with("mem."))
    q = parseSided(p, UnitKind::Mem);
  else if (text.starts_with("vxm."))
    q = queue(UnitKind::Vxm, Side::East, p.takeNumber());
  else if (text.starts_with("mxm."))
    q = parseMxm(p);
  else if (text.starts_with("sxm."))
    q = parseSided(p, UnitKind::Sxm);
  else if (text.starts_with("c2c."))
    q = queue(UnitKind::C2c, Side::East, p.takeNumber());
  else
    p.ok = false;
  if (!p.ok || !p.rest.empty())
    return Error{std::string(text), "not a queue name; expected one like mem.e12, vxm.3, mxm.w1.a, sxm.e5 or c2c.4"};
  return q;
}

int queueNumber(const Machine &machine, QueueId q) {
  const Blocks b(machine);
  const bool west = q.side == Side::West;
  auto mxm = [&](int port) { return b.mxm + 3 * ((west ? machine.mxmPlanesPerSide : 0) + q.index) + port; };
  switch (q.unit) {
  case UnitKind::Mem:
    return (west ? b.memWest : 0) + q.index;
  case UnitKind::Vxm:
    return b.vxm + q.index;
  case UnitKind::MxmW:
    return mxm(0);
  case UnitKind::MxmA:
    return mxm(1);
  case UnitKind::MxmR:
    return mxm(2);
  case UnitKind::Sxm:
    return (west ? b.sxmWest : b.sxmEast) + q.index;
  case UnitKind::C2c:
    return b.c2c + q.index;
  }
  return -1;
}

QueueId queueAt(const Machine &machine, int n) {
  const Blocks b(machine);
  if (n < b.memWest)
    return queue(UnitKind::Mem, Side::East, n);
  if (n < b.vxm)
    return queue(UnitKind::Mem, Side::West, n - b.memWest);
  if (n < b.mxm)
    return queue(UnitKind::Vxm, Side::East, n - b.vxm);
  if (n < b.sxmEast) {
    const int plane = (n - b.mxm) / 3, port = (n - b.mxm) % 3;
    const bool west = plane >= machine.mxmPlanesPerSide;
    const auto unit = static_cast<UnitKind>(static_cast<int>(UnitKind::MxmW) + port);
    return queue(unit, west ? Side::West : Side::East, west ? plane - machine.mxmPlanesPerSide : plane);
  }
  if (n < b.sxmWest)
    return queue(UnitKind::Sxm, Side::East, n - b.sxmEast);
  if (n < b.c2c)
    return queue(UnitKind::Sxm, Side::West, n - b.sxmWest);
  return queue(UnitKind::C2c, Side::East, n - b.c2c);
}

int queueCount(const Machine &machine) { return Blocks(machine).end; }

int queuePosition(const Machine &machine, QueueId q) {
  const int sign = q.side == Side::East ? 1 : -1;
  switch (q.unit) {
  case UnitKind::Mem:
    return machine.memPosition(q.side, q.index);
  case UnitKind::Vxm:
    return 0;
  case UnitKind::MxmW:
  case UnitKind::MxmA:
  case UnitKind::MxmR:
    return sign * machine.mxmPosition();
  case UnitKind::Sxm:
    return sign * machine.sxmPosition();
  case UnitKind::C2c:
    return q.index < machine.c2cEastLinks ? machine.sxmPosition() : -machine.sxmPosition();
  }
  return 0;
}

} // namespace lpu::isa
