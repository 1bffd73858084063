#include "lpu/serve/HttpHead.h"

#include <gtest/gtest.h>

namespace lpu::serve {
namespace {

const std::string kStart = "POST /v1 HTTP/1.1\r\n", kHost = "Host: localhost\r\n";

int statusOf(const std::string &head) {
  const HeadCheck check = checkHead(head);
  return check.wrong ? check.wrong->status : check.size == 0 ? 0 : 200;
}

TEST(HttpHead, TakesWhatIsWellFormed) {
  const std::string head = kStart + kHost + "Content-Length: 3\r\n\r\n";
  EXPECT_EQ(checkHead(head + "abc").size, head.size());
  EXPECT_EQ(statusOf("GET / HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(statusOf("OPTIONS * HTTP/1.1\r\n" + kHost + "\r\n"), 200);
  EXPECT_EQ(statusOf(kStart + "host:\t[::1]:80 \r\nTransfer-Encoding: Chunked\r\nEmpty:\r\n\r\n"), 200);
}

TEST(HttpHead, WaitsForMoreAtEveryByte) {
  const std::string head = kStart + kHost + "\r\n";
  for (std::size_t length = 0; length < head.size(); ++length)
    EXPECT_EQ(statusOf(head.substr(0, length)), 0) << length;
}

TEST(HttpHead, RefusesWhatCanBeReadInTwoWays) {
  const std::string length = "Content-Length: 3\r\n", chunked = "Transfer-Encoding: chunked\r\n";
  for (const std::string &fields : {length + chunked,
                                    length + length,
                                    std::string("Content-Length: 3, 3\r\n"),
                                    std::string("Content-Length: +3\r\n"),
                                    std::string("Content-Length: -1\r\n"),
                                    std::string("Content-Length:\r\n"),
                                    std::string("Content-Length: 3 3\r\n"),
                                    std::string("Content-Length : 3\r\n"),
                                    std::string("Content-Length: 1234567890123456789\r\n"),
                                    std::string("Transfer-Encoding: gzip, chunked\r\n"),
                                    std::string("Transfer-Encoding: chunked, gzip\r\n"),
                                    std::string("Transfer-Encoding: identity\r\n"),
                                    std::string("Transfer-Encoding: xchunked\r\n"),
                                    chunked + chunked,
                                    std::string("A: 1\r\n folded\r\n"),
                                    std::string("\tA: 1\r\n"),
                                    std::string(": 1\r\n"),
                                    std::string("A\r\n"),
                                    std::string("A: \x01\r\n"),
                                    std::string("A: b\nC: d\r\n"),
                                    std::string("A: b\rC\r\n"),
                                    kHost})
    EXPECT_EQ(statusOf(kStart + kHost + fields + "\r\n"), 400) << fields;
  EXPECT_EQ(statusOf(kStart + kHost + std::string("A: \0b\r\n\r\n", 9)), 400);
  EXPECT_EQ(statusOf(kStart + "\r\n"), 400);
  EXPECT_EQ(statusOf(kStart + "Host: a b\r\n\r\n"), 400);
  EXPECT_EQ(statusOf("POST /v1 HTTP/1.0\r\n" + kHost + chunked + "\r\n"), 400);
}

TEST(HttpHead, RefusesOtherRequestLines) {
  for (const char *line : {"GET", "GET /", "GET  HTTP/1.1", " GET / HTTP/1.1", "G@T / HTTP/1.1",
                           "GET http://a/ HTTP/1.1", "GET * HTTP/1.1", "GET /a b HTTP/1.1", "GET a HTTP/1.1", ""})
    EXPECT_EQ(statusOf(std::string(line) + "\r\n" + kHost + "\r\n"), 400) << line;
  EXPECT_EQ(statusOf("PRI * HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(statusOf("GET / HTTP/1.1\nHost: a\n\n"), 400);
}

TEST(HttpHead, HasLimits) {
  std::string many = kStart + kHost;
  for (int i = 0; i < 99; ++i)
    many += "A: b\r\n";
  EXPECT_EQ(statusOf(many + "\r\n"), 200);
  EXPECT_EQ(statusOf(many + "A: b\r\n\r\n"), 431);
  EXPECT_EQ(statusOf(kStart + kHost + "A: " + std::string(20000, 'b')), 431); // before its end has come
}

TEST(HttpHead, HostsOfLoopback) {
  for (const char *own : {"localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]", "[::1]:9", "box:1"})
    EXPECT_TRUE(isOwnHost(own, {"box"})) << own;
  for (const char *other : {"", "evil.example", "localhost.evil.example", "127.0.0.2", "::1", "evil.example:80"})
    EXPECT_FALSE(isOwnHost(other, {"box"})) << other;
}

} // namespace
} // namespace lpu::serve
