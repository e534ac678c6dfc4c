// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "comm/launch/meeting.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "base/env.h"
#include "comm/bootstrap/hmac.h"
#include "comm/bootstrap/interface.h"
#include "comm/launch/key_value.h"
#include "comm/launch/root_place.h"
#include "comm/launch/secret_file.h"

namespace ulysses {
namespace {

constexpr int64_t kLastPort = 65535;

std::string toHex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<size_t>(byte >> 4)];
    text += kDigits[std::to_integer<size_t>(byte & std::byte{15})];
  }
  return text;
}

/// Fewer bytes than there are digits for, at the first that is none.
std::string fromHex(std::string_view text) {
  std::string bytes;
  for (; text.size() >= 2; text.remove_prefix(2)) {
    uint8_t byte = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + 2, byte, 16);
    if (error != std::errc() || end != text.data() + 2) break;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

// ---------------------------------------------------------------------------------------------- by key and value

constexpr std::string_view kId = "id-", kError = "error-";

UniqueId idFrom(const std::string& value) {
  const std::string_view text = value;
  if (text.starts_with(kError))
    raise(Result::SystemError, "rank 0 could not open the rendezvous: {}", fromHex(text.substr(kError.size())));
  UniqueId id;
  const std::string bytes = text.starts_with(kId) ? fromHex(text.substr(kId.size())) : "";
  if (bytes.size() == sizeof id) std::memcpy(static_cast<void*>(&id), bytes.data(), sizeof id);
  if (bytes.size() != sizeof id || id.magic != UniqueId::kMagic || id.wireVersion != kBootstrapVersion)
    raise(Result::SystemError, "what rank 0 left at the launcher is no id of this version; use one version everywhere");
  return id;
}

/// What goes wrong at rank 0 the others must hear of, or they wait in vain.
UniqueId openAndPublish(KeyValue& store, const std::string& key, Deadline deadline, Serving& serving) {
  constexpr size_t kMostErrorBytes = 400;  // as hex still below what PMI takes
  UniqueId id;
  try {
    const char* interface = env::text("ULYSSES_INTERFACE");
    id = openRendezvous(interface ? interface : kLoopback, &serving);
  } catch (const Error& error) {
    const std::string text = std::string(error.what()).substr(0, kMostErrorBytes);
    store.publish(key, std::string(kError) + toHex(std::as_bytes(std::span(text))), deadline);
    throw;
  }
  store.publish(key, std::string(kId) + toHex(bytesOf(id)), deadline);
  return id;
}

Meeting meetByKeyValue(const Launcher& launcher, uint64_t number, Deadline deadline) {
  KeyValue& store = keyValueOf(launcher, deadline);
  const std::string key = formatText("ulysses-{}", number);
  Serving serving;
  const UniqueId id =
      launcher.rank == 0 ? openAndPublish(store, key, deadline, serving) : idFrom(store.lookUp(key, deadline));
  return {id, Patience::RootIsThere, serving};
}

// ---------------------------------------------------------------------------------------------- at a given place

/// None on a loopback address, where only processes of this host come, and other users' are refused later on (mesh).
Secret sharedSecret(const RootPlace& place, const std::vector<UniqueId::Endpoint>& endpoints) {
  if (const char* file = env::text("ULYSSES_SECRET_FILE")) return readSecretFile(file);
  const auto open = std::find_if_not(endpoints.begin(), endpoints.end(), isLoopback);
  require(open == endpoints.end() || env::integer("ULYSSES_INSECURE", 0, 0, 1) == 1,
          "{}: {} is no loopback address, and without a secret anybody on its network could join; set "
          "ULYSSES_SECRET_FILE to a file of 32 or more random bytes and mode 0600, the same at all ranks, or "
          "ULYSSES_INSECURE=1 where everybody who reaches that address is trusted",
          place.origin, open == endpoints.end() ? "" : toText(*open));
  return {};
}

/// The tag tells communicators apart and is no secret: with another secret it is the same, and that is then the error.
UniqueId derive(const RootPlace& place, const std::vector<UniqueId::Endpoint>& endpoints, const Secret& shared,
                const Launcher& launcher, uint64_t number) {
  UniqueId id;
  id.wireVersion = kBootstrapVersion;
  std::copy(endpoints.begin(), endpoints.end(), id.endpoints);
  const auto of = [&](const Secret& key, std::string_view label) {
    const Bytes job = std::as_bytes(std::span(launcher.job));
    return hmac(key, label, {job, bytesOf(place.port), bytesOf(number)});
  };
  const Proof tag = of({}, "ulysses launch tag");
  std::memcpy(&id.tag, tag.data(), sizeof id.tag);
  id.secret = of(shared, "ulysses launch secret");
  return id;
}

Meeting meetAt(const RootPlace& place, const Launcher& launcher, uint64_t number, Deadline deadline) {
  const std::vector<UniqueId::Endpoint> endpoints = resolve(place);
  const UniqueId id = derive(place, endpoints, sharedSecret(place, endpoints), launcher, number);
  const Serving serving = launcher.rank == 0 ? serveRendezvous(id, place.origin, deadline) : Serving();
  return {id, Patience::RootMayComeLater, serving};
}

/// torchrun's store listens at MASTER_PORT itself. Where all ranks are on this host its address is not needed.
RootPlace placeOfMaster(const Launcher& launcher) {
  const char* host = env::text("MASTER_ADDR");
  const char* masterPort = env::text("MASTER_PORT");
  const bool alone = launcher.localRanks == launcher.nRanks;
  RootPlace place{.host = alone ? "127.0.0.1" : host};
  int64_t port = env::integer("ULYSSES_PORT", 0, 1, kLastPort);
  place.origin = formatText("ULYSSES_PORT={} at MASTER_ADDR={}", port, place.host);
  if (port == 0) {
    port = std::atoll(masterPort ? masterPort : "0") + 1;
    place.origin =
        formatText("ULYSSES_PORT={} (MASTER_PORT + 1; set it to use another) at MASTER_ADDR={}", port, place.host);
    require(masterPort && port > 1 && port <= kLastPort,
            "environment variable MASTER_PORT={}: want a port in 1..65534, as torchrun sets it; or set ULYSSES_PORT",
            masterPort ? masterPort : "");
  }
  place.port = static_cast<uint16_t>(port);
  return place;
}

}  // namespace

Meeting meet(const Launcher& launcher, uint64_t number, Deadline deadline) {
  if (const char* root = env::text("ULYSSES_ROOT")) return meetAt(parseRoot(root), launcher, number, deadline);
  if (launcher.store != Store::None) return meetByKeyValue(launcher, number, deadline);
  if (env::text("MASTER_ADDR")) return meetAt(placeOfMaster(launcher), launcher, number, deadline);
  raise(
      Result::InvalidArgument,
      "{} make this process rank {} of {}, and nothing says where the ranks meet: set ULYSSES_ROOT=HOST:PORT (of rank "
      "0) and ULYSSES_SECRET_FILE, or MASTER_ADDR and MASTER_PORT, or start them by mpirun or 'srun --mpi=pmi2'",
      launcher.variables, launcher.rank, launcher.nRanks);
}

}  // namespace ulysses
