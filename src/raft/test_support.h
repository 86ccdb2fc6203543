// What the tests of this folder share: a loop, a state machine in a file, a temporary directory.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "raft/node.h"

namespace dkron::raft::testing {

constexpr Duration kDeadline = seconds(30);

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const Path& path() const { return path_; }

 private:
  Path path_;
};

// The main loop of a test: runs what was posted, on the thread that waits. Copies are the same
// loop.
class TestLoop {
 public:
  Post post();
  // Runs tasks until `done`; false when the deadline passes first.
  bool run_until(const std::function<bool()>& done, Duration limit = kDeadline);

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Task> tasks;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

// Remembers every payload in order of application, in a file that survives a kill of the process.
// Kind 99 makes apply() fail.
class FileMachine final : public StateMachine {
 public:
  static constexpr std::uint16_t kBadKind = 99;

  explicit FileMachine(Path file);

  Result<std::vector<Outcome>> apply(std::uint64_t index,
                                     std::span<const CommandView> commands) override;
  void publish() override;
  std::uint64_t applied_index() const override;
  Result<std::string> take_snapshot() override;
  void snapshot_stored(std::string_view manifest) override;
  Result<void> restore(std::string_view manifest) override;
  Result<bool> holds(std::string_view manifest) override;
  Result<SnapshotSource> snapshot_source(std::string_view manifest) override;
  Result<SnapshotTarget> snapshot_target(std::string_view manifest) override;
  Result<void> snapshot_received(std::string_view manifest) override;

  // Any thread. While held, apply() waits, and the raft thread with it.
  void hold();
  void release();
  void wait_until_held();  // Until apply() waits.
  std::vector<std::string> values() const;
  std::size_t applied_entries() const;  // Calls of apply() of this object.
  std::size_t published() const;
  std::size_t stored_snapshots() const;
  std::size_t restored() const;

 private:
  std::string serialize() const;
  void parse(std::string_view text);
  Path checkpoint_path(std::uint64_t index) const;
  Path incoming_path(std::uint64_t index) const;

  const Path file_;
  mutable std::mutex mutex_;
  std::condition_variable released_;
  bool is_held_ = false;
  bool is_waiting_ = false;
  std::uint64_t applied_index_ = 0;
  std::vector<std::string> values_;
  std::size_t applied_entries_ = 0;
  std::size_t published_ = 0;
  std::size_t stored_snapshots_ = 0;
  std::size_t restored_ = 0;
};

// One node in a directory of its own.
struct TestNode {
  explicit TestNode(Path data_directory, std::string name = "node1");

  Options options;
  TestLoop loop;
  std::unique_ptr<FileMachine> machine;
  std::unique_ptr<Node> node;
  std::optional<Error> fatal;

  Result<void> open();
  // Proposes one command and waits for its answer.
  Result<std::vector<Outcome>> propose(std::string payload, std::uint16_t kind = 1);
  // Makes a call with a callback and waits for its answer.
  Result<void> ask(const std::function<void(Node&, Node::OnDone)>& call);
  Result<void> snapshot();
  bool is_leader() const { return node->status().role == Status::Role::Leader; }
};

// Flips one byte of the file at this offset.
void flip_byte(const Path& file, std::uint64_t offset);
// The files of the directory whose names start with `prefix`, in order.
std::vector<Path> files_with_prefix(const Path& directory, std::string_view prefix);

std::uint64_t test_seed();  // SEED from the environment, or a random one; printed.

}  // namespace dkron::raft::testing
