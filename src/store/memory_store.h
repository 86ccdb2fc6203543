// MemoryStore: a Store in memory, for tests and the simulator; no part of the program links it.
//
// Behaves as the store on disk does (store_test.cpp holds both to the same tests), and is
// deterministic and single-threaded. What a kill leaves of it is chosen by the test: crash() goes
// back to what was durable, a prefix of the commits. Snapshots and checkpoints are whole copies.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/store.h"

namespace dkron::store {

class MemoryStore final : public Store {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;

  MemoryStore();
  ~MemoryStore() override;

  const Reader& reader() const override;
  std::unique_ptr<Reader> snapshot() const override;
  Batch& batch() override;
  Result<void> commit() override;
  void discard() override;
  Result<void> flush() override;
  Result<Checkpoint> make_checkpoint(const std::string& name) override;
  std::vector<std::string> checkpoints() const override;
  void remove_checkpoint(const std::string& name) override;
  Result<void> restore_checkpoint(const Checkpoint& checkpoint) override;
  // Checkpoints in memory have no files that could travel.
  bool has_checkpoint(const Checkpoint& checkpoint) const override;
  Path checkpoint_path(const std::string&) const override { return {}; }
  Result<Incoming> begin_incoming(const std::string&) override { return no_files(); }
  Result<void> finish_incoming(const std::string&) override { return no_files(); }
  void discard_incoming() override {}
  std::uint64_t memory_bytes() const override;

  // The committed rows: what a test compares.
  const Rows& rows() const { return rows_; }
  // Loses the batch and every commit since the last flush(), make_checkpoint() or
  // restore_checkpoint().
  void crash();
  // A checkpoint is one file of this name; moves one between stores, as raft sends a snapshot.
  static constexpr const char* kFileName = "rows";
  Result<std::string> read_checkpoint(const std::string& name) const;
  Result<Checkpoint> add_checkpoint(const std::string& name, std::string_view bytes);

 private:
  class MemoryBatch;

  static tl::unexpected<Error> no_files() {
    return fail(ErrorCode::Unavailable, "store: a store in memory has no files");
  }

  Rows rows_;
  Rows durable_;
  std::map<std::string, Rows, std::less<>> checkpoints_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<MemoryBatch> batch_;
};

}  // namespace dkron::store
