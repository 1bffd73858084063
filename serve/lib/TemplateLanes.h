// Chat templates are code of strangers, and may take seconds. Each model's are rendered in a process and on a thread of
// its own, so that a slow one delays chats of its own model alone.
#pragma once

#include "TemplateRenderer.h"
#include "lpu/serve/Model.h"

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace lpu::serve {

class TemplateLanes {
public:
  using Task = std::function<void(TemplateRenderer &)>;

  /// One lane for each of the models that has a template; they must outlive it. Error: there is no Python, or no
  /// python3-jinja2.
  static Result<std::unique_ptr<TemplateLanes>> start(const std::vector<const Model *> &models);
  ~TemplateLanes();

  /// Error: the model's template has a wrong syntax. To be called before tasks are added.
  Status check(const Model &model);
  /// Whether the model's chats are rendered.
  bool has(const Model &model) const { return lanes.contains(&model); }
  /// Runs `task` on the model's thread, after those that were added before. False: too many wait, and it is not run.
  bool add(const Model &model, Task task);
  /// Waits for the tasks under way; those that have not begun are not run. Tasks that are added later are not, either.
  void end();

private:
  class Lane;
  TemplateLanes() = default;

  std::map<const Model *, std::unique_ptr<Lane>> lanes;
};

} // namespace lpu::serve
