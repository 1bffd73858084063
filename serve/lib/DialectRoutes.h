// The routes of each dialect but OpenAI's, whose are the service's own.
#pragma once

#include "lpu/serve/Service.h"

#include <vector>

namespace lpu::serve {

namespace anthropic {
std::vector<Service::Route> routes();
}
namespace bedrock {
std::vector<Service::Route> routes();
}
namespace gemini {
std::vector<Service::Route> routes();
}
namespace ollama {
std::vector<Service::Route> routes();
}

/// A handler that only answers.
inline void answerJson(Answer &answer, std::string body) {
  answer.whole({200, {}, "application/json", std::move(body)});
}

} // namespace lpu::serve
