// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// PMI-1's wire protocol, against servers that behave and servers that do not.
#include "comm/launch/pmi.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <thread>
#include <vector>

#include "unit/error_of.h"

namespace ulysses::test {

namespace {

/// A launcher at the other end of a socket: answers each request line by `answer`; "" says nothing.
class Server {
 public:
  explicit Server(std::function<std::string(const std::string&)> answer) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    client = UniqueFd(ends[0]);
    own_ = UniqueFd(ends[1]);
    thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
  }
  ~Server() {
    shutdown(own_.get(), SHUT_RDWR);
    thread_.join();
  }

  UniqueFd client;
  std::vector<std::string> requests;

 private:
  void serve(const std::function<std::string(const std::string&)>& answer) {
    std::string line;
    char byte = 0;
    while (recv(own_.get(), &byte, 1, 0) == 1) {
      line += byte;
      if (byte != '\n') continue;
      requests.push_back(line);
      const std::string said = answer(line);
      (void)!::send(own_.get(), said.data(), said.size(), MSG_NOSIGNAL);
      line.clear();
    }
  }

  UniqueFd own_;
  std::thread thread_;
};

std::string answerWell(const std::string& line) {
  if (line.starts_with("cmd=init ")) return "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0\n";
  if (line == "cmd=get_maxes\n") return "cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024\n";
  if (line == "cmd=get_my_kvsname\n") return "cmd=my_kvsname kvsname=kvs_1\n";
  if (line.starts_with("cmd=put ")) return "cmd=put_result rc=0 msg=success\n";
  if (line == "cmd=barrier_in\n") return "cmd=barrier_out\n";
  if (line == "cmd=get kvsname=kvs_1 key=ulysses-1\n") return "cmd=get_result rc=0 msg=success value=id-07\n";
  if (line.starts_with("cmd=get ")) return "cmd=get_result rc=-1 msg=key_not_found value=unknown\n";
  return line == "cmd=finalize\n" ? "cmd=finalize_ack\n" : "";
}

Deadline soon() { return Deadline::inMs(300); }
Deadline later() { return Deadline::inMs(20'000); }

TEST(Pmi, TalksAsTheProtocolSays) {
  Server server(answerWell);
  {
    Pmi pmi(std::move(server.client), later());
    pmi.publish("ulysses-1", "id-07", later());
    EXPECT_EQ(pmi.lookUp("ulysses-1", later()), "id-07");
    EXPECT_NE(errorOf([&] { (void)pmi.lookUp("ulysses-2", later()); }).find("key_not_found"), std::string::npos);
    EXPECT_EQ(pmi.lookUp("ulysses-1", later()), "id-07") << "a refusal leaves it in step";
    EXPECT_NE(errorOf([&] { pmi.publish("k", std::string(1024, 'x'), later()); }).find("below 1024 bytes"),
              std::string::npos);
  }
  EXPECT_EQ(server.requests[3], "cmd=put kvsname=kvs_1 key=ulysses-1 value=id-07\n");
  EXPECT_EQ(server.requests.back(), "cmd=finalize\n") << "or the launcher takes this process for crashed";
}

/// What a server says to the first request, and the error.
std::string errorAfter(const std::string& said) {
  Server server([&](const std::string&) { return said; });
  return errorOf([&] { Pmi pmi(std::move(server.client), soon()); });
}

TEST(Pmi, HostileServers) {
  EXPECT_NE(errorAfter("").find("did not answer before the deadline"), std::string::npos);
  EXPECT_NE(errorAfter("cmd=response_to_init").find("did not answer before the deadline"), std::string::npos);
  EXPECT_NE(errorAfter("garbage\n").find("instead of cmd=response_to_init"), std::string::npos);
  EXPECT_NE(errorAfter("cmd=maxes\n").find("instead of cmd=response_to_init"), std::string::npos);
  EXPECT_NE(errorAfter("cmd=response_to_init rc=1\n").find("refused"), std::string::npos);
  EXPECT_NE(errorAfter("cmd=response_to_init rc=x\n").find("refused"), std::string::npos);
  EXPECT_NE(errorAfter("cmd=response_to_init rc=0\ncmd=more\n").find("more than one line"), std::string::npos);
  EXPECT_NE(errorAfter(std::string(5000, 'x')).find("beyond 4096 bytes"), std::string::npos);
}

TEST(Pmi, TheServerGoes) {
  auto server = std::make_unique<Server>(answerWell);
  Pmi pmi(std::move(server->client), later());
  server.reset();
  EXPECT_NE(errorOf([&] { (void)pmi.lookUp("ulysses-1", later()); }), "");
  EXPECT_NE(errorOf([&] { (void)pmi.lookUp("ulysses-1", later()); }).find("out of step"), std::string::npos);
}

TEST(Pmi, ABarrierThatNobodyLeaves) {
  Server server([](const std::string& line) { return line == "cmd=barrier_in\n" ? "" : answerWell(line); });
  Pmi pmi(std::move(server.client), later());
  EXPECT_NE(errorOf([&] { (void)pmi.lookUp("ulysses-1", soon()); }).find("not all ranks came"), std::string::npos);
}

TEST(PmiReply, Parses) {
  const auto reply = PmiReply::parse("cmd=get_result  rc=-1 msg=a=b value=");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->command(), "get_result");
  EXPECT_EQ(reply->number("rc"), -1);
  EXPECT_EQ(reply->find("msg"), "a=b");
  EXPECT_EQ(reply->find("value"), "");
  EXPECT_FALSE(reply->find("cmd2"));
  EXPECT_FALSE(reply->number("msg"));
}

TEST(PmiReply, Refuses) {
  for (const std::string& line : {std::string(""), std::string("rc=0"), std::string("cmd"), std::string("=x cmd=y"),
                                  std::string("cmd=a cmd=b"), std::string("cmd=a\tb=c"), std::string("cmd=a\0b", 7),
                                  "cmd=" + std::string(5000, 'x'), std::string("cmd=\xff")})
    EXPECT_FALSE(PmiReply::parse(line)) << line;
  std::string many = "cmd=x";
  for (int i = 0; i < 20; ++i) many += " k" + std::to_string(i) + "=v";
  EXPECT_FALSE(PmiReply::parse(many));
}

}  // namespace

}  // namespace ulysses::test
