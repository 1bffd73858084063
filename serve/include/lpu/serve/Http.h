// Requests and answers of HTTP as values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lpu::serve {

struct HttpRequest {
  std::string method, target;
  std::map<std::string, std::string> fields; ///< names in lower case
  std::string body;

  /// Empty: there is none.
  std::string field(const std::string &name) const;
  /// The target without its query, as it came.
  std::string_view path() const;
  /// The value of a parameter of the query, decoded; empty: there is none.
  std::string query(std::string_view name) const;
};

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpResponse {
  int status = 200;
  HttpFields fields; ///< besides those that follow from the body
  std::string type = "application/json", body;
};

/// "%2F" is "/"; what is no escape stands for itself.
std::string percentDecoded(std::string_view text);

} // namespace lpu::serve
