// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows F1, F2 and F4 of the fault matrix: the network between a rank and the rendezvous. A connection that breaks
// before its rank was admitted is tried again; afterwards its loss is the rank's, and all are told at once.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <mutex>

#include "comm/bootstrap/wire.h"
#include "fault/proxied.h"

namespace ulysses::test {

namespace {

// Where messages end, of two ranks: what a rank sends, and what it is sent.
constexpr std::int64_t kIntroduced = sizeof(Hello) + sizeof(Introduction) + sizeof(RankInfo);
constexpr std::int64_t kReported = kIntroduced + sizeof(Report);
constexpr std::int64_t kChallenged = sizeof(Challenge);
constexpr std::int64_t kWelcomed = kChallenged + sizeof(Welcome) + 2 * sizeof(RankInfo);
constexpr std::int64_t kJudged = kWelcomed + sizeof(Verdict);

struct Pair {
  Outcome direct, proxied;  // rank 0 and rank 1
};

Pair joinBehind(const ConnectionFaults& faults, std::int64_t timeoutMs = 5000) {
  Proxied net(onlyFirst(faults));
  auto outcomes = std::vector<Outcome>(2);
  std::thread other([&] { outcomes[0] = joinFully(net.id, infoOf(0, 2, timeoutMs)); });
  outcomes[1] = joinFully(net.through, infoOf(1, 2, timeoutMs));
  other.join();
  return {std::move(outcomes[0]), std::move(outcomes[1])};
}

enum class Expected { BothJoin, BothFail, Same, AnythingAtTheEnd };

void expectPair(const Pair& pair, Expected expected, const std::string& what) {
  const bool joined[2] = {pair.direct.error.empty(), pair.proxied.error.empty()};
  const std::string texts = what + "\nrank 0: " + pair.direct.error + "\nrank 1: " + pair.proxied.error;
  // The last message may be lost: then only its reader does not know. Its end is seen in the first operation.
  const bool fits = expected == Expected::BothJoin   ? joined[0] && joined[1]
                    : expected == Expected::BothFail ? !joined[0] && !joined[1]
                    : expected == Expected::Same     ? joined[0] == joined[1]
                                                     : joined[0] || !joined[1];
  EXPECT_TRUE(fits) << texts;
  const auto says = [](const Outcome& outcome, const char* text) {
    return outcome.error.empty() || outcome.error.find(text) != std::string::npos;
  };
  const char* left = "rank 1 (host here, pid 1001) left";
  EXPECT_TRUE(says(pair.direct, left)) << texts;
  EXPECT_TRUE(says(pair.proxied, "127.0.0.1:") || says(pair.proxied, left)) << texts;
}

Expected expectedUp(std::int64_t offset) {
  if (offset < kIntroduced) return Expected::BothJoin;
  if (offset == kIntroduced) return Expected::Same;
  return offset < kReported ? Expected::BothFail : Expected::AnythingAtTheEnd;
}

Expected expectedDown(std::int64_t offset) {
  if (offset <= kChallenged) return Expected::BothJoin;
  return offset < kWelcomed ? Expected::BothFail : Expected::AnythingAtTheEnd;
}

/// Runs the cases side by side: most of their time they wait.
double forAll(std::int64_t count, const std::function<double(std::int64_t)>& run) {
  std::atomic<std::int64_t> next = 0;
  std::mutex mutex;
  double worstMs = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (std::int64_t at; (at = next.fetch_add(1)) < count;) {
        const double ms = run(at);
        const std::lock_guard lock(mutex);
        worstMs = std::max(worstMs, ms);
      }
    });
  for (std::thread& thread : threads) thread.join();
  return worstMs;
}

void record(const char* name, double value) {
  testing::Test::RecordProperty(name, std::to_string(value));
  std::printf("%s: %.1f\n", name, value);
}

double run(const ConnectionFaults& faults, Expected expected, const std::string& what) {
  const Pair pair = joinBehind(faults);
  expectPair(pair, expected, what);
  return std::max(pair.direct.ms, pair.proxied.ms);
}

TEST(NetFaults, ResetAtEveryByteOfWhatARankSends) {
  record("reset_to_root_worst_ms", forAll(kReported + 1, [](std::int64_t offset) {
           ConnectionFaults faults;
           faults.toServer.resetAt = offset;
           return run(faults, expectedUp(offset), "reset to the root at " + std::to_string(offset));
         }));
}

TEST(NetFaults, ResetAtEveryByteOfWhatARankIsSent) {
  record("reset_to_rank_worst_ms", forAll(kJudged + 1, [](std::int64_t offset) {
           ConnectionFaults faults;
           faults.toClient.resetAt = offset;
           return run(faults, expectedDown(offset), "reset to the rank at " + std::to_string(offset));
         }));
}

TEST(NetFaults, HalfClosedBetweenMessages) {
  for (const std::int64_t offset :
       {std::int64_t{0}, std::int64_t{sizeof(Hello)}, std::int64_t{sizeof(Hello) + sizeof(Introduction)}}) {
    ConnectionFaults faults;
    faults.toServer.closeAt = offset;
    run(faults, Expected::BothJoin, "half closed to the root at " + std::to_string(offset));
  }
  for (const std::int64_t offset : {kIntroduced, kReported}) {
    ConnectionFaults faults;
    faults.toServer.closeAt = offset;
    run(faults, offset == kReported ? Expected::AnythingAtTheEnd : Expected::BothFail,
        "half closed to the root at " + std::to_string(offset));
  }
  for (const std::int64_t offset : {std::int64_t{0}, kChallenged, kWelcomed}) {
    ConnectionFaults faults;
    faults.toClient.closeAt = offset;
    const Expected expected = offset == 0             ? Expected::BothJoin
                              : offset == kChallenged ? Expected::BothFail
                                                      : Expected::AnythingAtTheEnd;
    run(faults, expected, "half closed to the rank at " + std::to_string(offset));
  }
}

/// No changed byte makes a rank join: it is refused by a proof, and tried again or named.
TEST(NetFaults, CorruptedBytes) {
  record("corrupted_worst_ms", forAll((kReported + kJudged) / 7, [](std::int64_t at) {
           const std::int64_t offset = at * 7;
           ConnectionFaults faults;
           (offset < kReported ? faults.toServer.corruptAt : faults.toClient.corruptAt) =
               offset < kReported ? offset : offset - kReported;
           const Pair pair = joinBehind(faults, 1000);
           // Bytes that a proof does not cover (versions, the magic of a message that is refused) change nothing else.
           EXPECT_LT(std::max(pair.direct.ms, pair.proxied.ms), 4000.0) << offset;
           for (const Outcome* outcome : {&pair.direct, &pair.proxied})
             EXPECT_TRUE(!outcome->error.empty() || outcome->membership.ranks.at(1).pid == 1001) << offset;
           return std::max(pair.direct.ms, pair.proxied.ms);
         }));
}

TEST(NetFaults, BlackholeEndsAtTheDeadline) {
  for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{30}, std::int64_t{sizeof(Hello)}}) {
    ConnectionFaults faults;
    faults.toServer.blackholeAt = offset;
    faults.toClient.blackholeAt = 0;
    const Pair pair = joinBehind(faults, 700);
    EXPECT_EQ(pair.direct.error.rfind("Timeout: 1 of 2 ranks joined before the deadline; missing: 1", 0), 0u)
        << pair.direct.error;
    EXPECT_EQ(pair.proxied.error.rfind("Timeout: the rendezvous at 127.0.0.1:", 0), 0u) << pair.proxied.error;
    EXPECT_NE(pair.proxied.error.find("127.0.0.1 (lo)"), std::string::npos) << pair.proxied.error;
    for (const Outcome* outcome : {&pair.direct, &pair.proxied}) {
      EXPECT_GT(outcome->ms, 600.0);
      EXPECT_LT(outcome->ms, 2500.0);
    }
  }
}

TEST(NetFaults, RefusedNamesAddressAndInterface) {
  UniqueId id = openRendezvous("127.0.0.1");
  ASSERT_EQ(joinFully(id, infoOf(0, 1)).error, "");
  usleep(300'000);  // it has ended
  const Outcome late = joinFully(id, infoOf(0, 1));
  EXPECT_EQ(late.error.rfind("SystemError: connecting to the rendezvous failed (" + toText(id.endpoints[0]) +
                                 " from 127.0.0.1 (lo): Connection refused)",
                             0),
            0u)
      << late.error;
  EXPECT_LT(late.ms, 200.0) << "a refusal is no reason to wait";
}

/// A listener that nobody accepts from drops what comes once its queue is full, as a firewall does.
class SilentListener {
 public:
  SilentListener() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof own;
    auto* address = reinterpret_cast<sockaddr*>(&own);
    EXPECT_EQ(bind(listener_.get(), address, size), 0);
    EXPECT_EQ(listen(listener_.get(), 0), 0);
    EXPECT_EQ(getsockname(listener_.get(), address, &size), 0);
    for (int i = 0; i < 4; ++i) {
      callers_.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)connect(callers_.back().get(), address, size);
    }
    sockaddr_storage bound{};
    std::copy_n(reinterpret_cast<char*>(&own), sizeof own, reinterpret_cast<char*>(&bound));
    endpoint = endpointOf(bound);
  }
  UniqueId::Endpoint endpoint;

 private:
  UniqueFd listener_;
  std::vector<UniqueFd> callers_;
};

TEST(NetFaults, ADroppedConnectionEndsAtTheDeadline) {
  const SilentListener silent;
  UniqueId id = openRendezvous("127.0.0.1");
  id.endpoints[0] = silent.endpoint;
  RankInfo info = infoOf(0, 1, 0);  // and a second of grace
  const Outcome outcome = joinFully(id, info);
  EXPECT_EQ(outcome.error.rfind("Timeout: connecting to the rendezvous failed (" + toText(silent.endpoint) +
                                    " from 127.0.0.1 (lo): no answer before the deadline)",
                                0),
            0u)
      << outcome.error;
  EXPECT_GT(outcome.ms, 900.0);
  EXPECT_LT(outcome.ms, 1500.0);
}

/// One address of the rendezvous that drops packets does not hold up the others.
TEST(NetFaults, AnotherAddressAnswers) {
  const SilentListener silent;
  const UniqueId id = openRendezvous("127.0.0.1");
  UniqueId two = id;
  two.endpoints[1] = id.endpoints[0];
  two.endpoints[0] = silent.endpoint;
  const Outcome outcome = joinFully(two, infoOf(0, 1));
  EXPECT_EQ(outcome.error, "");
  EXPECT_LT(outcome.ms, 1000.0);
  record("second_address_ms", outcome.ms);
}

/// Delay, jitter, reordered connections, segments of one byte: the ranks join all the same.
TEST(NetFaults, SlowNetworkIsNoError) {
  struct Row {
    const char* name;
    StreamFaults faults;
    std::int64_t acceptMs;
  };
  const Row rows[] = {{"plain_ms", {}, 0},
                      {"delay_50_ms", {.delayMs = 50}, 0},
                      {"jitter_40_ms", {.delayMs = 5, .jitterMs = 40}, 0},
                      {"reordered_connections_ms", {}, 30},
                      {"single_bytes_ms", {.singleBytes = true}, 0}};
  constexpr int kRanks = 4;
  for (const Row& row : rows) {
    Proxied net([&](int connection) {
      return ConnectionFaults{row.faults, row.faults, row.acceptMs * (kRanks - connection)};
    });
    std::vector<Outcome> outcomes(kRanks);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < kRanks; ++rank)
      threads.emplace_back(
          [&, rank] { outcomes[static_cast<std::size_t>(rank)] = joinFully(net.through, infoOf(rank, kRanks)); });
    for (std::thread& thread : threads) thread.join();
    double worst = 0;
    for (const Outcome& outcome : outcomes) {
      EXPECT_EQ(outcome.error, "") << row.name;
      worst = std::max(worst, outcome.ms);
    }
    EXPECT_EQ(net.proxy.connections(), kRanks) << row.name << ": nobody had to call twice";
    record(row.name, worst);
  }
}

}  // namespace

}  // namespace ulysses::test
