// What the tests of state/ share: a machine over a store in memory, and short ways to make
// commands.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/rows.h"
#include "state/commands.h"
#include "state/machine.h"
#include "store/keys.h"
#include "store/memory_store.h"

namespace dkron::state::testing_support {

inline Instant at(std::int64_t unix_seconds) {
  return Instant::from_unix(unix_seconds);
}

// Somewhere in 2026.
inline constexpr std::int64_t kStart = 1'780'000'000;

inline std::uint64_t test_seed() {
  const char* given = std::getenv("SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : system_random().next();
  std::printf("SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

class Bench {
 public:
  Bench() { restart(); }

  // A new machine over the same store, as after a restart.
  void restart() {
    auto opened = Machine::open(store, [this](Changes published) {
      for (Change& change : published) changes.push_back(std::move(change));
    });
    ASSERT_TRUE(opened) << opened.error().message;
    machine = std::move(*opened);
  }

  // The commands as one entry. Keeps the Changes of the newest entry only.
  Result<std::vector<raft::Outcome>> try_apply(const std::vector<raft::Command>& commands) {
    std::vector<raft::CommandView> views;
    for (const raft::Command& c : commands)
      views.push_back({c.kind, c.version, c.request_id, c.payload});
    changes.clear();
    auto outcomes = machine->apply(machine->applied_index() + 1, views);
    machine->publish();
    return outcomes;
  }

  raft::Outcome apply(const raft::Command& command) {
    auto outcomes = try_apply({command});
    EXPECT_TRUE(outcomes) << outcomes.error().message;
    return outcomes ? outcomes->at(0) : raft::Outcome{ErrorCode::Internal, "not applied", {}};
  }
  template <class Message>
  raft::Outcome apply(Kind kind, const Message& message, std::uint64_t request_id = 0) {
    return apply(make_command(kind, message, request_id));
  }

  template <class Message>
  std::optional<Message> row(const std::string& key) const {
    const auto found = store.rows().find(key);
    if (found == store.rows().end()) return std::nullopt;
    Message message;
    EXPECT_TRUE(message.ParseFromString(found->second));
    return message;
  }
  store::JobDefinition definition(const std::string& name) const {
    return row<store::JobDefinition>(store::keys::definition(name))
        .value_or(store::JobDefinition());
  }
  store::JobState state(const std::string& name) const {
    return row<store::JobState>(store::keys::state(definition(name).uid()))
        .value_or(store::JobState());
  }
  std::size_t count(std::string_view prefix) const {
    std::size_t n = 0;
    for (auto it = store.rows().lower_bound(prefix);
         it != store.rows().end() && it->first.starts_with(prefix); ++it)
      ++n;
    return n;
  }
  std::vector<store::LedgerRow> ledger(const std::string& name) const {
    std::vector<store::LedgerRow> rows;
    const std::string prefix = store::keys::ledger_of(definition(name).uid());
    for (auto it = store.rows().lower_bound(prefix);
         it != store.rows().end() && it->first.starts_with(prefix); ++it) {
      rows.emplace_back().ParseFromString(it->second);
    }
    return rows;
  }
  // All rows but those that every command changes.
  store::MemoryStore::Rows dump() const {
    store::MemoryStore::Rows rows = store.rows();
    rows.erase(std::string(store::keys::kApplied));
    return rows;
  }

  template <class T>
  std::vector<T> changes_of() const {
    std::vector<T> found;
    for (const Change& change : changes) {
      if (const T* wanted = std::get_if<T>(&change)) found.push_back(*wanted);
    }
    return found;
  }

  // Shorthands that must succeed.
  std::uint64_t set_job(const store::JobDefinition& definition) {
    store::SetJobCommand command;
    *command.mutable_definition() = definition;
    const auto outcome = apply(Kind::SetJob, command);
    EXPECT_EQ(outcome.code, ErrorCode::Ok) << outcome.message;
    return this->definition(definition.name()).uid();
  }
  // Launches and misses begin at the job's next activation: this makes it `second`.
  void aim_at(const std::string& name, std::int64_t second) {
    store::SetNextCommand command;
    command.set_uid(definition(name).uid());
    command.set_schedule_revision(definition(name).schedule_revision());
    model::set_time(command.mutable_next(), at(kStart + second));
    apply(Kind::SetNext, command);
  }
  store::LaunchCommand launch_of(const std::string& name, std::int64_t second,
                                 std::vector<std::string> targets = {"n1"}) const {
    store::LaunchCommand command;
    command.set_uid(definition(name).uid());
    command.set_schedule_revision(definition(name).schedule_revision());
    model::set_time(command.mutable_instant(), at(kStart + second));
    model::set_time(command.mutable_next(), at(kStart + second + 1));
    model::set_time(command.mutable_now(), at(kStart + second));
    command.set_group(second);
    for (std::string& target : targets) command.add_targets(std::move(target));
    return command;
  }
  store::LaunchAnswer launch(const std::string& name, std::int64_t second,
                             std::vector<std::string> targets = {"n1"}) {
    aim_at(name, second);
    const auto outcome = apply(Kind::Launch, launch_of(name, second, std::move(targets)));
    EXPECT_EQ(outcome.code, ErrorCode::Ok) << outcome.message;
    store::LaunchAnswer answer;
    EXPECT_TRUE(answer.ParseFromString(outcome.payload));
    return answer;
  }
  store::DoneCommand done_of(const std::string& name, std::int64_t group, bool success,
                             const std::string& node = "n1", std::uint32_t attempt = 1) const {
    store::DoneCommand command;
    command.set_uid(definition(name).uid());
    command.set_group(group);
    command.set_node(node);
    command.set_attempt(attempt);
    command.set_success(success);
    command.set_output("output");
    command.set_output_bytes(6);
    model::set_time(command.mutable_started_at(), at(kStart + group));
    model::set_time(command.mutable_finished_at(), at(kStart + group + 1));
    model::set_time(command.mutable_now(), at(kStart + group + 1));
    return command;
  }
  void finish(const std::string& name, std::int64_t group, bool success,
              const std::string& node = "n1", std::uint32_t attempt = 1) {
    const auto outcome = apply(Kind::Done, done_of(name, group, success, node, attempt));
    EXPECT_EQ(outcome.code, ErrorCode::Ok) << outcome.message;
  }

  store::MemoryStore store;
  std::unique_ptr<Machine> machine;
  std::deque<Change> changes;
};

inline store::JobDefinition job_named(const std::string& name, const std::string& parent = "") {
  store::JobDefinition definition;
  definition.set_name(name);
  definition.set_schedule("@every 1s");
  definition.set_concurrency("allow");
  definition.set_parent_job(parent);
  return definition;
}

}  // namespace dkron::state::testing_support
