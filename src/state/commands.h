// The commands of the replicated log: their numbers, and how they become raft commands.
//
// A number is never reused, and a change of meaning gets a new one. A server that reads a kind or
// version it does not know stops with "upgrade me" (machine.cpp), because skipping would make it
// diverge. Messages are in proto/store.proto. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "raft/node.h"
#include "store.pb.h"

namespace dkron::state {

enum class Kind : std::uint16_t {
  InitCluster = 1,
  SetJob = 2,
  DeleteJob = 3,
  ToggleJob = 4,
  DeleteExecutions = 5,
  SetPause = 6,
  SetNext = 7,
  Launch = 8,
  Miss = 9,
  ManualRun = 10,
  DependentRun = 11,
  Retry = 12,
  Started = 13,
  Done = 14,
  TrimLedger = 15,
};

inline constexpr std::uint16_t kCommandVersion = 1;

template <class Message>
raft::Command make_command(Kind kind, const Message& message, std::uint64_t request_id = 0) {
  raft::Command command;
  command.kind = static_cast<std::uint16_t>(kind);
  command.version = kCommandVersion;
  command.request_id = request_id;
  message.SerializeToString(&command.payload);
  return command;
}

}  // namespace dkron::state
