// TestNetwork: connections between the nodes of a process, through a thread that can cut, hold and
// falsify them.
//
// A connection is two socket pairs; what comes out of one is written into the other. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "raft/node.h"

namespace dkron::raft::testing {

class TestNetwork {
 public:
  TestNetwork();
  ~TestNetwork();

  // Options::dial of the node `from`.
  decltype(Options::dial) dialer(std::string from);
  // Null: it cannot be dialed.
  void attach(const std::string& name, Node* node);

  // Nothing reaches this node or comes from it, and nobody is told.
  void cut(const std::string& name);
  void heal(const std::string& name);

  // Of the files of snapshots: bytes that were forwarded to their receivers so far.
  std::uint64_t snapshot_bytes() const;
  // Holds them back once there are so many.
  void set_snapshot_limit(std::uint64_t bytes);
  // Flips the byte with this number, once.
  void falsify_snapshot_byte(std::uint64_t number);

 private:
  struct Stream;
  struct Link;

  void dial(const std::string& from, const Server& server,
            const std::function<void(Result<UniqueFd>)>& done);
  void run();
  bool is_held(const Link& link, const Stream& stream) const;
  // False: the connection has ended.
  bool pump(Link& link, Stream& stream);
  void on_bytes(Link& link, Stream& stream);
  void wake();

  UniqueFd wake_;
  mutable std::mutex mutex_;
  bool is_ending_ = false;
  std::map<std::string, Node*> nodes_;
  std::set<std::string> cut_;
  std::list<std::unique_ptr<Link>> links_;
  std::uint64_t snapshot_bytes_ = 0;
  std::uint64_t snapshot_limit_ = UINT64_MAX;
  std::uint64_t falsified_byte_ = UINT64_MAX;
  std::thread thread_;
};

}  // namespace dkron::raft::testing
