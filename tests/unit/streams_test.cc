// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Who sends whom what when ranks are on several hosts, of random exchanges: both ends list the same, everything
// arrives, and what several ranks of a host share crosses once.
#include "plan/streams.h"

#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "plan_case.h"

namespace ulysses::test {
namespace {

struct Job {
  PlanCase run;
  std::vector<int> hosts;
  std::vector<std::unique_ptr<Plan>> plans;
  std::vector<std::unique_ptr<Streams>> streams;
  Crossing crossing;  // what came of what was wanted

  Job(int nRanks, std::uint64_t seed, Crossing wanted) : run(drawCase(nRanks, seed)) {
    Rng rng(seed, static_cast<std::uint64_t>(nRanks), 7);
    const std::int64_t nHosts = rng.between(1, nRanks);
    const bool inBlocks = rng.chance(70);  // launchers deal ranks in blocks or round robin
    for (int rank = 0; rank < nRanks; ++rank)
      hosts.push_back(static_cast<int>(inBlocks ? rank * nHosts / nRanks : rank % nHosts));
    plans = run.allPlans();
    crossing = chooseCrossing(*plans.front(), hosts, wanted);
    for (const auto& plan : plans) {
      EXPECT_EQ(chooseCrossing(*plan, hosts, wanted), crossing);
      streams.push_back(std::make_unique<Streams>(*plan, hosts, crossing));
    }
  }
  bool apart(int a, int b) const { return hosts[static_cast<std::size_t>(a)] != hosts[static_cast<std::size_t>(b)]; }
};

template <typename Check>
void forRandomJobs(Check&& check) {
  for (const Crossing wanted : {Crossing::Heads, Crossing::Joined})
    for (const int nRanks : {1, 2, 3, 4, 6, 8})
      for (std::uint64_t seed = 0; seed < 150; ++seed) {
        SCOPED_TRACE(testing::Message() << nRanks << " ranks, seed " << seed << ", crossing "
                                        << static_cast<int>(wanted));
        check(Job(nRanks, seed, wanted));
        if (testing::Test::HasFailure()) return;
      }
}

TEST(Streams, BothEndsListTheSame) {
  forRandomJobs([](const Job& job) {
    for (const auto& from : job.plans)
      for (const auto& to : job.plans) {
        const auto sent = job.streams[static_cast<std::size_t>(from->rank())]->sendsTo(to->rank());
        const auto came = job.streams[static_cast<std::size_t>(to->rank())]->receivesFrom(from->rank());
        ASSERT_EQ(sent.size(), came.size()) << "from " << from->rank() << " to " << to->rank();
        for (std::size_t i = 0; i < sent.size(); ++i) {
          EXPECT_EQ(sent[i].box->tensor, came[i].box->tensor);
          EXPECT_EQ(sent[i].box->seqGroup, came[i].box->seqGroup);
          EXPECT_EQ(sent[i].box->seqToken, came[i].box->seqToken);
          EXPECT_EQ(sent[i].box->rows(from->geometry().batch), came[i].box->rows(from->geometry().batch));
          EXPECT_EQ(sent[i].always, came[i].always);
          EXPECT_EQ(sent[i].apart, came[i].apart);
          EXPECT_FALSE(sent[i].always && job.apart(from->rank(), to->rank())) << "passed on within a host only";
        }
      }
  });
}

/// Each receive of the plan comes once, or is one summand of a unit that comes as a sum of all of them.
TEST(Streams, EverythingArrivesOnce) {
  int sums = 0, relays = 0;
  forRandomJobs([&](const Job& job) {
    for (const auto& plan : job.plans) {
      const Streams& streams = *job.streams[static_cast<std::size_t>(plan->rank())];
      std::vector<int> came(plan->receives().size());
      for (int peer = 0; peer < plan->nRanks(); ++peer)
        for (std::size_t i = 0; i < streams.receivesFrom(peer).size(); ++i) {
          const Streams::Receive& entry = streams.receivesFrom(peer)[i];
          if (entry.receive < 0) continue;
          ++came[static_cast<std::size_t>(entry.receive)];
          EXPECT_EQ(streams.placeOf(entry.receive), static_cast<std::int32_t>(i));
          relays += entry.always;
        }
      for (const SumUnit& unit : plan->sumUnits()) {
        int plain = 0, whole = 0;
        for (const SumSource& source : plan->sumSources(unit)) {
          const std::int32_t place = streams.placeOf(source.receive);
          if (place < 0) continue;
          const bool isSum = streams.receivesFrom(source.rank)[static_cast<std::size_t>(place)].unit < 0;
          ++(isSum ? whole : plain);
          if (isSum) came[static_cast<std::size_t>(source.receive)] = 1;
        }
        EXPECT_TRUE((plain == unit.sourceCount && whole == 0) || (plain == 0 && whole == 1));
        for (const SumSource& source : plan->sumSources(unit)) came[static_cast<std::size_t>(source.receive)] = 1;
        sums += whole;
      }
      for (std::size_t i = 0; i < came.size(); ++i) EXPECT_EQ(came[i], 1) << "receive " << i;
    }
  });
  EXPECT_GT(sums, 100);
  EXPECT_GT(relays, 100);
}

void expectAllShares(const Job& job, const Plan& plan, const Streams& streams, const Streams::Send& send) {
  const Streams::Transit& sum = streams.transits()[static_cast<std::size_t>(send.transit)];
  int last = -1;
  for (const Streams::Source& source : streams.sourcesOf(sum)) {
    EXPECT_GT(source.rank, last);
    last = source.rank;
    EXPECT_FALSE(job.apart(source.rank, plan.rank()));
    EXPECT_EQ(source.rank == plan.rank(), source.place < 0);
    if (source.place < 0) continue;
    const auto& entry = streams.receivesFrom(source.rank)[static_cast<std::size_t>(source.place)];
    EXPECT_EQ(entry.box->seqGroup, send.box->seqGroup);
    EXPECT_EQ(entry.box->tensor, send.box->tensor);
  }
  EXPECT_EQ(sum.sourceCount, plan.distribution().heads.holderCount(send.box->seqGroup));
}

TEST(Streams, SumsAreOfAllRanksThatShareTheHeadInOrder) {
  forRandomJobs([](const Job& job) {
    for (const auto& plan : job.plans) {
      const Streams& streams = *job.streams[static_cast<std::size_t>(plan->rank())];
      std::size_t sums = 0;
      for (int peer = 0; peer < plan->nRanks(); ++peer)
        for (const Streams::Send& send : streams.sendsTo(peer))
          if (send.transit >= 0) {
            if (streams.transits()[static_cast<std::size_t>(send.transit)].sourceCount > 1)
              expectAllShares(job, *plan, streams, send);
            ++sums;
          }
      EXPECT_EQ(sums, streams.transits().size());
    }
  });
}

/// Of a KV head with holders of one head each: what a sequence rank exchanges with a host it is not on.
TEST(Streams, ASharedHeadCrossesOncePerHost) {
  forRandomJobs([](const Job& job) {
    using Key = std::tuple<int, int, int, std::int64_t, std::int64_t>;  // sequence rank, host, tensor, head, token
    std::map<Key, int> crossings;
    const bool scatters = job.run.operation == Operation::ScatterHeads;
    if (!scatters && job.crossing == Crossing::Joined) return;  // never of heads that are shared
    for (const auto& from : job.plans)
      for (int to = 0; to < from->nRanks(); ++to)
        for (const auto& send : job.streams[static_cast<std::size_t>(from->rank())]->sendsTo(to)) {
          if (!job.apart(from->rank(), to)) continue;
          const TensorSpec& tensor = from->tensors()[static_cast<std::size_t>(send.box->tensor)];
          const int seq = scatters ? from->rank() : to, head = scatters ? to : from->rank();
          const HeadSplit& heads = from->distribution().heads;
          if (tensor.kind != TensorKind::Kv || send.box->groups != 1) continue;
          bool oneHost = true;  // all that share the head are there: the sum can be made there
          for (int rank = 0; rank < from->nRanks(); ++rank) {
            const Range& range = heads.kv[static_cast<std::size_t>(rank)];
            const bool shares =
                range.count > 0 && range.begin <= send.box->seqGroup && range.end() > send.box->seqGroup;
            if (shares && (scatters ? range.count != 1 : job.apart(rank, head))) oneHost = false;
          }
          if (!oneHost) continue;
          const int crossed = ++crossings[{seq, job.hosts[static_cast<std::size_t>(head)], send.box->tensor,
                                           send.box->seqGroup, send.box->seqToken}];
          EXPECT_EQ(crossed, 1) << "from " << from->rank() << " to " << to;
        }
  });
}

/// Where messages are joined: one stream to each other host, and what is passed on there is what was sent.
TEST(Streams, JoinedMessagesGoToOneRankOfAHost) {
  int joined = 0, passedOn = 0;
  forRandomJobs([&](const Job& job) {
    if (job.crossing != Crossing::Joined) return;
    for (const auto& plan : job.plans) {
      const Streams& streams = *job.streams[static_cast<std::size_t>(plan->rank())];
      std::map<int, int> streamsTo;  // by host
      for (int peer = 0; peer < plan->nRanks(); ++peer) {
        if (job.apart(plan->rank(), peer) && !streams.sendsTo(peer).empty())
          ++streamsTo[job.hosts[static_cast<std::size_t>(peer)]];
        for (const Streams::Send& send : streams.sendsTo(peer)) {
          if (send.transit < 0) continue;
          const auto sources = streams.sourcesOf(streams.transits()[static_cast<std::size_t>(send.transit)]);
          ASSERT_EQ(sources.size(), 1U);
          EXPECT_TRUE(job.apart(sources[0].rank, plan->rank()));
          EXPECT_FALSE(job.apart(peer, plan->rank()));
          const auto& came = streams.receivesFrom(sources[0].rank)[static_cast<std::size_t>(sources[0].place)];
          EXPECT_EQ(came.box, send.box);
          EXPECT_EQ(came.receive, -1);
          ++passedOn;
        }
      }
      for (const auto& [host, count] : streamsTo) EXPECT_EQ(count, 1) << "to host " << host;
      joined += static_cast<int>(streamsTo.size());
    }
  });
  EXPECT_GT(joined, 100);
  EXPECT_GT(passedOn, 100);
}

/// Where messages are dear and few bytes go, they are joined; where bytes are many, they are not; never where sums of
/// heads that ranks share may wait for each other.
TEST(Streams, TheCheaperCrossingIsChosen) {
  const auto chosen = [&](Operation operation, int64_t sequence, int64_t kvHeads, Crossing wanted) {
    Geometry geometry;
    geometry.nRanks = 64;
    geometry.sequence = sequence;
    geometry.heads = 64;
    geometry.kvHeads = kvHeads;
    const Strides strides{.sequence = 64 * 128, .batch = 64 * 128, .group = 128, .head = 128};
    const TensorSpec tensors[] = {{.type = DataType::BF16,
                                   .kind = TensorKind::Kv,
                                   .sum = operation == Operation::GatherHeads,
                                   .headDim = 128,
                                   .input = strides,
                                   .output = strides}};
    std::vector<int> hosts;
    for (int rank = 0; rank < 64; ++rank) hosts.push_back(rank / 8 * 8);
    return chooseCrossing(Plan(operation, geometry, tensors, 0), hosts, wanted);
  };
  EXPECT_EQ(chosen(Operation::ScatterHeads, 512, 64, Crossing::Auto), Crossing::Joined);
  EXPECT_EQ(chosen(Operation::ScatterHeads, 65536, 64, Crossing::Auto), Crossing::Heads);
  EXPECT_EQ(chosen(Operation::ScatterHeads, 65536, 64, Crossing::Joined), Crossing::Joined);
  EXPECT_EQ(chosen(Operation::GatherHeads, 512, 64, Crossing::Auto), Crossing::Joined);
  EXPECT_EQ(chosen(Operation::GatherHeads, 512, 8, Crossing::Joined), Crossing::Heads);
}

TEST(Streams, WithoutHostsTheyAreThePlan) {
  const PlanCase run = drawCase(4, 3);
  for (const auto& plan : run.allPlans()) {
    const Streams streams(*plan, {});
    for (int peer = 0; peer < plan->nRanks(); ++peer) {
      EXPECT_EQ(streams.sendsTo(peer).size(), plan->sendsTo(peer).size());
      EXPECT_EQ(streams.receivesFrom(peer).size(), plan->receivesFrom(peer).size());
      EXPECT_FALSE(streams.sendsAlways(peer));
      EXPECT_FALSE(streams.receivesAlways(peer));
    }
  }
}

}  // namespace
}  // namespace ulysses::test
