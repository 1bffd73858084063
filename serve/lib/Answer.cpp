// What a connection sends of one request: filled by whoever answers, emptied by the connection.
#include "lpu/serve/Service.h"

#include <utility>

namespace lpu::serve {

void Answer::tell() {
  if (changed)
    changed();
}

void Answer::whole(HttpResponse response, Clock::time_point due) {
  head = std::move(response);
  dueHead = due;
  over = true;
  tell();
}

void Answer::begin(HttpResponse response, std::string silence) {
  head = std::move(response);
  quiet = std::move(silence);
  stream = true;
  tell();
}

void Answer::part(std::string text, Clock::time_point due) {
  waiting.push_back({std::move(text), due});
  tell();
}

void Answer::end() {
  over = true;
  tell();
}

void Answer::onAbandon(std::function<void()> told) {
  if (left && told)
    return told();
  abandoned = std::move(told);
}

void Answer::abandon() {
  left = true;
  changed = nullptr;
  if (auto told = std::exchange(abandoned, nullptr))
    told();
}

} // namespace lpu::serve
