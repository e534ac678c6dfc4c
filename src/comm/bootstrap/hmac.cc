// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/bootstrap/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <vector>

#include "base/check.h"

namespace ulysses {

/// Each part is preceded by its length: no two lists of parts give the same bytes.
Proof hmac(const Secret& key, std::string_view label, std::initializer_list<Bytes> parts) {
  std::vector<unsigned char> text;
  const auto append = [&](const void* data, uint64_t bytes) {
    const auto* length = reinterpret_cast<const unsigned char*>(&bytes);
    text.insert(text.end(), length, length + sizeof bytes);
    const auto* at = static_cast<const unsigned char*>(data);
    text.insert(text.end(), at, at + bytes);
  };
  append(label.data(), label.size());
  for (const Bytes part : parts) append(part.data(), part.size());
  Proof proof{};
  unsigned int size = 0;
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text.data(), text.size(), proof.data(), &size) ||
      size != proof.size())
    raise(Result::SystemError, "OpenSSL could not compute HMAC-SHA256");
  return proof;
}

bool sameProof(const Proof& a, const Proof& b) noexcept { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

void fillRandom(void* data, size_t bytes) {
  auto* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = getrandom(at, bytes, 0);
    if (got < 0 && errno != EINTR) raiseErrno("getrandom");
    if (got <= 0) continue;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
}

}  // namespace ulysses
