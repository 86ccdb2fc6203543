// Any bytes as commands of the log, on a machine that has jobs and an open run. Bytes that are no
// command are refused whole; after those that are, the counters of each job agree with its rows.
//
// A command is: kind (1 byte), length of the payload (2, big-endian), payload.
#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "model/rows.h"
#include "state/commands.h"
#include "state/machine.h"
#include "store/keys.h"
#include "store/memory_store.h"

namespace {

using namespace dkron;
using state::Kind;

constexpr int kCommandsLimit = 16;

void require(bool holds) {
  if (!holds) std::abort();
}

Result<std::vector<raft::Outcome>> apply(state::Machine& machine, const raft::CommandView& view) {
  auto outcomes = machine.apply(machine.applied_index() + 1, {&view, 1});
  machine.publish();
  return outcomes;
}

template <class Message>
void prepare(state::Machine& machine, Kind kind, const Message& message) {
  const raft::Command c = state::make_command(kind, message);
  const auto outcomes = apply(machine, {c.kind, c.version, c.request_id, c.payload});
  require(outcomes && outcomes->at(0).code == ErrorCode::Ok);
}

void set_job(state::Machine& machine, const std::string& name, const std::string& parent) {
  store::SetJobCommand command;
  command.mutable_definition()->set_name(name);
  command.mutable_definition()->set_parent_job(parent);
  command.mutable_definition()->set_retries(1);
  command.mutable_definition()->set_keep_executions(1);
  model::set_time(command.mutable_next(), Instant::from_unix(100));
  prepare(machine, Kind::SetJob, command);
}

std::size_t count(const store::MemoryStore& store, const std::string& prefix) {
  std::size_t n = 0;
  for (auto it = store.rows().lower_bound(prefix);
       it != store.rows().end() && it->first.starts_with(prefix); ++it)
    ++n;
  return n;
}

void check_counters(const store::MemoryStore& store) {
  namespace keys = store::keys;
  std::map<std::uint64_t, std::uint32_t> slots;
  for (auto it = store.rows().lower_bound("g/"); it != store.rows().end() && it->first < "g0";
       ++it) {
    store::OpenGroup group;
    require(group.ParseFromString(it->second));
    slots[group.uid()] += group.holds_slot() ? 1 : 0;
  }
  for (auto it = store.rows().lower_bound("s/"); it != store.rows().end() && it->first < "s0";
       ++it) {
    store::JobState state;
    require(state.ParseFromString(it->second));
    require(state.open_groups() == count(store, keys::groups_of(state.uid())));
    require(state.held_slots() == slots[state.uid()]);
    require(state.execution_count() == count(store, keys::executions_of(state.uid())));
    require(state.ledger_rows() == count(store, keys::ledger_of(state.uid())));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kQuiet =
      google::protobuf::SetLogHandler(nullptr);  // It tells of each bad payload.
  static_cast<void>(kQuiet);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  store::MemoryStore store;
  auto machine = std::move(*state::Machine::open(store, [](const state::Changes&) {}));
  set_job(*machine, "a", "");
  set_job(*machine, "b", "a");
  store::LaunchCommand launch;
  launch.set_uid(1);
  launch.set_schedule_revision(1);
  launch.set_group(5);
  launch.add_targets("n");
  launch.add_targets("m");
  model::set_time(launch.mutable_instant(), Instant::from_unix(100));
  prepare(*machine, Kind::Launch, launch);

  for (int i = 0; i < kCommandsLimit && rest.size() >= 3; ++i) {
    raft::CommandView view;
    view.kind = static_cast<std::uint8_t>(rest[0]);
    view.version = state::kCommandVersion;
    const std::size_t length = static_cast<std::size_t>(static_cast<std::uint8_t>(rest[1]) << 8 |
                                                        static_cast<std::uint8_t>(rest[2]));
    rest.remove_prefix(3);
    view.payload = rest.substr(0, length);
    rest.remove_prefix(view.payload.size());
    const auto before = store.rows();
    const auto outcomes = apply(*machine, view);
    if (outcomes) {
      require(outcomes->size() == 1);
    } else {
      require(store.rows() == before);
    }
    check_counters(store);
  }
  return 0;
}
