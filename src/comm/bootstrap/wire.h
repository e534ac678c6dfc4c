// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What a rank and the rendezvous say to each other, in this order: Hello, Challenge, Introduction, Welcome, where
// needed Contact and Contacts, Report, Verdict. The layout of these never changes, whatever the library's version, so
// that two versions can tell each other so; what changes is behind `version`, in RankInfo. All integers are
// little-endian, as every host we run on is.
#pragma once
#include <bit>
#include <cstddef>

#include "comm/bootstrap/hmac.h"

namespace ulysses {

static_assert(std::endian::native == std::endian::little);

inline constexpr uint32_t kMostInfoBytes = 256;  // of a RankInfo of any version

inline constexpr uint32_t kMostContactBytes = 4096;

using Nonce = std::array<uint8_t, 32>;

/// A rank calls.
struct Hello {
  static constexpr uint64_t kMagic = 0x6f6c6c6568796c75ULL;
  uint64_t magic = kMagic;
  uint32_t version = kBootstrapVersion;
  uint32_t reserved = 0;
  uint64_t tag = 0;  // of the id; not secret
  Nonce nonce{};
};

/// The rendezvous proves that it has the secret.
struct Challenge {
  static constexpr uint64_t kMagic = 0x6c6c616368796c75ULL;
  uint64_t magic = kMagic;
  uint32_t version = kBootstrapVersion;
  uint32_t otherId = 0;  // 1: another id is served here; proof is empty
  Nonce nonce{};
  Proof proof{};
};

/// The rank proves it too and says who it is: `infoBytes` bytes of its version's RankInfo follow.
struct Introduction {
  static constexpr uint64_t kMagic = 0x6f72746e69796c75ULL;
  uint64_t magic = kMagic;
  uint32_t version = kBootstrapVersion;
  uint32_t infoBytes = 0;
  Proof proof{};
};

/// The answer, to all ranks at once; with result 0, nRanks records of RankInfo follow.
struct Welcome {
  static constexpr uint64_t kMagic = 0x656d6f636c796c75ULL;
  uint64_t magic = kMagic;
  uint32_t version = kBootstrapVersion;
  int32_t result = 0;
  int32_t nRanks = 0;
  uint32_t infoBytes = 0;
  Nonce meshNonce{};
  char text[512] = {};
  Proof proof{};  // of all before it, and of the records
};

/// Where a rank's network path is reached; asked of all ranks when some are on different hosts.
struct Contact {
  static constexpr uint64_t kMagic = 0x746361746e6f6375ULL;
  uint64_t magic = kMagic;
  uint32_t version = kBootstrapVersion;
  uint32_t bytes = 0;  // of `data` that count
  std::byte data[kMostContactBytes] = {};
  Proof proof{};
};

/// All of them, to all ranks: by rank, a uint32 of how many bytes and the bytes; `bytes` in all follow.
struct Contacts {
  static constexpr uint64_t kMagic = 0x736361746e6f6375ULL;
  uint64_t magic = kMagic;
  uint32_t version = kBootstrapVersion;
  uint32_t bytes = 0;
  Proof proof{};  // of all before it, and of the bytes
};

/// A welcomed rank has connected to the others (result 0), or could not.
struct Report {
  static constexpr uint64_t kMagic = 0x74726f7065796c75ULL;
  uint64_t magic = kMagic;
  uint32_t version = kBootstrapVersion;
  int32_t result = 0;
  char text[512] = {};
  Proof proof{};
};

/// The last word, the same to all ranks: the communicator is made at all of them, or at none and why.
struct Verdict {
  static constexpr uint64_t kMagic = 0x6369647265796c75ULL;
  uint64_t magic = kMagic;
  uint32_t version = kBootstrapVersion;
  int32_t result = 0;
  char text[512] = {};
  Proof proof{};
};

static_assert(sizeof(Hello) == 56 && sizeof(Challenge) == 80 && sizeof(Introduction) == 48 && sizeof(Welcome) == 600 &&
              sizeof(Report) == 560 && sizeof(Verdict) == 560 && sizeof(Contact) == 4144 && sizeof(Contacts) == 48);

/// What both ends know of one connection; every proof covers it, so none is good for another connection.
struct Session {
  Secret secret{};
  uint64_t tag = 0;
  Nonce rank{}, root{};

  Proof rootProof() const { return prove("ulysses root", {}, {}); }
  Proof rankProof(Bytes info) const { return prove("ulysses rank", info, {}); }
  Proof welcomeProof(const Welcome& welcome, Bytes records) const {
    return prove("ulysses welcome", bytesOf(welcome).first(offsetof(Welcome, proof)), records);
  }
  Proof contactProof(const Contact& contact) const {
    return prove("ulysses contact", bytesOf(contact).first(offsetof(Contact, proof)), {});
  }
  Proof contactsProof(const Contacts& contacts, Bytes records) const {
    return prove("ulysses contacts", bytesOf(contacts).first(offsetof(Contacts, proof)), records);
  }
  Proof reportProof(const Report& report) const {
    return prove("ulysses report", bytesOf(report).first(offsetof(Report, proof)), {});
  }
  Proof verdictProof(const Verdict& verdict) const {
    return prove("ulysses verdict", bytesOf(verdict).first(offsetof(Verdict, proof)), {});
  }

 private:
  Proof prove(std::string_view label, Bytes a, Bytes b) const {
    return hmac(secret, label, {bytesOf(tag), bytesOf(rank), bytesOf(root), a, b});
  }
};

}  // namespace ulysses
