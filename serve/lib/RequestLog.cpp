// JSON escapes what a terminal would obey.
#include "RequestLog.h"

#include "JsonBody.h"

#include <cerrno>
#include <cstring>
#include <ctime>

namespace lpu::serve {

Result<std::unique_ptr<RequestLog>> RequestLog::open(const std::string &path) {
  File file(std::fopen(path.c_str(), "ae"), std::fclose);
  if (!file)
    return Error{path, std::string("cannot be written: ") + std::strerror(errno) + "; choose another --request-log"};
  return std::unique_ptr<RequestLog>(new RequestLog(std::move(file)));
}

void RequestLog::write(const LogEntry &entry) {
  Json reasons = Json::array();
  for (const Choice &choice : entry.choices)
    if (entry.status == 200)
      reasons.push_back(choice.reason == FinishReason::Stop ? "stop" : "length");
  const Usage &usage = entry.usage;
  const std::string line = dump({{"time", std::time(nullptr)},
                                 {"id", entry.id},
                                 {"model", entry.model.empty() ? Json(nullptr) : Json(entry.model)},
                                 {"status", entry.status},
                                 {"code", entry.code.empty() ? Json(nullptr) : Json(entry.code)},
                                 {"prompt_tokens", usage.promptTokens},
                                 {"completion_tokens", usage.completionTokens},
                                 {"finish_reasons", reasons},
                                 {"queue_ns", usage.queueNs},
                                 {"prompt_ns", usage.promptNs},
                                 {"completion_ns", usage.completionNs}}) +
                           "\n";
  const bool written = std::fputs(line.c_str(), file.get()) >= 0 && std::fflush(file.get()) == 0;
  if (!written && !std::exchange(failed, true))
    std::fprintf(stderr, "request log: error: cannot be written: %s\n", std::strerror(errno));
}

} // namespace lpu::serve
