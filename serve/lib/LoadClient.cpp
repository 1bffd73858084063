// A head comes when a request has been judged, which is before it runs: reading it before the next request is sent
// keeps their order, while all that were admitted are under way.
#include <utility> // Boost 1.74 uses std::exchange without it

#include "LoadClient.h"

#include "lpu/rt/Sampler.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace lpu::serve {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t kLargestAnswer = 1 << 30;

struct Address {
  std::string host, port;
};

std::optional<Address> parseUrl(const std::string &url) {
  constexpr std::string_view kScheme = "http://";
  const std::size_t colon = url.rfind(':');
  if (!url.starts_with(kScheme) || colon < kScheme.size())
    return std::nullopt;
  std::string port = url.substr(colon + 1);
  while (port.ends_with('/'))
    port.pop_back();
  return Address{url.substr(kScheme.size(), colon - kScheme.size()), port};
}

/// One request under way.
struct Flight {
  explicit Flight(asio::io_context &io) : socket(io) { parser.body_limit(kLargestAnswer); }

  tcp::socket socket;
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
};

std::string bodyOf(const Destination &model, const Arrival &arrival, rt::Random &random, std::uint64_t seed) {
  std::vector<std::uint64_t> prompt;
  for (std::uint64_t i = 0; i < arrival.work.prompt; ++i)
    prompt.push_back(random.next() % model.vocabulary);
  Json body{{"prompt", prompt},
            {"max_tokens", arrival.work.maxTokens},
            {"seed", seed & INT64_MAX},
            {"stream", true},
            {"stream_options", {{"include_usage", true}}}};
  if (!model.name.empty())
    body["model"] = model.name;
  return body.dump();
}

/// The last event but [DONE] carries usage.
std::optional<Reported> reportedBy(const std::string &events) {
  const std::size_t key = events.rfind("data: {");
  const Json json = key == std::string::npos
                        ? Json()
                        : Json::parse(events.substr(key + 6, events.find("\n\n", key) - key - 6), nullptr, false);
  if (!json.is_object() || !json.contains("lpu") || !json["usage"].is_object())
    return std::nullopt;
  const Json &times = json["lpu"];
  return Reported{false,
                  json["usage"]["completion_tokens"].get<std::uint64_t>(),
                  times["arrival_cycle"].get<Cycle>(),
                  times["start_cycle"].get<Cycle>(),
                  times["first_token_cycle"].get<Cycle>(),
                  times["end_cycle"].get<Cycle>()};
}

} // namespace

Result<std::vector<Reported>> sendAll(const std::string &url, const std::vector<Destination> &models,
                                      const std::vector<Arrival> &arrivals, std::uint64_t seed) {
  const auto address = parseUrl(url);
  if (!address)
    return Error{"lpu-load", fmt::format("--server '{}': expected http://HOST:PORT", url)};
  try {
    asio::io_context io;
    const auto endpoints = tcp::resolver(io).resolve(address->host, address->port);
    rt::Random random(seed);
    std::vector<std::unique_ptr<Flight>> flights;
    for (const Arrival &arrival : arrivals) {
      Flight &flight = *flights.emplace_back(std::make_unique<Flight>(io));
      asio::connect(flight.socket, endpoints);
      http::request<http::string_body> request(http::verb::post, "/v1/completions", 11);
      request.set(http::field::host, address->host);
      request.set(http::field::content_type, "application/json");
      request.set("x-lpu-arrival-ns", std::to_string(arrival.ns));
      request.body() = bodyOf(models[arrival.model], arrival, random, seed + flights.size());
      request.prepare_payload();
      http::write(flight.socket, request);
      http::read_header(flight.socket, flight.buffer, flight.parser);
    }
    std::vector<Reported> out;
    for (const auto &flight : flights) {
      http::read(flight->socket, flight->buffer, flight->parser);
      const unsigned status = flight->parser.get().result_int();
      const auto reported = status == 200 ? reportedBy(flight->parser.get().body()) : std::nullopt;
      if (!reported && status != 429)
        return Error{url, fmt::format("answered {}: {}", status, flight->parser.get().body().substr(0, 300))};
      out.push_back(reported.value_or(Reported{.refused = true}));
    }
    return out;
  } catch (const boost::system::system_error &error) {
    return Error{url, fmt::format("{}; is a server there? lpu-serve MODEL --virtual-arrivals", error.code().message())};
  }
}

std::vector<Arrival> withLengths(std::vector<Arrival> arrivals, const std::vector<Reported> &reported) {
  for (std::size_t i = 0; i < arrivals.size(); ++i)
    arrivals[i].tokens = reported[i].tokens;
  return arrivals;
}

ServerComparison compare(const std::vector<Served> &served, const std::vector<Reported> &reported) {
  ServerComparison out;
  out.requests = reported.size();
  for (std::size_t i = 0; i < served.size(); ++i) {
    const Served &own = served[i];
    const Reported &other = reported[i];
    out.refused += other.refused;
    out.differentlyJudged += own.refused != other.refused;
    if (own.refused || other.refused)
      continue;
    for (const Cycle apart :
         {own.arrival - other.arrival, own.start - other.start, own.first - other.first, own.end - other.end})
      out.cyclesApart = std::max(out.cyclesApart, std::abs(apart));
  }
  return out;
}

} // namespace lpu::serve
