// Files that are part of the executable (serve/CMakeLists.txt).
#pragma once

namespace lpu::serve {

extern const char kPage[];           ///< serve/page/index.html
extern const char kRenderTemplate[]; ///< serve/lib/render-template.py

} // namespace lpu::serve
