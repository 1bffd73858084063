// What writer and parser of the text form share: which direction field belongs
// to which stream field, and the fields of the three VXM operands.
#pragma once

#include "lpu/isa/Instruction.h"

#include <array>
#include <optional>

namespace lpu::isa::text {

/// A stream field written together with its direction; `enable` is the bit
/// that gives the pair a meaning (Field::Stream of itself: always meaningful).
struct StreamPair {
  Field stream, dir;
  std::optional<Field> enable;
};
inline constexpr std::array<StreamPair, 7> kStreamPairs{{
    {Field::Stream, Field::Dir, std::nullopt},
    {Field::RdStream, Field::RdDir, Field::Rd},
    {Field::WrStream, Field::WrDir, Field::Wr},
    {Field::MapStream, Field::MapDir, std::nullopt},
    {Field::SrcStream, Field::SrcDir, std::nullopt},
    {Field::DstStream, Field::DstDir, std::nullopt},
    {Field::Src2Stream, Field::Src2Dir, std::nullopt},
}};

struct OperandFields {
  char name;
  Field kind, index, dir, width;
};
inline constexpr std::array<OperandFields, 3> kOperands{{
    {'a', Field::AKind, Field::AIndex, Field::ADir, Field::AWidth},
    {'b', Field::BKind, Field::BIndex, Field::BDir, Field::BWidth},
    {'c', Field::CKind, Field::CIndex, Field::CDir, Field::CWidth},
}};

inline bool hasField(const InstructionInfo &info, Field field) {
  for (const FieldInfo &f : info.fields)
    if (f.field == field)
      return true;
  return false;
}

inline bool isDirection(Field f) {
  switch (f) {
  case Field::Dir:
  case Field::RdDir:
  case Field::WrDir:
  case Field::MapDir:
  case Field::ADir:
  case Field::BDir:
  case Field::CDir:
  case Field::OutDir:
  case Field::SrcDir:
  case Field::DstDir:
  case Field::Src2Dir:
    return true;
  default:
    return false;
  }
}

} // namespace lpu::isa::text
