// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A network that misbehaves, between TCP clients and one server: a thread that passes bytes on, and what is done to
// them is chosen per connection and direction. The same seed gives the same delays.
#pragma once
#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace ulysses::test {

/// Of one direction of one connection; offsets count the bytes that went that way. -1: never.
struct StreamFaults {
  std::int64_t delayMs = 0;
  std::int64_t jitterMs = 0;      // on top of the delay, up to so much; bytes of one stream stay in order
  bool singleBytes = false;       // each byte is sent by itself
  std::int64_t resetAt = -1;      // both ends get a RST instead of this byte
  std::int64_t closeAt = -1;      // the reader gets an end of file instead of this byte, the other direction goes on
  std::int64_t blackholeAt = -1;  // this byte and all after it are lost without a sign
  std::int64_t corruptAt = -1;    // one bit of this byte is flipped
};

struct ConnectionFaults {
  StreamFaults toServer, toClient;
  std::int64_t acceptDelayMs = 0;  // before the server sees the connection: reorders connections
};

class TcpProxy {
 public:
  using Choose = std::function<ConnectionFaults(int connection)>;

  /// Listens at a port of 127.0.0.1 of its own. `choose` is called in the proxy's thread, with 0, 1, 2...
  TcpProxy(const sockaddr_storage& server, Choose choose, std::uint64_t seed = 1);
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;
  /// Closes all connections.
  ~TcpProxy();

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_.load(); }
  /// What the clients sent on that connection so far, before any fault.
  std::string sentToServer(int connection) const;

 private:
  struct Chunk {
    std::int64_t dueNs;
    std::string bytes;
  };
  struct Stream {
    int from = -1, to = -1;
    StreamFaults faults;
    std::deque<Chunk> queue;
    std::int64_t taken = 0, lastDueNs = 0;
    bool ended = false, shut = false;  // the source has; the sink was told
  };
  struct Connection {
    int index, client, server = -1;
    std::int64_t connectNs;
    ConnectionFaults faults;
    Stream up, down;
    bool dead = false;
  };

  void run();
  void pollOnce();
  void accept();
  void connectServer(Connection& c);
  void loseServer();
  void take(Connection& c, Stream& s);
  void give(Connection& c, Stream& s);
  void enqueue(Stream& s, std::string bytes);
  void end(Connection& c, bool reset);
  int timeoutMs() const;

  sockaddr_storage server_;
  Choose choose_;
  std::mt19937_64 random_;
  int listener_;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Connection>> live_;
  std::atomic<int> connections_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> transcripts_;
  std::thread thread_;
};

}  // namespace ulysses::test
