#pragma once

#include "../../support/TemporaryFolder.h"

namespace lpu::rt::test {
using lpu::test::TemporaryFolder;
}
