// An answer whose body is JSON.
#pragma once

#include "JsonBody.h"
#include "lpu/serve/Http.h"

namespace lpu::serve {

inline HttpResponse jsonResponse(const Json &value, int status = 200) {
  return {status, {}, "application/json", dump(value)};
}

} // namespace lpu::serve
